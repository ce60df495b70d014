"""What a SheepIt farm answers: every XML document as a typed value, written so that one superset serves all clients.

Source: the protocol note, sections 3, 5, 8 and 12. All answers are sent with Content-Type `text/xml; charset=utf-8`:
other types, `application/xml` included, are refused by the clients. Old clients ignore what they do not know and
new ones demand nearly every attribute, so everything is always written; reading is lenient.
"""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from typing import ClassVar, Self
from urllib.parse import quote, unquote_plus

from sheepfold.model.errors import MalformedMessage
from sheepfold.protocols.sheepit import documents
from sheepfold.protocols.sheepit.documents import Element
from sheepfold.protocols.sheepit.statuses import ConfigStatus, JobStatus

CONTENT_TYPE = "text/xml; charset=utf-8"
SMALLEST_JOB_ID = 20  # to clients since 2020-08 a job below tests the machine, and halts them for good when it fails

CONFIG_PATH = "/server/config.php"

# The element <script> must not be empty for clients since 2020.
_NO_SCRIPT = "# nothing to set\n"
_URL_SAFE = re.compile(r"[A-Za-z0-9_.-]*", re.ASCII)


class Endpoint(StrEnum):
    """The request types whose paths a client learns from the answer to its config."""

    VALIDATE_JOB = "validate-job"
    REQUEST_JOB = "request-job"
    DOWNLOAD_ARCHIVE = "download-archive"
    ERROR = "error"
    LOGOUT = "logout"
    LAST_RENDER_FRAME = "last-render-frame"
    CREDITS_EARNED = "credits-earned"
    DOWNLOAD_BINARY = "download-binary"
    DOWNLOAD_CHUNK = "download-chunk"
    SPEEDTEST_ANSWER = "speedtest-answer"
    KEEPALIVE = "keepmealive"


FILE_NAMES: Mapping[Endpoint, str] = {
    Endpoint.VALIDATE_JOB: "send_frame.php",
    Endpoint.REQUEST_JOB: "request_job.php",
    Endpoint.DOWNLOAD_ARCHIVE: "archive.php",
    Endpoint.ERROR: "error.php",
    Endpoint.LOGOUT: "logout.php",
    Endpoint.LAST_RENDER_FRAME: "last_frame.php",
    Endpoint.CREDITS_EARNED: "credits.php",
    Endpoint.DOWNLOAD_BINARY: "bin.php",
    Endpoint.DOWNLOAD_CHUNK: "chunk.php",
    Endpoint.SPEEDTEST_ANSWER: "speedtest.php",
    Endpoint.KEEPALIVE: "keepmealive.php",
}

# The paths that documents and old clients hold without being told; clients before 2016-02 send heartbeats nowhere else.
LITERAL_PATHS: Mapping[str, Endpoint] = {
    **{f"/server/{name}": endpoint for endpoint, name in FILE_NAMES.items()},
    "/server/download.php": Endpoint.DOWNLOAD_ARCHIVE,
    "/account.php": Endpoint.LOGOUT,
}


def session_paths(token: str) -> dict[Endpoint, str]:
    """Return all paths with the session's token inside; none holds a query, which clients mangle in several ways."""
    if not token or not _URL_SAFE.fullmatch(token):
        raise ValueError("a session's token must be safe in a URL")
    return {endpoint: f"/s/{token}/server/{name}" for endpoint, name in FILE_NAMES.items()}


def collapse_slashes(path: str) -> str:
    """Return a request's path without doubled slashes: clients glue a server's URL and a path together."""
    return re.sub("/{2,}", "/", path)


def heartbeat_period_s(max_period_s: int | None) -> int:
    """Return after how many seconds a client should beat: two minutes before it must, and after 15 minutes at most."""
    return 900 if max_period_s is None else min(900, max(60, max_period_s - 120))


