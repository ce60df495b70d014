"""A machine's line to a farm over SheepIt's wire, in the manner of the Java client of 2020.

Two things are of this farm alone: a job's only chunk is its archive by SHA-256, which lets the worker's cache know it,
and no renderer is fetched, since the worker brings its own Blender.
"""

import platform
import re
import socket
from collections.abc import Callable
from contextlib import ExitStack, suppress
from enum import IntEnum
from pathlib import Path
from typing import Any, TypeVar

import httpx
import psutil

from sheepfold.model.errors import MalformedMessage
from sheepfold.model.matching import Abilities
from sheepfold.protocols.answers import CHUNK_BYTES, UNPACKED, whole_body
from sheepfold.protocols.link import FarmRefused, FarmUnreachable, Figures, Receipt, Work
from sheepfold.protocols.sheepit import wire
from sheepfold.protocols.sheepit.documents import MAX_DOCUMENT_BYTES
from sheepfold.protocols.sheepit.wire import ConfigStatus, Endpoint, JobStatus, ValidationStatus

VERSION = "7.22306.0"
"""What we say that we are: the newest Java client that the wire's note knows."""
KIND = "blender"
PROJECT = "project"
MOST_ARCHIVE_BYTES = 16 * 2**30
"""What is fetched at most, whatever the farm sends: a stranger's server must not fill a volunteer's disk."""
LONGEST_SILENCE_S = 900
# A request for work is held for up to half a minute; a frame is answered when it has been inspected.
TIMEOUT = httpx.Timeout(120.0, connect=20.0)
WAIT_S = 60
_FRAME = re.compile(r"-?[0-9]{1,9}")
_SHA256 = re.compile(r"[0-9a-f]{64}")

Answer = TypeVar("Answer")


def open_link(server_url: str, key: str, state_folder: Path, user_agent: str, account: str = "") -> "SheepItLink":
    """Make a machine's line to a farm; nothing is asked before `open`. `account` is the key's, the wire's login."""
    del state_folder
    return SheepItLink(server_url, account, key, user_agent)


