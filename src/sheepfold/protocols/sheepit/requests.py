"""What SheepIt clients ask: every request as a typed value, read from a query or form and written again.

Field names are the wire's own. Only what a request cannot do without is required; the rest is read leniently, because
five eras of clients each send another part of it. Clients also send files: a multipart body with one part named `file`
(frames and error logs). It is streamed where requests arrive and is no matter of this module; mind that clients before
2020 use the constant boundary `***232404jkg4220957934FW**`, unquoted, and give the part no Content-Type.
"""

import math
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import Self
from urllib.parse import parse_qsl, quote, urlencode

from sheepfold.model.errors import MalformedMessage, MissingParameter, SheepfoldError, TooLarge
from sheepfold.protocols.sheepit import documents
from sheepfold.protocols.sheepit.statuses import Era, ErrorType, MissingVersion

FILE_PART = "file"
MAX_PAIRS_BYTES = 64 * 1024
MAX_PAIRS = 100
MAX_CACHED = 10_000

Pairs = Mapping[str, str]

_NUMBER = re.compile(r"([+-]?[0-9]{1,18})(?:\.[0-9]*)?", re.ASCII)
_FRAME = re.compile(r"-?[0-9]{1,9}", re.ASCII)
_LEASE = re.compile(r"[0-9]{1,18}", re.ASCII)
_MD5 = re.compile(r"[0-9a-f]{32}")


class OpenedBy(StrEnum):
    """The HTTP method of the request that opened a session; GET until 2017-11-27."""

    GET = "GET"
    POST = "POST"


class Headless(StrEnum):
    """Whether the machine lacks a screen, in the words of the Java clients (digits) and of the Rust client."""

    NO = "0"
    YES = "1"
    RUST_NO = "false"
    RUST_YES = "true"


class ComputeMethod(IntEnum):
    """Which processor the client offers for a job."""

    EITHER = 0
    CPU = 1
    GPU = 2


class ArchiveType(StrEnum):
    """Which of a job's two archives is wanted."""

    RENDERER = "binary"
    JOB = "job"


def read_pairs(query: bytes, form: bytes = b"") -> dict[str, str]:
    """Read a raw query string and a form body into one mapping.

    Of a name given twice the last value counts, and the form over the query. Control characters are dropped. Raise
    TooLarge above 64 KiB, MalformedMessage above 100 pairs.
    """
    if len(query) + len(form) > MAX_PAIRS_BYTES:
        raise TooLarge(f"at most {MAX_PAIRS_BYTES} bytes of parameters were expected, found {len(query) + len(form)}")
    pairs: dict[str, str] = {}
    for raw in (query, form):
        pairs.update(_split(raw.decode("utf-8", "replace")))
    return pairs


def write_pairs(pairs: Pairs) -> str:
    """Write a query string or form body, percent-encoded as the clients of 2020 do."""
    return urlencode(pairs, quote_via=quote)


def write_extras(token: str, lease: int) -> str:
    """Return what a job bears for its client to send back with frames, heartbeats and errors: its session and lease."""
    return f"{token}.{lease}"


def read_extras(extras: str) -> tuple[str, int]:
    """Return the token and the lease that `write_extras` wrote; 0 for none."""
    token, _, lease = extras.partition(".")
    return token, int(lease) if _LEASE.fullmatch(lease) else 0


def _split(raw: str) -> Iterable[tuple[str, str]]:
    try:
        found = parse_qsl(raw, keep_blank_values=True, max_num_fields=MAX_PAIRS, errors="replace")
    except ValueError as error:
        raise MalformedMessage(f"parameters were expected: {error}") from None
    return [(name, _printable(value)) for name, value in found]


