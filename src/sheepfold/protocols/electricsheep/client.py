"""One machine's line to an Electric Sheep farm: frames for the worker, the flock and votes for the player."""

import json
import re
import secrets
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from random import SystemRandom
from types import TracebackType
from typing import Any, Self

import httpx

from sheepfold.model.errors import BadInput
from sheepfold.model.matching import Abilities
from sheepfold.protocols.answers import CHUNK_BYTES, UNPACKED, whole_body
from sheepfold.protocols.electricsheep import wire
from sheepfold.protocols.electricsheep.credentials import (
    ANONYMOUS_HASH,
    Credentials,
    clean_nick,
    clean_uid,
    clean_version,
    encode_basic,
    own_password_hash,
)
from sheepfold.protocols.link import FarmRefused, FarmUnreachable, Figures, Receipt, Work

# Seed 002 has the redirection cached; the real clients ask again after a day (protocol note 1.1).
REDIRECT_TERM_S = 86_400
# No answer names the lease's term. The real clients render one frame at a time, in minutes; an hour is our guess.
TERM_S = 3_600
UPLOAD_TRIES = 3
# Between tries: 2 and 4 seconds, each up to doubled by chance, so that a flock does not come back as one.
FIRST_PAUSE_S = 2.0
LONGEST_PAUSE_S = 60.0
MAX_REDIRECTS = 5
MAX_ANSWER_BYTES = 16 * 2**20
DEFAULT_JPEG_QUALITY = 90
DEFAULT_BITS = 33

_UNWELCOME = {401, 403, 404, 410}
_LATER = {408, 425, 429}
_PLATFORMS = {"darwin": "OSX", "win32": "WIN"}
_CHANCE = SystemRandom()


@dataclass(frozen=True, slots=True)
class Clock:
    """What the link knows of time: `now` in Unix seconds, and a way to wait."""

    now: Callable[[], float] = time.time
    pause: Callable[[float], None] = time.sleep


SYSTEM_CLOCK = Clock()


def open_link(server_url: str, key: str, state_folder: Path, user_agent: str, account: str = "") -> "ElectricSheepLink":
    """Make a machine's line to a farm: `account` is the nick, `key` what real clients are given as its password."""
    return ElectricSheepLink(server_url, account, key, state_folder, user_agent)


