"""A screenshot factory's line to a Browsershots server: a nonce for each call, and a redirect that is the page."""

import re
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx

from sheepfold.model.errors import InvalidSpec, MalformedMessage
from sheepfold.model.matching import Abilities
from sheepfold.protocols.answers import CHUNK_BYTES, UNPACKED, whole_body
from sheepfold.protocols.browsershots import wire
from sheepfold.protocols.browsershots.calls import Request
from sheepfold.protocols.browsershots.wire import Base64, Fault, Redirect, Value
from sheepfold.protocols.link import FarmRefused, FarmUnreachable, Figures, Receipt, Work

LOCK_S = 300
"""How long a server keeps a request for the factory that polled it (protocol note, section 4.2)."""
IDLE_S = 60
"""How long factories wait after each fault (protocol note, section 5.2)."""
MAX_ANSWER_BYTES = 2 * 2**20
# An upload is answered when it has been inspected, which may wait behind others.
TIMEOUT = httpx.Timeout(180.0, connect=20.0)
_NOBODY = {401, 403, 404}
_UNWANTED = {404, 409, 423}

T = TypeVar("T")


def open_link(server_url: str, key: str, state_folder: Path, user_agent: str, account: str = "") -> "BrowsershotsLink":
    """Make a factory's line to a server; nothing is asked before `open`.

    `account` is the name by which the wire knows us: the factory's, by default this computer's, as ShotFactory has it.
    """
    del state_folder
    return BrowsershotsLink(server_url, account or socket.gethostname().partition(".")[0].lower(), key, user_agent)


class BrowsershotsLink:
    """One factory's line to one server; fulfils `Link`.

    The page of a `Work` is the redirect itself, as the server wants to see the browser before it leads it on.
    """

    def __init__(self, server_url: str, factory: str, key: str, user_agent: str) -> None:
        self._url = server_url.rstrip("/")
        self._factory = factory
        self._key = key
        headers = {"User-Agent": user_agent, "Content-Type": "text/xml", **UNPACKED}
        self._http = httpx.Client(timeout=TIMEOUT, headers=headers)

    def open(self, abilities: Abilities) -> None:
        """Try the key; what the browsers can do is registered with the server, not told."""
        del abilities
        try:
            self._proved(lambda encrypted: self._ask(wire.Verify(self._factory, encrypted)))
        except Fault as fault:
            if fault.code in _NOBODY:
                raise FarmRefused(f"The server refuses the factory {self._factory!r}: {fault.message}") from fault
            raise _later(fault) from fault

    def claim(self, abilities: Abilities, *, may_wait: bool = True) -> Work | None:
        """Ask for a request; None where there is none. This wire cannot wait."""
        del abilities, may_wait
        try:
            value = self._proved(lambda encrypted: self._ask(wire.Poll(self._factory, encrypted)))
            return self._work(_read(lambda: wire.PollAnswer.from_value(value)))
        except Fault as fault:
            if fault.code == 204:
                return None
            if fault.code in _NOBODY:
                raise FarmRefused(f"The server has nothing for {self._factory!r}: {fault.message}") from fault
            raise _later(fault) from fault

    def _work(self, answer: wire.PollAnswer) -> Work:
        redirect = Redirect(self._factory, self._encrypted(), answer.request)
        from sheepfold.kinds.screenshot.spec import parse  # noqa: PLC0415 -- a kind, for those who render it

        asked: dict[str, Any] = {
            "url": self._url + redirect.encode(),
            "browsers": [{"name": answer.browser, "version": _version(answer.version)}],
            "widths": [answer.width or 1024],
            "height": answer.height,
            "bpp": answer.bpp,
            "javascript": answer.javascript,
            "java": answer.java,
            "flash": answer.flash,
            "allow_blank": True,  # the server judges
        }
        try:
            spec = parse(asked)
        except InvalidSpec as error:
            raise FarmUnreachable(f"The server asks for what makes no sense: {error}", IDLE_S) from error
        return Work(str(answer.request), "screenshot", spec, 0, 0, LOCK_S, {})

    def fetch_task_input(self, work: Work, target: Path) -> bool:
        """Return False: screenshots have no inputs."""
        del work, target
        return False

    def fetch_input(self, work: Work, name: str, target: Path) -> None:
        """Raise FarmUnreachable: screenshots have no inputs."""
        del work, target
        raise FarmUnreachable(f"There is no input {name!r} on this wire.")

    def heartbeat(self, work: Work, seconds_done: int) -> bool:
        """Return True: this wire has no heartbeat, and an upload is welcome until another factory has the request."""
        del work, seconds_done
        return True

    def submit(self, work: Work, picture: Path, figures: Figures) -> Receipt:
        """Upload a screenshot, reading it as it goes."""
        del figures
        size_bytes = picture.stat().st_size

        def send(encrypted: str) -> Value:
            upload = wire.Upload(self._factory, encrypted, int(work.handle), Base64(size_bytes))
            pieces = wire.write_upload(upload, _pieces(picture))
            return self._post(pieces, {"Content-Length": str(wire.size_of_upload(upload))})

        try:
            self._proved(send)
        except Fault as fault:
            if fault.code in _UNWANTED:
                return Receipt.UNWANTED
            if fault.code in {401, 408} or fault.code // 100 == 5:
                raise _later(fault) from fault
            return Receipt.REFUSED
        return Receipt.ACCEPTED

    def give_up(self, work: Work, reason: str, log: Path | None, *, failed: bool) -> None:
        """Do nothing: this wire cannot give a request back, and its lock ends by itself."""

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _proved(self, call: Callable[[str], T]) -> T:
        """Make a call with a fresh nonce, and once more where an answer was lost and with it the nonce."""
        try:
            return call(self._encrypted())
        except Fault as fault:
            if fault.code not in {401, 408}:
                raise
        return call(self._encrypted())

    def _encrypted(self) -> str:
        value = self._ask(wire.Challenge(self._factory))
        given = _read(lambda: wire.ChallengeAnswer.from_value(value))
        return wire.encrypt(wire.inner_digest(given.algorithm, given.salt, self._key), given.nonce)

    def _ask(self, request: Request) -> Value:
        return self._post(wire.encode_call(request))

    def _post(self, body: bytes | Iterator[bytes], headers: dict[str, str] | None = None) -> Value:
        """Send a call and read its answer; raises Fault and FarmUnreachable."""
        try:
            with self._http.stream("POST", f"{self._url}/xmlrpc/", content=body, headers=headers) as answer:
                if answer.status_code != 200:
                    raise FarmUnreachable(f"The server answers with {answer.status_code}.", IDLE_S)
                told = whole_body(answer, MAX_ANSWER_BYTES)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise FarmUnreachable(f"The server does not answer: {str(error) or type(error).__name__}.") from error
        return _read(lambda: wire.read_response(told))


def _read(read: Callable[[], T]) -> T:
    try:
        return read()
    except MalformedMessage as error:
        raise FarmUnreachable(f"The server's answer makes no sense: {error}", IDLE_S) from error


def _later(fault: Fault) -> FarmUnreachable:
    return FarmUnreachable(f"The server says: {fault.message}", IDLE_S)


def _version(text: str) -> str:
    """Return a version as an order may have it: the server's own text, if it is numbers."""
    return text if re.fullmatch(r"[0-9]{1,5}(\.[0-9]{1,5}){0,3}", text, re.ASCII) else ""


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(CHUNK_BYTES):
            yield piece
