"""The REST protocol's client: a worker's line to a farm, and a person's hands on it."""

import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from functools import partial
from hashlib import file_digest
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self, TypeVar

import httpx
from pydantic import ValidationError

from sheepfold.model.jobs import Terms
from sheepfold.model.machines import Wish
from sheepfold.model.matching import Abilities
from sheepfold.protocols.link import FarmPaused, FarmRefused, FarmUnreachable, Figures, Receipt, Work
from sheepfold.protocols.rest import wire
from sheepfold.protocols.rest.account_hands import AccountHands
from sheepfold.protocols.rest.appraisal_wire import AppraisalOut
from sheepfold.protocols.rest.browser_wire import Expiry
from sheepfold.protocols.rest.calls import (
    PATIENT,
    Calls,
    FarmProblem,
    Model,
    Sent,
    Unwelcome,
    query_of,
    read_answer,
)
from sheepfold.protocols.rest.change_wire import ChangesOut
from sheepfold.protocols.rest.farm_hands import FarmHands
from sheepfold.protocols.rest.machine_wire import WishOut
from sheepfold.protocols.rest.problem_wire import Problem
from sheepfold.protocols.rest.team_wire import TeamSeeing
from sheepfold.protocols.rest.watching import watch

CLAIM_WAIT_S = 10
"""Not longer, since a machine that is asked to stop is held for as long."""
LOG_BYTES = 2**20
MOST_INPUT_BYTES = 16 * 2**30
MOST_TASK_INPUT_BYTES = 256 * 2**20
"""What a worker fetches at most, whatever the farm sends: a stranger's server must not fill a volunteer's disk."""
# The server's stream says something at least each 15 seconds.
LARGE_BYTES = 8 * 2**20
"""Files from this size on are uploaded before they are ordered, in pieces of as much, so that a break costs little."""
STREAM_TIMEOUT = httpx.Timeout(60.0, connect=20.0)

OnSent = Callable[[int, int], None]
"""Takes how many bytes were sent, and how many there are."""
T = TypeVar("T")


def open_link(server_url: str, key: str, state_folder: Path, user_agent: str, account: str = "") -> "RestLink":
    """Make a machine's line to a farm; nothing is asked before `open`. A key names its account, so `account` is idle.

    `state_folder` stays empty: a session is a matter of one run, and leases outlive it.
    """
    del state_folder, account
    return RestLink(server_url, key, user_agent)