class ElectricSheepLink:
    """A line to one farm, for one nick; fulfils `Link`, and has a player's requests besides.

    `state_folder` keeps the machine's UID and the last redirection. An empty nick is anonymous. TLS certificates are
    verified and HTTP_PROXY, HTTPS_PROXY and NO_PROXY obeyed; the credentials go to the farm's hosts alone, unlike the
    real clients', which send them to every host that stores films.
    """

    def __init__(self, server_url: str, nick: str, password_or_key: str, state_folder: Path, user_agent: str,
                 clock: Clock = SYSTEM_CLOCK) -> None:
        state_folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._server_url = server_url.rstrip("/") + "/"
        self._nick = clean_nick(nick)
        is_named = bool(self._nick and password_or_key)
        self._password_hash = own_password_hash(password_or_key, self._nick) if is_named else ANONYMOUS_HASH
        self._state_folder = state_folder
        self._clock = clock
        self._uid = _own_uid(state_folder / "uid")
        self._version = _version_of(user_agent)
        self._genomes: dict[str, bytes] = {}
        # Bodies are taken as they are: both a film's size and the bound on inflated bytes depend on it.
        headers = {"User-Agent": user_agent, "Accept": "*/*", **UNPACKED}
        self._http = httpx.Client(headers=headers, timeout=httpx.Timeout(60, connect=20), max_redirects=MAX_REDIRECTS)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.close()

    @property
    def uid(self) -> str:
        """Return the machine's UID: 16 hex digits, made once."""
        return self._uid

    # -- the worker's side

    def open(self, abilities: Abilities) -> None:
        """Find the machine's server; raises FarmRefused when the farm knows no such nick and password."""
        self._welcome()

    def claim(self, abilities: Abilities, *, may_wait: bool = True) -> Work | None:
        """Ask for a frame; None where the machine renders no flames or the farm has none. The wire knows no waiting."""
        del may_wait
        if "flame" not in abilities.kinds:
            return None
        request = wire.GetRequest(self._nick, "", self._version, self._uid)
        with _as_farm_faults():
            answer = wire.decode_get_answer(self._fetch(self._welcome().render_base + wire.encode_get_request(request)))
        if isinstance(answer, wire.NoWork):
            return None
        handle = f"{answer.generation}-{answer.sheep}-{answer.put_job}"
        self._genomes[handle] = answer.genome
        sheep = f"{answer.generation}-{answer.sheep}"
        return Work(handle, "flame", _spec(answer.args), answer.moment, 0, TERM_S, {}, sheep)

    def fetch_task_input(self, work: Work, target: Path) -> bool:
        """Write the frame's genome, which came with the order, as an XML document."""
        if work.handle not in self._genomes:
            raise FarmRefused(f"The order {work.handle} was claimed by another process, and its genome went with it.")
        target.write_bytes(wire.rooted_genome(self._genomes[work.handle]))
        return True

    def fetch_input(self, work: Work, name: str, target: Path) -> None:
        """Refuse: orders of this wire have no files beside the genome."""
        raise FarmRefused(f"An Electric Sheep farm has no file {name!r}.")

    def heartbeat(self, work: Work, seconds_done: int) -> bool:
        """Say nothing, since the wire has no heartbeat: the frame is always wanted."""
        return True

    def submit(self, work: Work, picture: Path, figures: Figures) -> Receipt:
        """Upload a picture, trying three times; any 2xx is a success. The farm may judge it later, in silence."""
        for left in reversed(range(UPLOAD_TRIES)):
            try:
                receipt = self._upload(work.handle, picture)
            except FarmUnreachable as error:
                if not left:
                    raise
                self._clock.pause(_pause_s(UPLOAD_TRIES - left, error.retry_after_s))
            else:
                break
        self._genomes.pop(work.handle, None)
        return receipt

    def give_up(self, work: Work, reason: str, log: Path | None, *, failed: bool) -> None:
        """Forget the order: the wire has no word for it, and the lease runs out."""
        self._genomes.pop(work.handle, None)

    def close(self) -> None:
        """Close the connections; the wire has no session."""
        self._http.close()

    # -- the player's side

    def fetch_list(self) -> wire.Flock:
        """Return the live flock; a farm that knows no such nick shows it, too."""
        request = wire.ListRequest(self._version, self._uid)
        with _as_farm_faults():
            return wire.decode_flock(self._fetch(self._home().host + wire.encode_list_request(request)))

    def download_sheep(self, listed: wire.ListedSheep, folder: Path) -> Path:
        """Fetch a film into `folder` under its own name and return its path; one that is there is not fetched again.

        Raises FarmUnreachable where fewer or more bytes came than were listed; nothing of them is kept.
        """
        target = folder / listed.file_name
        if target.is_file() and target.stat().st_size == listed.size_bytes:
            return target
        partial = target.with_name(target.name + ".tmp")
        try:
            with _as_farm_faults():
                self._download(listed, partial)
            partial.replace(target)
        finally:
            partial.unlink(missing_ok=True)
        return target

    def vote(self, sheep_id: int, value: int) -> None:
        """Vote for a sheep of the present generation (1) or against it (-1)."""
        query = wire.encode_vote_request(wire.VoteRequest(sheep_id, value, self._uid))
        with _as_farm_faults(), self._http.stream("GET", self._home().vote_base + query, headers=self._identity(),
                                                  follow_redirects=False) as response:
            # The farm may point to its status page (protocol note 1.6); the vote has been counted by then.
            if not response.is_redirect:
                _expect_success(response)

    # -- what both sides share

    def _welcome(self) -> wire.RedirectAnswer:
        home = self._home()
        if home.role == wire.Role.ERROR:
            raise FarmRefused(f"The farm {self._server_url} does not know {self._nick!r} with this password or key.")
        return home

    def _home(self) -> wire.RedirectAnswer:
        """Return the redirection of the last day, or ask for one; one that says `error` is not remembered."""
        path = self._state_folder / "redirect.json"
        remembered = _remembered(path, self._whose(), self._clock.now())
        if remembered is not None:
            return remembered
        request = wire.RedirectRequest(self._nick, self._password_hash, self._version, self._uid)
        with _as_farm_faults():
            answer = wire.decode_redirect_answer(self._fetch(self._server_url + wire.encode_redirect_request(request)))
        if answer.role != wire.Role.ERROR:
            note = self._whose() | {"asked_at": self._clock.now(), "answer": asdict(answer)}
            _write(path, json.dumps(note, indent=1))
        return answer

    def _whose(self) -> dict[str, Any]:
        return {"server": self._server_url, "nick": self._nick}

    def _identity(self) -> dict[str, str]:
        if self._password_hash == ANONYMOUS_HASH:
            return {}
        return {"Authorization": encode_basic(Credentials(self._nick, self._password_hash))}

    def _fetch(self, url: str) -> bytes:
        try:
            with self._http.stream("GET", url, headers=self._identity(), follow_redirects=True) as response:
                _expect_success(response)
                return whole_body(response, MAX_ANSWER_BYTES)
        except httpx.TransportError:
            # The farm may have moved: whoever opens the line again asks where it is.
            (self._state_folder / "redirect.json").unlink(missing_ok=True)
            raise

    def _upload(self, handle: str, picture: Path) -> Receipt:
        generation, sheep, job = _numbers(handle)
        size_bytes = picture.stat().st_size
        request = wire.PutRequest(job, sheep, size_bytes, generation, self._version, self._uid)
        # Put goes to `host`, even where `render` gave the order (protocol note 1.1).
        url = self._welcome().host + wire.encode_put_request(request)
        with _as_farm_faults(), picture.open("rb") as body, self._http.stream(
                "PUT", url, content=body, headers=self._identity(), follow_redirects=False) as response:
            return _receipt(response)

    def _download(self, listed: wire.ListedSheep, partial: Path) -> None:
        arrived = 0
        with self._http.stream("GET", listed.url, follow_redirects=True) as response, partial.open("wb") as film:
            if not response.is_success:
                # One film that is gone says nothing of the others.
                raise FarmUnreachable(f"{listed.file_name} was answered with {response.status_code}.")
            for chunk in response.iter_raw(CHUNK_BYTES):
                arrived += len(chunk)
                if arrived > listed.size_bytes:
                    break
                film.write(chunk)
        if arrived != listed.size_bytes:
            amount = f"{arrived} or more" if arrived > listed.size_bytes else str(arrived)
            raise FarmUnreachable(f"{listed.file_name} was listed with {listed.size_bytes} bytes, but {amount} came.")