@dataclass(frozen=True, slots=True)
class ConfigAnswer:
    """The answer to a config. `publickey`, if not empty, is what the client will send as its password from now on.

    `max_period_s` should be 180 or more: clients of 2015 take 120 off and would beat every minute; those since 2019-09
    ignore it.
    """

    root: ClassVar[str] = "config"
    status: int = ConfigStatus.OK
    publickey: str = field(default="", repr=False)
    paths: Mapping[Endpoint, str] = field(default_factory=dict, repr=False)
    max_period_s: int | None = None

    def to_xml(self) -> bytes:
        """Write the answer; one that refuses holds nothing but its status."""
        if self.status != ConfigStatus.OK:
            return _write_status(self.root, self.status)
        requests = [Element("request", self._attributes(endpoint, path)) for endpoint, path in self.paths.items()]
        # Absent, `publickey` kills every Java client since 2019-09; empty is fine.
        attributes = {"status": str(int(self.status)), "publickey": self.publickey}
        return documents.write(Element(self.root, attributes, children=requests))

    @classmethod
    def from_xml(cls, body: bytes) -> Self:
        """Read an answer; request types that we do not know are passed over. Raise MalformedMessage."""
        config = _root(body, cls.root)
        known = {request.attributes.get("type"): request.attributes for request in config.all("request")}
        found = {endpoint: known[endpoint] for endpoint in Endpoint if endpoint in known}
        return cls(
            status=_status(config), publickey=config.attributes.get("publickey", ""),
            paths={endpoint: attributes.get("path", "") for endpoint, attributes in found.items()},
            max_period_s=_seen(found.get(Endpoint.KEEPALIVE, {}), "max-period"))

    def _attributes(self, endpoint: Endpoint, path: str) -> dict[str, str]:
        attributes = {"type": str(endpoint), "path": path}
        if endpoint is Endpoint.KEEPALIVE and self.max_period_s is not None:
            attributes["max-period"] = str(self.max_period_s)
        return attributes


@dataclass(frozen=True, slots=True)
class Stats:
    """The figures that a client shows; credits are points."""

    credits_session: int = 0
    credits_total: int = 0
    frame_remaining: int = 0
    waiting_project: int = 0
    connected_machine: int = 0
    renderable_project: int = 0


_FIGURES = tuple(figure.name for figure in fields(Stats))


@dataclass(frozen=True, slots=True)
class Renderer:
    """The renderer's archive by its MD5, and its command line.

    Of its words `.e` stands for the renderer, `.c` for the scene, `.o` for the output, `.f` for the frame.
    """

    md5: str
    commandline: str
    update_method: str = "remainingtime"


@dataclass(frozen=True, slots=True)
class Chunk:
    """One slice of the job's archive, for the Rust client."""

    id: str
    md5: str


@dataclass(frozen=True, slots=True)
class Job:
    """One frame to render.

    `frame` is the text that Blender puts into the file's name. `validation_url` is plain here and encoded on the wire.
    `is_synchronous` asks for the upload before the next job; clients before 2020-04-15 understand the opposite.
    """

    id: int
    archive_md5: str
    path: str
    frame: str
    renderer: Renderer
    name: str = ""
    extras: str = field(default="", repr=False)
    validation_url: str = field(default="", repr=False)
    script: str = ""
    password: str = field(default="", repr=False)
    revision: str = "0"
    uses_gpu: bool = False
    is_synchronous: bool = False
    chunks: tuple[Chunk, ...] = ()

    def to_element(self) -> Element:
        """Write the job; raise ValueError for what clients would mangle in a URL."""
        _check(self)
        attributes = {
            "id": str(self.id), "use_gpu": _flag(self.uses_gpu), "archive_md5": self.archive_md5, "path": self.path,
            "frame": self.frame, "synchronous_upload": _flag(self.is_synchronous), "revision": self.revision,
            "extras": self.extras, "name": self.name, "password": self.password}
        if self.validation_url:
            attributes["validation_url"] = quote(self.validation_url, safe="")
        script = self.script if self.script.strip() else _NO_SCRIPT
        children = [Element("renderer", asdict(self.renderer)), Element("script", text=script)]
        if self.chunks:
            children.append(Element("chunks", children=[Element("chunk", asdict(chunk)) for chunk in self.chunks]))
        return Element("job", attributes, children=children)

    @classmethod
    def from_element(cls, job: Element) -> Self:
        """Read a job; raise MalformedMessage without a number or renderer."""
        renderer, script = job.first("renderer"), job.first("script")
        if renderer is None:
            raise MalformedMessage("a job with a renderer was expected")
        seen = job.attributes
        text = script.text if script is not None else ""
        return cls(
            id=_integer(seen, "id"), archive_md5=seen.get("archive_md5", ""), path=seen.get("path", ""),
            frame=seen.get("frame", ""), renderer=_renderer(renderer.attributes), name=seen.get("name", ""),
            extras=seen.get("extras", ""), validation_url=unquote_plus(seen.get("validation_url", "")),
            script="" if text == _NO_SCRIPT else text, password=seen.get("password", ""),
            revision=seen.get("revision", "0"), uses_gpu=seen.get("use_gpu") == "1",
            is_synchronous=seen.get("synchronous_upload") == "1",
            chunks=tuple(Chunk(c.attributes.get("id", ""), c.attributes.get("md5", "")) for c in job.all("chunk")))


