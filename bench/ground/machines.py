"""Pretend machines of all four wires, as far as their wires go: what they ask, and how they send a picture.

They hold what real clients hold (a token, a UID, a key) and nothing else, so that a server that died finds them as
they were.
"""

from collections.abc import Awaitable, Callable
from typing import Protocol
from urllib.parse import urlsplit

from ground.load import WIRES, Refused
from sheepfold.protocols.browsershots import wire as browsershots
from sheepfold.protocols.sheepit import wire as sheepit

Ask = Callable[[str, bytes, int], Awaitable[bytes]]
"""Sends a request's head and body until it is answered with the status that is expected."""

USER_AGENT = "Mozilla/5.0 (X11; U; Linux i686; en-US; rv:1.9) Gecko/2008061015 Firefox/3.0"
_BOUNDARY = "fa2ab520-394d-45e6-93e8-84b1efacf9a3"
_USED_UP = {401, 408}  # a nonce whose answer got lost, or one too old


class Machine(Protocol):
    """One machine of the fleet."""

    wire: str
    """The name of the wire that it speaks."""

    async def prepare(self, ask: Ask) -> None:
        """Do what must be done before each claim."""
        ...

    async def claim(self, ask: Ask) -> bytes | None:
        """Ask for work once and return the answer, None where there was none now."""
        ...

    async def deliver(self, ask: Ask, answer: bytes, picture: bytes) -> None:
        """Send the picture of what an answer ordered."""
        ...


class Plain:
    """A machine of REST or Electric Sheep, whose requests are made as in `load`."""

    def __init__(self, wire: str, secret: str) -> None:
        self.wire = wire
        (self._claim, self._expected), self._upload = WIRES[wire](secret)

    async def prepare(self, ask: Ask) -> None:
        """Do nothing."""

    async def claim(self, ask: Ask) -> bytes | None:
        """Ask for a frame."""
        return await ask(self._claim, b"", self._expected)

    async def deliver(self, ask: Ask, answer: bytes, picture: bytes) -> None:
        """Put the frame."""
        await ask(self._upload(answer, len(picture)), picture, 200)


class SheepIt:
    """A SheepIt client of 2020 with a session."""

    wire = "sheepit"

    def __init__(self, token: str) -> None:
        path = sheepit.session_paths(token)[sheepit.Endpoint.REQUEST_JOB]
        self._claim = (f"POST {path}?computemethod=1&cpu_cores=1&ram_max=24117248&rendertime_max=-1 HTTP/1.1\r\n"
                       "Content-Type: application/xml; charset=utf-8")

    async def prepare(self, ask: Ask) -> None:
        """Do nothing."""

    async def claim(self, ask: Ask) -> bytes | None:
        """Ask for a job."""
        answer = await ask(self._claim, b"<cache/>", 200)
        status = sheepit.JobAnswer.from_xml(answer).status
        if status not in {sheepit.JobStatus.OK, sheepit.JobStatus.NO_JOB, sheepit.JobStatus.OVERLOADED}:
            raise Refused(f"request_job: {answer[:500]!r}")
        return answer if status == sheepit.JobStatus.OK else None

    async def deliver(self, ask: Ask, answer: bytes, picture: bytes) -> None:
        """Send the frame as a form, to the address that came with the job."""
        job = sheepit.JobAnswer.from_xml(answer).job
        if job is None:
            raise Refused(f"No job: {answer[:500]!r}")
        address = urlsplit(job.validation_url)
        head = (f"POST {address.path}?{address.query}&rendertime=4&memoryused=223450 HTTP/1.1\r\n"
                f"Content-Type: multipart/form-data; boundary={_BOUNDARY}")
        body = (f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="{job.id}_{job.frame}.png"\r\n'
                f"\r\n").encode() + picture + f"\r\n--{_BOUNDARY}--\r\n".encode()
        said = sheepit.ValidationAnswer.from_xml(await ask(head, body, 200))
        if said.status != sheepit.ValidationStatus.OK:
            raise Refused(f"Frame {job.frame} of job {job.id}: status {said.status}")


class Factory:
    """A screenshot factory with one browser: a nonce before each call."""

    wire = "browsershots"

    def __init__(self, name: str, key: str) -> None:
        self._name = name
        self._key = key
        self._proof = ""

    async def prepare(self, ask: Ask) -> None:
        """Take a nonce for the poll."""
        self._proof = await self._proved(ask)

    async def claim(self, ask: Ask) -> bytes | None:
        """Poll once."""
        answer = await ask(_CALL, browsershots.encode_call(browsershots.Poll(self._name, self._proof)), 200)
        try:
            browsershots.read_response(answer)
        except browsershots.Fault as fault:
            if fault.code in {204, *_USED_UP}:
                return None
            raise Refused(f"{self._name}: {fault.code} {fault.message}") from fault
        return answer

    async def deliver(self, ask: Ask, answer: bytes, picture: bytes) -> None:
        """Load the page through the redirect, as the factory's browser does, and upload."""
        request = browsershots.PollAnswer.from_value(browsershots.read_response(answer)).request
        while not await self._is_led(ask, request):
            pass
        while not await self._is_taken(ask, request, picture):
            pass

    async def _is_led(self, ask: Ask, request: int) -> bool:
        """Load the redirect; False where its nonce was used up by a server that died over it."""
        path = browsershots.Redirect(self._name, await self._proved(ask), request).encode()
        try:
            await ask(f"GET {path} HTTP/1.1\r\nUser-Agent: {USER_AGENT}", b"", 302)
        except Refused as refusal:
            if " 401 " not in str(refusal):
                raise
            return False
        return True

    async def _is_taken(self, ask: Ask, request: int, picture: bytes) -> bool:
        upload = browsershots.Upload(self._name, await self._proved(ask), request, browsershots.Base64(len(picture)))
        try:
            browsershots.read_response(await ask(_CALL, b"".join(browsershots.write_upload(upload, [picture])), 200))
        except browsershots.Fault as fault:
            if fault.code not in _USED_UP:
                raise Refused(f"{self._name}: {fault.code} {fault.message}") from fault
            return False
        return True

    async def _proved(self, ask: Ask) -> str:
        value = browsershots.read_response(await ask(
            _CALL, browsershots.encode_call(browsershots.Challenge(self._name)), 200))
        given = browsershots.ChallengeAnswer.from_value(value)
        inner = browsershots.inner_digest(given.algorithm, given.salt, self._key)
        return browsershots.encrypt(inner, given.nonce)


_CALL = "POST /xmlrpc/ HTTP/1.1\r\nContent-Type: text/xml"