@contextmanager
def _as_farm_faults() -> Iterator[None]:
    """Let what goes wrong on the way or makes no sense be the farm's being unreachable."""
    try:
        yield
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise FarmUnreachable(f"The farm does not answer: {str(error) or type(error).__name__}.") from error
    except BadInput as error:
        raise FarmUnreachable(f"The farm's answer makes no sense: {error}") from error


def _expect_success(response: httpx.Response) -> None:
    if not response.is_success:
        raise _failure(response)


def _failure(response: httpx.Response) -> FarmRefused | FarmUnreachable:
    said = f"The farm answered {response.status_code} to {response.request.url.path}."
    if response.status_code in _UNWELCOME:
        return FarmRefused(said)
    return FarmUnreachable(said, _retry_after_s(response))


def _receipt(response: httpx.Response) -> Receipt:
    status = response.status_code
    if response.is_success:
        return Receipt.ACCEPTED
    if status in {404, 409, 410}:
        return Receipt.UNWANTED
    if response.is_client_error and status not in _UNWELCOME | _LATER:
        return Receipt.REFUSED
    raise _failure(response)


def _retry_after_s(response: httpx.Response) -> int | None:
    text = response.headers.get("Retry-After", "")
    return min(int(text), REDIRECT_TERM_S) if re.fullmatch(r"[0-9]{1,9}", text) else None


def _spec(args: Mapping[str, str]) -> dict[str, Any]:
    """Say what a flame's render needs to know, from the arguments that are allowed.

    Without `format`, flam3 since 2.7.3 makes PNG (protocol note 3.4), and so does ours.
    """
    return {
        "format": args.get("format", "png"),
        "jpeg_quality": int(args.get("jpeg", DEFAULT_JPEG_QUALITY)),
        "bits": int(args.get("bits", DEFAULT_BITS)),
        "seed": args.get("isaac_seed", ""),
    }


def _numbers(handle: str) -> tuple[int, int, int]:
    generation, sheep, job = handle.split("-")
    return int(generation), int(sheep), int(job)


def _pause_s(tries: int, wished_s: int | None) -> float:
    doubled: float = FIRST_PAUSE_S * 2.0 ** (tries - 1) * _CHANCE.uniform(1, 2)
    return min(max(doubled, wished_s or 0), LONGEST_PAUSE_S)


def _version_of(user_agent: str) -> str:
    """Make a version with the prefix that the real clients use, such as LNX_sheepfold-0.1."""
    product = user_agent.partition(" ")[0].replace("/", "-")
    return clean_version(f"{_PLATFORMS.get(sys.platform, 'LNX')}_{product}")


def _own_uid(path: Path) -> str:
    """Return the UID of this installation, made on first use: 8 random bytes (seed 002)."""
    kept = clean_uid(path.read_text("utf-8", "replace").strip()) if path.is_file() else ""
    if kept:
        return kept
    uid = secrets.token_hex(8).upper()
    _write(path, uid + "\n")
    return uid


def _remembered(path: Path, whose: Mapping[str, Any], now: float) -> wire.RedirectAnswer | None:
    """Read a redirection that is younger than a day and belongs to this farm and nick."""
    try:
        note = json.loads(path.read_text("utf-8"))
        is_ours = all(note[name] == value for name, value in whose.items())
        is_fresh = 0 <= now - note["asked_at"] < REDIRECT_TERM_S
        return wire.RedirectAnswer(**note["answer"]) if is_ours and is_fresh else None
    except (FileNotFoundError, ValueError, KeyError, TypeError, AttributeError, BadInput):
        return None    # never asked, or a file that was spoilt: asking mends both


def _write(path: Path, text: str) -> None:
    partial = path.with_name(path.name + ".new")
    partial.write_text(text, "utf-8")
    partial.replace(path)