class RestLink:
    """One machine's line to one farm; fulfils `Link`.

    A session that the farm has forgotten is opened anew, once, before the farm counts as refusing. `claim_wait_s` is
    how long the farm may hold a request for work.
    """

    def __init__(self, server_url: str, key: str, user_agent: str, claim_wait_s: int = CLAIM_WAIT_S,
                 pause: Callable[[float], None] = time.sleep) -> None:
        self._calls = Calls(server_url, user_agent, pause)
        self._key = key
        self._claim_wait_s = min(claim_wait_s, wire.MOST_WAIT_S)
        self._abilities: wire.Abilities | None = None
        self._unanswered = ""
        """The name of the last request for a task, where no answer came."""

    def open(self, abilities: Abilities) -> None:
        """Open a session; raises FarmRefused for a wrong key."""
        self._abilities = wire.Abilities.of(abilities)
        self._open_session()

    def claim(self, abilities: Abilities, *, may_wait: bool = True) -> Work | None:
        """Ask for a task, waiting a while for one where that is allowed; once more, where the last answer was lost."""
        told = wire.Abilities.of(abilities)
        other = None if told == self._abilities else told
        again, self._unanswered = bool(self._unanswered), self._unanswered or uuid.uuid4().hex[:16]
        asked = wire.LeaseAsked(abilities=other, wait_s=self._claim_wait_s if may_wait else 0, name=self._unanswered,
                                again=again)
        granted = self._in_session(lambda: self._claimed(asked))
        self._unanswered = ""
        if granted is None:
            return None
        return Work(str(granted.lease), granted.kind, granted.spec, granted.frame, granted.part, granted.term_s,
                    dict(granted.inputs))

    def wish(self) -> Wish:
        """Ask what the machine's owner wishes of it; a farm that knows no wishes wishes that it works."""
        if self._abilities is None:
            return Wish()
        try:
            told = self._in_session(lambda: self._calls.ask("GET", "/sessions/current", WishOut))
        except FarmProblem as error:
            raise FarmUnreachable(f"The farm tells no wishes: {error}") from error
        return Wish(told.command, told.rules.to_model())

    def fetch_task_input(self, work: Work, target: Path) -> bool:
        """Write the task's own input to `target`; False where it has none."""
        try:
            self._in_session(lambda: self._calls.download(f"/leases/{work.handle}/input", target,
                                                             MOST_TASK_INPUT_BYTES))
        except FarmProblem as error:
            if error.is_about("unknown-blob"):
                return False
            raise FarmUnreachable(f"The task's input cannot be fetched: {error}") from error
        return True

    def fetch_input(self, work: Work, name: str, target: Path) -> None:
        """Write one of the job's inputs to `target`; raises FarmUnreachable also where the lease is gone."""
        try:
            path = f"/leases/{work.handle}/inputs/{name}"
            self._in_session(lambda: self._calls.download(path, target, MOST_INPUT_BYTES))
        except FarmProblem as error:
            raise FarmUnreachable(f"The input {name!r} cannot be fetched: {error}") from error

    def heartbeat(self, work: Work, seconds_done: int) -> bool:
        """Tell that the render goes on; False when the farm wants the task no more."""
        told = wire.Heartbeat(seconds_done=max(0, seconds_done)).model_dump()
        try:
            path = f"/leases/{work.handle}/heartbeat"
            self._in_session(lambda: self._calls.ask("POST", path, wire.Deadline, Sent(json=told)))
        except FarmProblem as error:
            if error.status in {404, 409}:
                return False
            raise FarmUnreachable(f"The farm cannot read our heartbeat: {error}") from error
        return True

    def submit(self, work: Work, picture: Path, figures: Figures) -> Receipt:
        """Send a result, up to three times; the farm knows the same picture again."""
        try:
            return self._calls.again(lambda: self._in_session(lambda: self._sent(work, picture, figures)))
        except FarmProblem as error:
            if error.status in {404, 409}:
                return Receipt.UNWANTED
            return Receipt.REFUSED

    def give_up(self, work: Work, reason: str, log: Path | None, *, failed: bool) -> None:
        """Give a lease back, with the end of the log; nothing happens where the farm knows of no such lease."""
        query = query_of({"reason": _one_line(reason), "failed": failed})
        body = b"" if log is None else _end_of(log)
        try:
            path = f"/leases/{work.handle}"
            self._in_session(lambda: self._calls.tell("DELETE", path, Sent(params=query, content=body)))
        except FarmProblem as error:
            if error.status not in {404, 409}:
                raise FarmUnreachable(f"The lease cannot be given back: {error}") from error

    def close(self) -> None:
        """End the session, if the farm can be reached, and close the connections."""
        try:
            if self._calls.token:
                self._calls.tell("DELETE", "/sessions/current")
        except (FarmUnreachable, FarmRefused, FarmProblem):
            pass  # what the session holds ends at its deadline
        finally:
            self._calls.token = ""
            self._calls.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _claimed(self, asked: wire.LeaseAsked) -> wire.LeaseGranted | None:
        body = asked.model_dump(mode="json", exclude_defaults=True)
        try:
            with self._calls.stream("POST", "/leases", Sent(json=body)) as response:
                return None if response.status_code == 204 else read_answer(response, wire.LeaseGranted)
        except FarmProblem as error:
            raise FarmUnreachable(f"The farm cannot read our request for work: {error}") from error
        except Unwelcome as error:
            if error.problem.type.endswith("#machine-suspended"):
                raise FarmPaused(str(error)) from error
            raise

    def _sent(self, work: Work, picture: Path, figures: Figures) -> Receipt:
        told = query_of({"render_time_s": figures.render_time_s, "memory_kib": figures.memory_kib,
                             "cores": figures.cores})
        with picture.open("rb") as body:
            headers = {"X-Sha256": file_digest(body, "sha256").hexdigest(), "Content-Type": "application/octet-stream",
                       "Content-Length": str(body.tell())}
            body.seek(0)
            try:
                self._calls.ask("PUT", f"/leases/{work.handle}/result", wire.ResultReceipt,
                                Sent(content=body, params=told, headers=headers, timeout=PATIENT))
            except FarmProblem as error:
                if error.is_about("incomplete-upload"):
                    raise FarmUnreachable(str(error)) from error
                raise
        return Receipt.ACCEPTED

    def _open_session(self) -> None:
        assert self._abilities is not None
        asked = wire.SessionAsked(abilities=self._abilities).model_dump(mode="json", exclude_defaults=True)
        introduced = Sent(json=asked, token=self._key)  # other threads may be using the old token meanwhile
        try:
            self._calls.token = self._calls.ask("POST", "/sessions", wire.SessionOpened, introduced).session
        except FarmProblem as error:
            raise FarmUnreachable(f"The farm cannot read who we are: {error}") from error

    def _in_session(self, deed: Callable[[], T]) -> T:
        """Do a thing, with a new session where the old one has ended; Unwelcome is a FarmRefused."""
        try:
            return deed()
        except Unwelcome as error:
            if error.problem.status != 401 or self._abilities is None:
                raise
            self._open_session()
            return deed()