def _printable(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(letter for letter in text if unicodedata.category(letter) not in {"Cc", "Cs"})


@dataclass(frozen=True, slots=True)
class ConfigRequest:
    """A client opens a session.

    `password` is a machine key, or the public key that the farm once gave. Zero stands for a number unsaid, None
    for a word unsaid, which tells the client's era.
    """

    login: str
    password: str = field(repr=False)
    version: str
    os: str = ""
    bits: str = ""
    cpu_family: str = ""
    cpu_model: str = ""
    cpu_model_name: str = ""
    cpu_cores: int = 0
    ram_kib: int = 0
    hostname: str | None = None
    ui: str | None = None
    extras: str = ""
    headless: Headless | None = None
    os_version: str | None = None
    hwid: str | None = None
    opened_by: OpenedBy = OpenedBy.POST

    @classmethod
    def from_pairs(cls, pairs: Pairs, opened_by: OpenedBy) -> Self:
        """Read a request; raise MissingVersion, or MissingParameter without login or password."""
        if not pairs.get("version"):
            raise MissingVersion
        say = pairs.get
        return cls(
            login=_required(pairs, "login"), password=_required(pairs, "password"), version=pairs["version"],
            os=say("os", ""), bits=say("bits", ""), cpu_family=say("cpu_family", ""), cpu_model=say("cpu_model", ""),
            cpu_model_name=say("cpu_model_name", ""), cpu_cores=_count(pairs, "cpu_cores"),
            ram_kib=_memory_kib(_count(pairs, "ram")), hostname=say("hostname"), ui=say("ui"), extras=say("extras", ""),
            headless=_headless(say("headless")), os_version=say("os_version"), hwid=say("hwid"), opened_by=opened_by)

    def to_pairs(self) -> dict[str, str]:
        """Write the request in the order of the client of 2020."""
        pairs = {
            "login": self.login, "password": self.password, "cpu_family": self.cpu_family, "cpu_model": self.cpu_model,
            "cpu_model_name": self.cpu_model_name, "cpu_cores": str(self.cpu_cores), "os": self.os,
            "ram": str(self.ram_kib), "bits": self.bits, "version": self.version, "hostname": self.hostname,
            "ui": self.ui, "extras": self.extras, "headless": self.headless, "os_version": self.os_version,
            "hwid": self.hwid}
        return {name: str(value) for name, value in pairs.items() if value is not None}

    @property
    def era(self) -> Era:
        """The family of clients that speaks so."""
        if self.opened_by is OpenedBy.GET:
            return Era.A if self.hostname is not None else Era.A0
        if self.headless in {Headless.RUST_NO, Headless.RUST_YES}:
            return Era.C
        if self.hwid is not None:
            return Era.B22
        return Era.B if self.headless is not None else Era.A2

    @property
    def is_headless(self) -> bool:
        """Whether the machine has no screen, which EEVEE needs; a client that does not say is taken to have one."""
        return self.headless in {Headless.YES, Headless.RUST_YES}

    @property
    def platform(self) -> str:
        """The system, spelled alike for all eras: `linux`, `windows`, `mac`, `freebsd`, or what the client said."""
        system = self.os.lower()
        return "mac" if system in {"macos", "macm1"} else system


def _headless(word: str | None) -> Headless | None:
    return Headless(word) if word in set(Headless) else None


def _memory_kib(amount: int) -> int:
    # Clients send kilobytes, the old documents say bytes: nobody has a tebibyte of memory (2^30 KiB).
    return amount // 1024 if amount > 2**30 else amount


@dataclass(frozen=True, slots=True)
class JobRequest:
    """A client asks for a job.

    None stands for what the client does not say or limit; `cached` holds the MD5s of the archives that it has.
    """

    compute_method: ComputeMethod = ComputeMethod.CPU
    cpu_cores: int | None = None
    gpu_model: str = ""
    gpu_ram_bytes: int | None = None
    gpu_type: str = ""
    ram_max_kib: int | None = None
    rendertime_max_s: int | None = None
    network_dl: int | None = None  # bytes a second
    network_up: int | None = None
    cached: tuple[str, ...] = ()

    @classmethod
    def from_pairs(cls, pairs: Pairs, body: bytes = b"") -> Self:
        """Read a query and raw body, whatever its Content-Type; a body that cannot be read counts as none."""
        return cls(
            compute_method=_compute_method(_number(pairs, "computemethod")), cpu_cores=_number(pairs, "cpu_cores"),
            gpu_model=pairs.get("gpu_model", ""), gpu_ram_bytes=_number(pairs, "gpu_ram"),
            gpu_type=pairs.get("gpu_type", ""), ram_max_kib=_number(pairs, "ram_max"),
            rendertime_max_s=_number(pairs, "rendertime_max") or None, network_dl=_number(pairs, "network_dl"),
            network_up=_number(pairs, "network_up"), cached=read_cached(body))

    def to_pairs(self) -> dict[str, str]:
        """Write the query; the cached archives travel in the body."""
        numbers = {
            "computemethod": int(self.compute_method), "cpu_cores": self.cpu_cores, "gpu_ram": self.gpu_ram_bytes,
            "ram_max": self.ram_max_kib, "rendertime_max": self.rendertime_max_s or -1,
            "network_dl": self.network_dl, "network_up": self.network_up}
        words = {"gpu_model": self.gpu_model, "gpu_type": self.gpu_type}
        return _said(numbers) | {name: word for name, word in words.items() if word}

    def to_body(self) -> bytes:
        """Write the list of cached archives, for Content-Type `application/xml; charset=utf-8`."""
        files = [documents.Element("file", {"md5": md5}) for md5 in self.cached]
        return documents.write(documents.Element("cache", children=files))


def read_cached(body: bytes) -> tuple[str, ...]:
    """Read the MD5s of a `<cache>` document, each once, at most 10,000; anything unreadable is passed over."""
    try:
        files = documents.read(body).all("file")
    except SheepfoldError:
        return ()
    named = (file.attributes.get("md5", "").strip().lower() for file in files)
    return tuple(dict.fromkeys(md5 for md5 in named if _MD5.fullmatch(md5)))[:MAX_CACHED]


def _compute_method(number: int | None) -> ComputeMethod:
    # A client that says nothing sensible is given what every machine can do.
    return ComputeMethod(number) if number in {0, 1, 2} else ComputeMethod.CPU


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """A client is alive; `job` is None while it renders nothing. Times in seconds."""

    job: int | None = None
    frame: str = ""
    extras: str = ""
    rendertime_s: int | None = None
    remainingtime_s: int | None = None
    is_paused: bool | None = None

    @classmethod
    def from_pairs(cls, pairs: Pairs) -> Self:
        """Read a heartbeat; never raises, since an idle client sends nothing at all."""
        return cls(
            job=_number(pairs, "job"), frame=_frame(pairs), extras=pairs.get("extras", ""),
            rendertime_s=_number(pairs, "rendertime"), remainingtime_s=_number(pairs, "remainingtime"),
            is_paused={"true": True, "false": False}.get(pairs.get("paused", "").lower()))

    def to_pairs(self) -> dict[str, str]:
        """Write the query."""
        paused = {} if self.is_paused is None else {"paused": str(self.is_paused).lower()}
        words = {"frame": self.frame, "extras": self.extras}
        numbers = {"job": self.job, "rendertime": self.rendertime_s, "remainingtime": self.remainingtime_s}
        return paused | {name: word for name, word in words.items() if word} | _said(numbers)

    @property
    def frame_number(self) -> int | None:
        """The frame as a number."""
        return int(self.frame) if self.frame else None


@dataclass(frozen=True, slots=True)
class FrameUpload:
    """What stands in the URL of a finished frame, be it the literal path or a `validation_url`. Seconds and KiB."""

    job: int
    frame: str
    rendertime_s: int = 0
    memory_kib: int = 0
    extras: str = ""
    cores: int | None = None
    revision: str | None = None
    speedsamples: float | None = None

    @classmethod
    def from_pairs(cls, pairs: Pairs) -> Self:
        """Read an upload's query; raise MissingParameter without a job's number or a frame."""
        job, frame = _required_number(pairs, "job"), _frame(pairs)
        if not frame:
            raise MissingParameter("the parameter 'frame' must be a number")
        return cls(
            job=job, frame=frame, rendertime_s=_render_time(pairs) or 0, memory_kib=_count(pairs, "memoryused"),
            extras=pairs.get("extras", ""), cores=_number(pairs, "cores"), revision=pairs.get("revision"),
            speedsamples=_positive(pairs.get("speedsamples", "")))

    def to_pairs(self) -> dict[str, str]:
        """Write the query for the literal path of a `validate-job`."""
        revision = {} if self.revision is None else {"revision": self.revision}
        return {"job": str(self.job), "frame": self.frame, **revision, "extras": self.extras, **self._figures()}

    def to_url(self, validation_url: str) -> str:
        """Append the figures to a job's (decoded) `validation_url`, which already names job and frame."""
        return f"{validation_url}&{write_pairs(self._figures())}"

    def _figures(self) -> dict[str, str]:
        figures = _said({"rendertime": self.rendertime_s, "memoryused": self.memory_kib, "cores": self.cores})
        return figures if self.speedsamples is None else figures | {"speedsamples": repr(self.speedsamples)}

    @property
    def frame_number(self) -> int:
        """The frame as a number."""
        return int(self.frame)


def frame_filename(job: int, frame: str, extension: str) -> str:
    """Return the name under which a frame is uploaded, such as `21_0340.png`."""
    return f"{job}_{frame}.{extension}"


@dataclass(frozen=True, slots=True)
class ErrorReport:
    """A client says that it could not render; the log comes as a file.

    All may be missing, as with a client of 2015 that has no job. `type` is a number of ErrorType, or
    one that we do not know; None if empty or unsaid.
    """

    type: int | None = None
    job: int | None = None
    frame: str = ""
    render_time_s: int | None = None
    memory_kib: int = 0
    extras: str = ""

    @classmethod
    def from_pairs(cls, pairs: Pairs) -> Self:
        """Read a report; never raises."""
        return cls(
            type=_number(pairs, "type"), job=_number(pairs, "job"), frame=_frame(pairs),
            render_time_s=_render_time(pairs), memory_kib=_count(pairs, "memoryused"), extras=pairs.get("extras", ""))

    def to_pairs(self) -> dict[str, str]:
        """Write the query, with the render time under the name clients use and under the documented one."""
        time = _said({"render_time": self.render_time_s, "rendertime": self.render_time_s})
        words = {"frame": self.frame, "extras": self.extras}
        return {
            "type": "" if self.type is None else str(self.type), **_said({"job": self.job}), **time,
            "memoryused": str(self.memory_kib), **{name: word for name, word in words.items() if word}}

    @property
    def is_failure(self) -> bool:
        """Whether something went wrong: clients of 2022 send type 0 with their configuration at every start."""
        return self.type != ErrorType.OK

    @property
    def frame_number(self) -> int | None:
        """The frame as a number."""
        return int(self.frame) if self.frame else None


@dataclass(frozen=True, slots=True)
class ArchiveRequest:
    """A client wants the renderer or the project of a job, as a ZIP archive."""

    type: ArchiveType
    job: int
    revision: str | None = None

    @classmethod
    def from_pairs(cls, pairs: Pairs) -> Self:
        """Read a request; raise MissingParameter."""
        if pairs.get("type") not in set(ArchiveType):
            raise MissingParameter("the parameter 'type' must be 'binary' or 'job'")
        return cls(ArchiveType(pairs["type"]), _required_number(pairs, "job"), pairs.get("revision"))

    def to_pairs(self) -> dict[str, str]:
        """Write the query."""
        revision = {} if self.revision is None else {"revision": self.revision}
        return {"type": str(self.type), "job": str(self.job), **revision}


@dataclass(frozen=True, slots=True)
class DownloadBinary:
    """The Rust client wants a job's renderer."""

    job: int

    @classmethod
    def from_pairs(cls, pairs: Pairs) -> Self:
        """Read a request; raise MissingParameter."""
        return cls(_required_number(pairs, "job"))

    def to_pairs(self) -> dict[str, str]:
        """Write the query."""
        return {"job": str(self.job)}


@dataclass(frozen=True, slots=True)
class DownloadChunk:
    """The Rust client wants one slice of a job's archive."""

    chunk: str

    @classmethod
    def from_pairs(cls, pairs: Pairs) -> Self:
        """Read a request; raise MissingParameter."""
        return cls(_required(pairs, "chunk"))

    def to_pairs(self) -> dict[str, str]:
        """Write the query."""
        return {"chunk": self.chunk}


@dataclass(frozen=True, slots=True)
class Logout:
    """A client ends its session; it says nothing but perhaps the mode of the page it was sent to."""

    @classmethod
    def from_pairs(cls, pairs: Pairs) -> Self:
        """Read a request; raise MissingParameter if the page is asked for something else."""
        if pairs.get("mode", "logout") != "logout":
            raise MissingParameter("the parameter 'mode' must be 'logout'")
        return cls()

    def to_pairs(self) -> dict[str, str]:
        """Write the query of the traditional page, `/account.php`."""
        return {"mode": "logout", "worker": "1"}


def _required(pairs: Pairs, name: str) -> str:
    if not pairs.get(name):
        raise MissingParameter(f"the parameter '{name}' is missing")
    return pairs[name]


def _required_number(pairs: Pairs, name: str) -> int:
    number = _number(pairs, name)
    if number is None:
        raise MissingParameter(f"the parameter '{name}' must be a number")
    return number


def _number(pairs: Pairs, name: str) -> int | None:
    """Read a number; what is missing, negative or unreadable is None, since clients write -1 for "unknown"."""
    found = _NUMBER.fullmatch(pairs.get(name, "").strip())
    number = int(found[1]) if found else -1
    return number if number >= 0 else None


def _count(pairs: Pairs, name: str) -> int:
    return _number(pairs, name) or 0


def _render_time(pairs: Pairs) -> int | None:
    # Every client reports errors with `render_time`; the documents, and frames, say `rendertime`.
    time = _number(pairs, "render_time")
    return _number(pairs, "rendertime") if time is None else time


def _frame(pairs: Pairs) -> str:
    frame = pairs.get("frame", "").strip()
    return frame if _FRAME.fullmatch(frame) else ""


def _positive(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) and number > 0 else None


def _said(numbers: Mapping[str, int | None]) -> dict[str, str]:
    return {name: str(number) for name, number in numbers.items() if number is not None}