class SheepItLink:
    """One machine's line to one farm; fulfils `Link`.

    A lease is named by job and frame, so it outlives the session: what a restarted worker sends is still known.
    """

    def __init__(self, server_url: str, account: str, key: str, user_agent: str) -> None:
        self._url = server_url.rstrip("/")
        self._account = account
        self._key = key
        self._http = httpx.Client(timeout=TIMEOUT, headers={"User-Agent": user_agent, **UNPACKED})
        self._config = wire.ConfigAnswer()

    def open(self, abilities: Abilities) -> None:
        """Log in; raises FarmRefused for a wrong name or key, and for a farm that wants newer clients."""
        asked = wire.ConfigRequest(
            login=self._account, password=self._key, version=VERSION, os=abilities.platform, bits="64bit",
            cpu_model_name=platform.processor()[:100] or platform.machine(), cpu_cores=psutil.cpu_count() or 1,
            ram_kib=abilities.memory_mib * 1024, hostname=socket.gethostname(), ui="text", headless=wire.Headless.NO,
        )  # fmt: skip -- our Blender draws without a screen
        answer = self._send("POST", wire.CONFIG_PATH, data=asked.to_pairs())
        config = _read(lambda: wire.ConfigAnswer.from_xml(answer))
        if config.status == ConfigStatus.WEB_SESSION_EXPIRED:
            raise FarmUnreachable("The farm has trouble with log-ins.", WAIT_S)
        if config.status != ConfigStatus.OK:
            reason = _words(ConfigStatus, config.status)
            raise FarmRefused(f"The farm refuses the log-in of {self._account!r}: {reason}.")
        self._config = config

    def claim(self, abilities: Abilities, *, may_wait: bool = True) -> Work | None:
        """Ask for a frame. How long an idle farm holds the request is its own matter."""
        del may_wait
        asked = wire.JobRequest(
            compute_method=wire.ComputeMethod.EITHER if abilities.gpu else wire.ComputeMethod.CPU,
            cpu_cores=psutil.cpu_count() or 1, ram_max_kib=abilities.memory_mib * 1024,
        )  # fmt: skip
        answer = self._requested(asked)
        if answer.status == JobStatus.SESSION_DEAD:
            self.open(abilities)
            answer = self._requested(asked)
        if answer.status == JobStatus.OK and answer.job is not None:
            return self._work(answer.job)
        if answer.status in {JobStatus.NO_JOB, JobStatus.NO_RENDERER, JobStatus.DENOISING_UNSUPPORTED}:
            return None
        if answer.status in {JobStatus.NO_RENDERING_RIGHT, JobStatus.SESSION_DISABLED}:
            raise FarmRefused(f"The farm gives this machine no frames: {_words(JobStatus, answer.status)}.")
        raise FarmUnreachable(f"The farm has no frame to give: {_words(JobStatus, answer.status)}.", WAIT_S)

    def fetch_task_input(self, work: Work, target: Path) -> bool:
        """Return False: a frame has nothing of its own but its number."""
        del work, target
        return False

    def fetch_input(self, work: Work, name: str, target: Path) -> None:
        """Write the project's archive to `target`."""
        del name
        job, _, _ = _named(work.handle)
        asked = wire.ArchiveRequest(wire.ArchiveType.JOB, job)
        url = self._path(Endpoint.DOWNLOAD_ARCHIVE)
        try:
            with self._http.stream("GET", url, params=asked.to_pairs()) as answer, target.open("wb") as file:
                if answer.status_code != 200:
                    raise FarmUnreachable(f"The project of job {job} cannot be fetched: {answer.status_code}.")
                for piece in answer.iter_raw(CHUNK_BYTES):
                    file.write(piece)
                    if file.tell() > MOST_ARCHIVE_BYTES:
                        raise FarmUnreachable(f"The project of job {job} is larger than any may be.")
        except httpx.HTTPError as error:
            raise FarmUnreachable(f"The project of job {job} cannot be fetched: {error}") from error

    def heartbeat(self, work: Work, seconds_done: int) -> bool:
        """Tell that the render goes on; False when the farm wants the frame no more."""
        job, frame, extras = _named(work.handle)
        beat = wire.Heartbeat(job=job, frame=frame, extras=extras, rendertime_s=seconds_done)
        answer = self._send("GET", self._path(Endpoint.KEEPALIVE), params=beat.to_pairs())
        return _read(lambda: wire.KeepAliveAnswer.from_xml(answer)).status != wire.HeartbeatStatus.STOP

    def submit(self, work: Work, picture: Path, figures: Figures) -> Receipt:
        """Send a frame, once more in a new session where the old one has ended."""
        status = self._sent(work, picture, figures)
        if status == ValidationStatus.SESSION_DISABLED:
            self.open(Abilities(frozenset({KIND}), platform=platform.system().lower()))
            status = self._sent(work, picture, figures)
        if status == ValidationStatus.UPLOAD_FAILED:
            raise FarmUnreachable("The farm could not take the frame in.", WAIT_S)
        return Receipt.ACCEPTED if status == ValidationStatus.OK else Receipt.REFUSED

    def give_up(self, work: Work, reason: str, log: Path | None, *, failed: bool) -> None:
        """Report an error, with the log: of the renderer, or that the volunteer wants something else."""
        job, frame, extras = _named(work.handle)
        # not KILLED_BY_USER, by which a volunteer wants no more of the project
        kind = wire.ErrorType.RENDERER_CRASHED if failed else wire.ErrorType.RENDERER_KILLED
        report = wire.ErrorReport(type=kind, job=job, frame=frame, extras=extras)
        with ExitStack() as stack:
            body = stack.enter_context(log.open("rb")) if log is not None and log.exists() else reason.encode()
            self._send("POST", self._path(Endpoint.ERROR), params=report.to_pairs(),
                       files={wire.FILE_PART: ("log.txt", body)})

    def close(self) -> None:
        """Log out, if the farm can be reached, and close the connections."""
        with suppress(FarmUnreachable):  # what the session holds ends at its deadline
            if self._config.paths:
                self._send("GET", self._path(Endpoint.LOGOUT))
        self._config = wire.ConfigAnswer()
        self._http.close()

    def _requested(self, asked: wire.JobRequest) -> wire.JobAnswer:
        answer = self._send("POST", self._path(Endpoint.REQUEST_JOB), params=asked.to_pairs(), content=asked.to_body(),
                            headers={"Content-Type": "application/xml; charset=utf-8"})
        return _read(lambda: wire.JobAnswer.from_xml(answer))

    def _work(self, job: wire.Job) -> Work:
        """Return a job as a task; its script says all that an order's spec would, so it stands in the spec's place."""
        if not _FRAME.fullmatch(job.frame):
            raise FarmUnreachable(f"The farm wants {job.frame[:80]!r} rendered, which is no frame.", WAIT_S)
        if len(job.chunks) != 1 or not _SHA256.fullmatch(job.chunks[0].id):
            raise FarmUnreachable("The farm does not name its archives by SHA-256, as those of Sheepfold do.", WAIT_S)
        term_s = self._config.max_period_s or LONGEST_SILENCE_S
        handle = f"{job.id}/{job.frame}/{wire.read_extras(job.extras)[1]}"
        inputs = {PROJECT: job.chunks[0].id}
        return Work(handle, KIND, {"main": job.path}, int(job.frame), 0, term_s, inputs, script=job.script)

    def _sent(self, work: Work, picture: Path, figures: Figures) -> int:
        job, frame, extras = _named(work.handle)
        upload = wire.FrameUpload(job=job, frame=frame, extras=extras, rendertime_s=figures.render_time_s,
                                  memory_kib=figures.memory_kib, cores=figures.cores or None)
        name = wire.frame_filename(job, frame, picture.suffix.lstrip("."))
        with picture.open("rb") as file:
            answer = self._send("POST", self._path(Endpoint.VALIDATE_JOB), params=upload.to_pairs(),
                                files={wire.FILE_PART: (name, file)})
        return _read(lambda: wire.ValidationAnswer.from_xml(answer)).status

    def _path(self, endpoint: Endpoint) -> str:
        """Return the address of a request in our session; raises FarmUnreachable where there is none yet."""
        path = self._config.paths.get(endpoint)
        if path is None:
            raise FarmUnreachable("There is no session with the farm.")
        return self._url + path

    def _send(self, method: str, url: str, **parts: Any) -> bytes:  # noqa: ANN401 -- httpx's own parameters
        """Send a request and return its answer of HTTP 200; raises FarmUnreachable."""
        address = url if url.startswith("http") else self._url + url
        try:
            with self._http.stream(method, address, **parts) as answer:
                if answer.status_code != 200:
                    raise FarmUnreachable(f"The farm answers with {answer.status_code}.", WAIT_S)
                return whole_body(answer, MAX_DOCUMENT_BYTES)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise FarmUnreachable(f"The farm does not answer: {str(error) or type(error).__name__}.") from error


def _named(handle: str) -> tuple[int, str, str]:
    """Return the job and the frame that a handle names, and the extras that name its lease.

    They name no session, which may have ended; handles of older versions name no lease.
    """
    job, frame, *lease = handle.split("/")
    return int(job), frame, wire.write_extras("", int(lease[0])) if lease else ""


def _words(statuses: type[IntEnum], status: int) -> str:
    return statuses(status).name.lower().replace("_", " ") if status in set(statuses) else f"status {status}"


def _read(read: Callable[[], Answer]) -> Answer:
    try:
        return read()
    except MalformedMessage as error:
        raise FarmUnreachable(f"The farm's answer makes no sense: {error}", WAIT_S) from error