class FarmClient(AccountHands, FarmHands):
    """What a person does with a farm: order, watch, fetch. The key must have the scope `order` to order and cancel.

    Every call raises FarmUnreachable, FarmRefused for a key that may not, and FarmProblem with the farm's sentence.
    """

    def order(self, kind: str, spec: Mapping[str, Any],  # noqa: PLR0913 -- the last two are given by name
              inputs: Mapping[str, Path] | None = None, title: str = "",
              terms: Terms | None = None, *, private: bool = False, on_sent: OnSent | None = None) -> wire.JobOrdered:
        """Order a job with its files, which are streamed; tried again where the answer got lost, and one job still.

        `on_sent` is told how many bytes of the files' arrived, and how many there are.
        """
        asked = _checked_order(kind, spec, terms, {"title": title, "private": private})
        whole, small = self._with_uploads(asked, inputs or {}, on_sent)
        name = {"Idempotency-Key": uuid.uuid4().hex}
        return self._calls.again(lambda: self._ordered("/jobs", wire.JobOrdered, whole, small, name))

    def appraise(self, kind: str, spec: Mapping[str, Any], inputs: Mapping[str, Path] | None = None,
                 terms: Terms | None = None) -> AppraisalOut:
        """Ask what an order would be and cost; nothing is ordered."""
        whole, small = self._with_uploads(_checked_order(kind, spec, terms, {}), inputs or {}, None)
        return self._calls.again(lambda: self._ordered("/appraisals", AppraisalOut, whole, small, {}))

    def sketch(self, kind: str, inputs: Mapping[str, Path], target: Path) -> None:
        """Have the files of an order rendered small and quickly, and write the PNG to `target`."""
        with ExitStack() as open_files:
            sent = Sent(files=_parts(open_files, _checked_order(kind, {}, None, {}), inputs), timeout=PATIENT)
            with self._calls.stream("POST", "/sketches", sent) as response:
                target.write_bytes(response.read())

    def _with_uploads(self, order: wire.JobOrder, inputs: Mapping[str, Path], on_sent: OnSent | None
                      ) -> tuple[wire.JobOrder, Mapping[str, Path]]:
        """Return an order whose large files have been uploaded, and the small ones, which go with it."""
        sizes = {name: path.stat().st_size for name, path in inputs.items()}
        large = [name for name, size_bytes in sizes.items() if size_bytes >= LARGE_BYTES]
        total_bytes, uploads, done_bytes = sum(sizes[name] for name in large), {}, 0
        for name in large:
            uploads[name] = self.upload(inputs[name], _shifted(on_sent, done_bytes, total_bytes))
            done_bytes += sizes[name]
        small = {name: path for name, path in inputs.items() if name not in uploads}
        return order.model_copy(update={"uploads": uploads}), small

    def upload(self, path: Path, on_sent: OnSent | None = None) -> str:
        """Send a file piece by piece and return its upload's id; what the farm has of it already is not sent again."""
        size_bytes = path.stat().st_size
        asked = wire.UploadAsked(size_bytes=size_bytes, sha256=_sha256(path)).model_dump()
        upload = self._calls.again(lambda: self._calls.ask("POST", "/uploads", wire.UploadOut, Sent(json=asked)))
        with path.open("rb") as file:
            while upload.offset_bytes < size_bytes:
                if on_sent is not None:
                    on_sent(upload.offset_bytes, size_bytes)
                upload = self._calls.again(partial(self._sent_piece, upload.upload, file))
        if on_sent is not None:
            on_sent(size_bytes, size_bytes)
        return upload.upload

    def drop_upload(self, upload_id: str) -> None:
        """Remove an upload, before the farm does so a day after its last byte."""
        self._calls.tell("DELETE", f"/uploads/{upload_id}")

    def _sent_piece(self, upload_id: str, file: BinaryIO) -> wire.UploadOut:
        """Ask where an upload goes on and send one piece from there."""
        before = self._calls.ask("GET", f"/uploads/{upload_id}", wire.UploadOut)
        file.seek(before.offset_bytes)
        piece = file.read(LARGE_BYTES)
        headers = {"Upload-Offset": str(before.offset_bytes), "Content-Type": "application/octet-stream"}
        try:
            self._calls.tell("PATCH", f"/uploads/{upload_id}", Sent(content=piece, headers=headers, timeout=PATIENT))
        except FarmProblem as error:
            if error.status == 409:  # the farm has not noticed yet that an earlier piece broke off
                raise FarmUnreachable(str(error)) from error
            raise
        return before.model_copy(update={"offset_bytes": before.offset_bytes + len(piece)})

    def replace_input(self, job_id: int, name: str, path: Path) -> wire.JobOrdered:
        """Replace an input of a running job; see the farm's `replace_input`."""
        target = f"/jobs/{job_id}/inputs/{name}"
        if path.stat().st_size >= LARGE_BYTES:
            query = {"upload": self.upload(path)}
            return self._calls.again(lambda: self._calls.ask("PUT", target, wire.JobOrdered,
                                                             Sent(params=query, timeout=PATIENT)))
        headers = {"Content-Type": "application/octet-stream"}
        return self._calls.again(lambda: self._calls.ask(
            "PUT", target, wire.JobOrdered, Sent(content=path.read_bytes(), headers=headers, timeout=PATIENT)))

    def download_frames(self, job_id: int, target: Path) -> None:
        """Fetch all frames that a job has so far as one zip."""
        self._calls.download(f"/jobs/{job_id}/frames.zip", target)

    def _ordered(self, path: str, answer: type[Model], order: wire.JobOrder, inputs: Mapping[str, Path],
                 headers: Mapping[str, str]) -> Model:
        with ExitStack() as open_files:
            sent = Sent(files=_parts(open_files, order, inputs), timeout=PATIENT, headers=headers)
            return self._calls.ask("POST", path, answer, sent)

    def jobs(self, limit: int = 50, before: int | None = None, *, mine: bool = False) -> wire.JobPage:
        """Return a page of all jobs, or of your own, the newest first."""
        return self._read("/jobs", wire.JobPage, query_of({"limit": limit, "before": before, "mine": mine or None}))

    def job(self, job_id: int) -> wire.JobDetail:
        """Return a job whole."""
        return self._read(f"/jobs/{job_id}", wire.JobDetail)

    def tasks(self, job_id: int, limit: int = 200, after: str = "") -> wire.TaskPage:
        """Return a page of a job's tasks, in the order of their frames."""
        return self._read(f"/jobs/{job_id}/tasks", wire.TaskPage, query_of({"limit": limit, "after": after or None}))

    def wait(self, job_id: int, on_change: Callable[[wire.JobDetail], None] | None = None,
             timeout_s: float | None = None) -> wire.JobDetail:
        """Wait until a job has ended and the house has made what it makes of it; see `watching.watch`."""
        return watch(lambda: self.job(job_id), on_change, timeout_s, self._pause)

    def cancel(self, job_id: int) -> wire.JobSummary:
        """Cancel a job."""
        return self._calls.ask("DELETE", f"/jobs/{job_id}", wire.JobSummary)

    def change(self, job_id: int, *, priority: int | None = None, private: bool | None = None,
               kept: bool | None = None) -> wire.JobSummary:
        """Change a running job's priority, hide a job from others and show it again, or keep it for ever."""
        body = wire.JobChange(priority=priority, private=private, kept=kept).model_dump(exclude_none=True)
        return self._calls.ask("PATCH", f"/jobs/{job_id}", wire.JobSummary, Sent(json=body))

    def extend(self, job_id: int, frames: str) -> wire.JobSummary:
        """Add frames, such as `251-300`, to a job."""
        return self._calls.ask("POST", f"/jobs/{job_id}/frames", wire.JobSummary,
                               Sent(json={"frames": frames}, timeout=PATIENT))

    def prolong(self, job_id: int) -> int | None:
        """Prolong an order of screenshots; returns until when it is worth making, None for ever."""
        return self._calls.ask("POST", f"/jobs/{job_id}/expiry", Expiry).expires_at

    def render_again(self, job_id: int, frame: int, part: int | None = None) -> wire.JobSummary:
        """Have a frame that is done or has failed rendered once more."""
        body = wire.FrameAgain(frame=frame, part=part).model_dump(exclude_none=True)
        return self._calls.ask("POST", f"/jobs/{job_id}/again", wire.JobSummary, Sent(json=body))

    def remake(self, job_id: int) -> int:
        """Have a job's film and previews made after all that the farm gave up; returns how many."""
        return self._calls.ask("POST", f"/jobs/{job_id}/remake", wire.Remade).chores

    def share(self, job_id: int) -> str:
        """Make a link by which whoever has it sees a job."""
        return self._calls.ask("POST", f"/jobs/{job_id}/shares", wire.ShareMade).link

    def unshare(self, job_id: int) -> int:
        """Revoke all links to a job; returns how many."""
        return self._calls.ask("DELETE", f"/jobs/{job_id}/shares", wire.SharesRevoked).revoked

    def show_to_team(self, job_id: int, *, is_shown: bool) -> str:
        """Show a private job to the team of its account, or no more; returns the team's name, empty for none."""
        method = "PUT" if is_shown else "DELETE"
        return self._calls.ask(method, f"/jobs/{job_id}/team", TeamSeeing).team or ""

    def changes(self, job_id: int) -> ChangesOut:
        """See how a job's pictures differ from the accepted ones."""
        return self._calls.ask("GET", f"/jobs/{job_id}/changes", ChangesOut)

    def report_problem(self, task_id: int, text: str) -> None:
        """Say what is wrong with a task's picture."""
        self._calls.tell("POST", f"/tasks/{task_id}/problems", Sent(json={"text": text}))

    def accept(self, job_id: int) -> ChangesOut:
        """Accept a job's pictures."""
        return self._calls.ask("POST", f"/jobs/{job_id}/accept", ChangesOut)

    def download(self, job_id: int, folder: Path) -> list[Path]:
        """Fetch everything that a job was made into; files that are there already, whole, are not fetched again."""
        folder.mkdir(parents=True, exist_ok=True)
        return [self._fetched(job_id, product, folder) for product in self.job(job_id).products]

    def download_picture(self, task_id: int, target: Path) -> str:
        """Fetch the valid picture of a task; returns its SHA-256."""
        return self._calls.download(f"/tasks/{task_id}/picture", target)

    def download_preview(self, task_id: int, target: Path) -> str:
        """Fetch the small JPEG of a task's picture; returns its SHA-256."""
        return self._calls.download(f"/tasks/{task_id}/preview", target)

    def story(self, task_id: int) -> wire.StoryOut:
        """Return all that happened to a task."""
        return self._read(f"/tasks/{task_id}/story", wire.StoryOut)

    def whoami(self) -> wire.Whoami:
        """Return whom the key belongs to."""
        return self._read("/whoami", wire.Whoami)

    def events(self, after: int | None = None, job_id: int | None = None) -> Iterator[wire.EventOut]:
        """Yield events as they happen, as long as the key may hear them; raises FarmUnreachable where the line breaks.

        To go on after that, ask for what came `after` the id of the last event.
        """
        sent = Sent(params=query_of({"after": after, "job": job_id}), timeout=STREAM_TIMEOUT)
        with self._calls.stream("GET", "/events", sent) as response:
            yield from wire.decode_events(response.iter_lines())

    def _fetched(self, job_id: int, product: wire.Product, folder: Path) -> Path:
        if not wire.is_file_name(product.name):
            raise FarmUnreachable(f"The farm names a file {product.name!r}, which cannot be one.")
        target = folder / product.name
        if target.is_file() and target.stat().st_size == product.size_bytes and _sha256(target) == product.digest:
            return target
        self._calls.download(f"/jobs/{job_id}/products/{product.name}", target)
        return target