def frame_text(number: int) -> str:
    """Return a frame's number as Blender writes it into file names, with four digits or more."""
    return f"{number:04d}"


def _renderer(seen: Mapping[str, str]) -> Renderer:
    return Renderer(seen.get("md5", ""), seen.get("commandline", ""), seen.get("update_method", "remainingtime"))


def _check(job: Job) -> None:
    # Clients before 2020 glue these into URLs as they are.
    if not all(_URL_SAFE.fullmatch(word) for word in (job.extras, job.frame, job.revision)):
        raise ValueError(f"job {job.id}: extras, frame and revision must be safe in a URL")
    # Clients append "&rendertime=…" whatever the URL looks like.
    if job.validation_url and "?" not in job.validation_url:
        raise ValueError(f"job {job.id}: a validation_url needs a query")


@dataclass(frozen=True, slots=True)
class JobAnswer:
    """The answer to a job request: a job, or why there is none. `deletable` holds MD5s of archives to be removed."""

    root: ClassVar[str] = "jobrequest"
    status: int = JobStatus.OK
    stats: Stats = Stats()
    job: Job | None = None
    deletable: tuple[str, ...] = ()

    def to_xml(self) -> bytes:
        """Write the answer, with figures in the form that clients since 2016-10 demand and in that of those before."""
        children = [Element("file", {"md5": md5, "action": "delete"}) for md5 in self.deletable]
        if self.job is not None or self.stats != Stats():
            figures = {name: str(getattr(self.stats, name)) for name in _FIGURES}
            children += [Element("stats", figures), Element("frames", {"remaining": figures["frame_remaining"]})]
        if self.job is not None:
            children.append(self.job.to_element())
        return documents.write(Element(self.root, {"status": str(int(self.status))}, children=children))

    @classmethod
    def from_xml(cls, body: bytes) -> Self:
        """Read an answer; raise MalformedMessage, also when status 0 comes without a job."""
        root = _root(body, cls.root)
        status, job = _status(root), root.first("job")
        if status == JobStatus.OK and job is None:
            raise MalformedMessage("a job was expected with status 0")
        files = [file.attributes for file in root.all("file") if file.attributes.get("action") == "delete"]
        deletable = tuple(file.get("md5", "") for file in files)
        return cls(status, _stats(root), None if job is None else Job.from_element(job), deletable)


def _stats(root: Element) -> Stats:
    stats, frames = root.first("stats"), root.first("frames")
    if stats is not None:
        return Stats(**{name: _seen(stats.attributes, name) or 0 for name in _FIGURES})
    return Stats(frame_remaining=0 if frames is None else _seen(frames.attributes, "remaining") or 0)


@dataclass(frozen=True, slots=True)
class StatusAnswer:
    """An answer that holds nothing but a number."""

    root: ClassVar[str]
    status: int = 0

    def to_xml(self) -> bytes:
        """Write the answer."""
        return _write_status(self.root, self.status)

    @classmethod
    def from_xml(cls, body: bytes) -> Self:
        """Read an answer; raise MalformedMessage."""
        return cls(_status(_root(body, cls.root)))


@dataclass(frozen=True, slots=True)
class KeepAliveAnswer(StatusAnswer):
    """The answer to a heartbeat: a HeartbeatStatus."""

    root: ClassVar[str] = "keepmealive"


@dataclass(frozen=True, slots=True)
class ValidationAnswer(StatusAnswer):
    """The answer to a frame: a ValidationStatus."""

    root: ClassVar[str] = "jobvalidate"


@dataclass(frozen=True, slots=True)
class ErrorAnswer(StatusAnswer):
    """The answer to an error report, always 0; clients ignore it."""

    root: ClassVar[str] = "error"


def _write_status(root: str, status: int) -> bytes:
    return documents.write(Element(root, {"status": str(int(status))}))


def _root(body: bytes, name: str) -> Element:
    root = documents.read(body).first(name)
    if root is None:
        raise MalformedMessage(f"an element <{name}> was expected")
    return root


def _status(root: Element) -> int:
    return _integer(root.attributes, "status")


def _integer(attributes: Mapping[str, str], name: str) -> int:
    number = _seen(attributes, name)
    if number is None:
        raise MalformedMessage(f"the attribute '{name}' must be a number, found {attributes.get(name)!r:.40}")
    return number


def _seen(attributes: Mapping[str, str], name: str) -> int | None:
    found = re.fullmatch(r"\s*(-?[0-9]{1,18})\s*", attributes.get(name, ""), re.ASCII)
    return int(found[1]) if found else None


def _flag(value: bool) -> str:
    return "1" if value else "0"