def _shifted(on_sent: OnSent | None, before_bytes: int, total_bytes: int) -> OnSent | None:
    """Return how one of several files tells how much of all of them is sent."""
    return None if on_sent is None else lambda sent_bytes, _: on_sent(before_bytes + sent_bytes, total_bytes)


def _parts(open_files: ExitStack, order: wire.JobOrder, inputs: Mapping[str, Path]
           ) -> list[tuple[str, tuple[str, bytes | BinaryIO, str]]]:
    """Return the parts of an order's form, whose files are open as long as the stack is."""
    parts: list[tuple[str, tuple[str, bytes | BinaryIO, str]]] = [
        ("order", ("order.json", order.model_dump_json().encode(), "application/json"))
    ]
    for name, path in inputs.items():
        parts.append((name, (path.name, open_files.enter_context(path.open("rb")), "application/octet-stream")))
    return parts


def _checked_order(kind: str, spec: Mapping[str, Any], terms: Terms | None, more: Mapping[str, Any]) -> wire.JobOrder:
    """Check an order before it travels; raises FarmProblem as the farm would."""
    agreed = terms or Terms()
    fields = {"kind": kind, "spec": dict(spec), "priority": agreed.priority, "quorum": agreed.quorum,
              "max_attempts": agreed.max_attempts, **more}
    try:
        return wire.JobOrder.model_validate(fields)
    except ValidationError as error:
        said = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
        raise FarmProblem(Problem(title="The order cannot be understood", status=422, detail=said)) from error


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def _one_line(reason: str) -> str:
    """Cut a reason to what the wire takes: one line of printable text."""
    return "".join(c if c.isprintable() else " " for c in reason)[: wire.LONGEST_REASON]


def _end_of(log: Path) -> bytes:
    """Return the end of a log, as much as a farm keeps."""
    with log.open("rb") as file:
        file.seek(0, 2)
        file.seek(max(0, file.tell() - LOG_BYTES))
        return file.read(LOG_BYTES)
