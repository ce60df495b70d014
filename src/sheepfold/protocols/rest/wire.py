"""The REST wire as types: what machines and the people who order exchange with the farm.

Times are Unix seconds in fields called `…_at`, durations seconds in `…_s`. What a client sends is refused where it has
a field that nobody knows; what a server sends may gain fields, which an older client passes over.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, ClassVar, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from sheepfold.model import matching
from sheepfold.model.accounts import Role
from sheepfold.model.events import Event, What
from sheepfold.model.flock import Sheep
from sheepfold.model.jobs import Job, JobState, Terms
from sheepfold.model.tasks import LeaseState, Result, Soundness, TaskState, Verdict

PROTOCOL = "rest"
BASE = "/api/v1"
EVENTS_MEDIA_TYPE = "text/event-stream"

MOST_ID = 2**63 - 1
"""What a database's integer holds; a greater id names nothing."""
MOST_WAIT_S = 30
LONGEST_REASON = 500
MOST_INPUTS = 16

INPUT_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,79}$"
_LINE = r"^[^\x00-\x1f\x7f]*$"  # PostgreSQL's text holds no NUL, and a log no second line

Id = Annotated[int, Field(ge=0, le=MOST_ID)]
Count = Annotated[int, Field(ge=0, le=MOST_ID)]
Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
FileName = Annotated[str, StringConstraints(pattern=INPUT_NAME)]
UploadId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
Word = Annotated[str, StringConstraints(min_length=1, max_length=60, pattern=_LINE)]
Version = Annotated[str, StringConstraints(max_length=60, pattern=_LINE)]
Title = Annotated[str, StringConstraints(max_length=120, pattern=_LINE)]
Reason = Annotated[str, StringConstraints(max_length=LONGEST_REASON, pattern=_LINE)]
Pixels = Annotated[int, Field(ge=1, le=1_000_000)]


class Asked(BaseModel):
    """What a client sends."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Told(BaseModel):
    """What a server answers."""

    model_config = ConfigDict(extra="ignore", frozen=True)


Answer = TypeVar("Answer", bound=Told)


class Program(Asked):
    """A renderer or a browser, and its version where that is known."""

    name: Word
    version: Version = ""


class Abilities(Asked):
    """What a machine can do: empty `sizes` and `depths` mean all; memory is in MiB, sizes in pixels."""

    kinds: Annotated[list[Word], Field(min_length=1, max_length=16)]
    renderers: Annotated[list[Program], Field(max_length=64)] = []
    browsers: Annotated[list[Program], Field(max_length=64)] = []
    platform: Version = ""
    sizes: Annotated[list[tuple[Pixels, Pixels]], Field(max_length=256)] = []
    depths: Annotated[list[Annotated[int, Field(ge=1, le=128)]], Field(max_length=16)] = []
    memory_mib: Annotated[int, Field(ge=0, le=2**40)] = 0
    cpu: bool = True
    gpu: bool = False

    @classmethod
    def of(cls, abilities: matching.Abilities) -> Self:
        """Write a machine's abilities for the wire; which protocol it speaks goes without saying."""
        return cls(
            kinds=sorted(abilities.kinds),
            renderers=[Program(name=one.name, version=one.version) for one in sorted(abilities.renderers)],
            browsers=[Program(name=one.name, version=one.version) for one in sorted(abilities.browsers)],
            platform=abilities.platform,
            sizes=sorted(abilities.sizes),
            depths=sorted(abilities.depths),
            memory_mib=abilities.memory_mib,
            cpu=abilities.cpu,
            gpu=abilities.gpu,
        )

    def to_model(self) -> matching.Abilities:
        """Return them as the matcher reads them."""
        return matching.Abilities(
            kinds=frozenset(self.kinds),
            renderers=frozenset(matching.Program(one.name, one.version) for one in self.renderers),
            browsers=frozenset(matching.Program(one.name, one.version) for one in self.browsers),
            platform=self.platform,
            protocol=PROTOCOL,
            sizes=frozenset(self.sizes),
            depths=frozenset(self.depths),
            memory_mib=self.memory_mib,
            cpu=self.cpu,
            gpu=self.gpu,
        )


class SessionAsked(Asked):
    """A machine introduces itself."""

    abilities: Abilities


class SessionOpened(Told):
    """A session's token, shown once; what a lease lasts without a heartbeat, and how long an idle machine may wait."""

    session: str
    machine: str
    account: str
    lease_term_s: int
    claim_wait_limit_s: int
    retry_s: int


class LeaseAsked(Asked):
    """A request for work: with other abilities than the session's, and held for a while where there is none.

    `name` is the request's own, for the client to choose. Sent once more under it with `again`, as no answer came, it
    is answered with the lease that it was granted, where that is still held.
    """

    abilities: Abilities | None = None
    wait_s: Annotated[int, Field(ge=0, le=MOST_WAIT_S)] = 0
    name: Annotated[str, StringConstraints(pattern=r"^[!-~]{0,64}$")] = ""
    again: bool = False


class LeaseGranted(Told):
    """A task to render. `inputs` maps the names of the job's files to their digests; `has_input` tells of its own."""

    lease: Id
    task: Id
    job: Id
    title: str
    kind: str
    spec: dict[str, Any]
    frame: int
    part: int
    deadline_at: int
    term_s: int
    inputs: dict[str, Digest]
    has_input: bool


class Heartbeat(Asked):
    """A sign of life: for how many seconds the machine has been rendering."""

    seconds_done: Annotated[int, Field(ge=0, le=10**9)] = 0


class Deadline(Told):
    """When a lease ends without another heartbeat."""

    deadline_at: int
    term_s: int


class Figures(Asked):
    """What a client says of a render: seconds of wall time, KiB of memory, processor cores used."""

    render_time_s: Annotated[int, Field(ge=0, le=10**9)] = 0
    memory_kib: Annotated[int, Field(ge=0, le=2**50)] = 0
    cores: Annotated[int, Field(ge=0, le=100_000)] = 0


class ResultReceipt(Told):
    """What became of a result: pending until enough others agree."""

    result: Id
    digest: Digest
    verdict: Verdict
    soundness: Soundness
    reason: str = ""
    task_state: TaskState


class UploadAsked(Asked):
    """A file is announced by its exact size and its SHA-256."""

    size_bytes: Annotated[int, Field(ge=1, le=MOST_ID)]
    sha256: Digest


class UploadOut(Told):
    """A file on its way: `offset_bytes` of its bytes are here, and the next ones go there."""

    upload: str
    size_bytes: Count
    sha256: Digest
    offset_bytes: Count


class JobOrder(Asked):
    """An order: what kind of job, its spec in that kind's words, and on what terms.

    `uploads` names, by the input that they are, files that were uploaded before. A `private` job is seen by its
    account, the owner, and who holds a link to it.
    """

    kind: Word
    spec: dict[str, Any] = {}
    title: Title = ""
    priority: Annotated[int, Field(ge=-100, le=100)] = 0
    quorum: Annotated[int, Field(ge=1, le=5)] = 1
    max_attempts: Annotated[int, Field(ge=1, le=50)] = 5
    uploads: Annotated[dict[FileName, UploadId], Field(max_length=MOST_INPUTS)] = {}
    private: bool = False

    def terms(self) -> Terms:
        """Return the terms of the order."""
        return Terms(self.priority, self.quorum, self.max_attempts)


class JobChange(Asked):
    """What to change of a job; what is absent stays."""

    priority: Annotated[int, Field(ge=-100, le=100)] | None = None
    private: bool | None = None
    kept: bool | None = None


class MoreFrames(Asked):
    """Frames that a job gets besides, written as its kind's orders write them, such as `251-300`."""

    frames: Annotated[str, StringConstraints(min_length=1, max_length=10_000, pattern=_LINE)]


class FrameAgain(Asked):
    """A frame to be rendered once more: all its parts where none is named."""

    frame: Annotated[int, Field(ge=0, le=2**31 - 1)]
    part: Annotated[int, Field(ge=0, le=2**31 - 1)] | None = None


class Remade(Told):
    """How much of a job that was given up is tried once more: its film and previews."""

    chores: Count


class ShareMade(Told):
    """A link to a job, and its token, which goes into the header `X-Share`; both are shown once."""

    token: str
    link: str


class SharesRevoked(Told):
    """How many links show nothing any more."""

    revoked: Count


class JobSummary(Told):
    """A job in a list, with its counts of tasks.

    `kept`: for ever. Since `cleared_at` its pictures and inputs are gone, since `emptied_at` its films and previews.
    """

    id: Id
    kind: str
    title: str
    state: JobState
    priority: int
    quorum: int
    max_attempts: int
    created_at: int
    ended_at: int | None = None
    tasks_total: Count
    tasks_done: Count
    tasks_failed: Count
    private: bool = False
    kept: bool = False
    cleared_at: int | None = None
    emptied_at: int | None = None

    @classmethod
    def of(cls, job: Job) -> Self:
        """Write a job for the wire."""
        return cls(**_summary(job))


class JobOrdered(JobSummary):
    """The job that an order became; `remarks` are sentences on its files that the artist should know."""

    revision: Count = 0
    remarks: list[str] = []

    @classmethod
    def with_remarks(cls, job: Job, remarks: Iterable[str]) -> Self:
        """Write a job that was ordered, or whose input was replaced."""
        return cls(**_summary(job), revision=job.revision, remarks=list(remarks))


class JobPage(Told):
    """The newest jobs; `next` is the `before` of the following page, absent on the last."""

    turn: ClassVar[str] = "before"
    jobs: list[JobSummary]
    next: Id | None = None

    @property
    def rows(self) -> list[JobSummary]:
        """Return the jobs."""
        return self.jobs


class TaskSummary(Told):
    """A task of a job; `openings` is how many more leases it can grant."""

    id: Id
    frame: int
    part: int
    state: TaskState
    openings: Count
    active_leases: Count
    has_preview: bool


class TaskPage(Told):
    """A job's tasks in the order of frames; `next` is the `after` of the following page, absent on the last."""

    turn: ClassVar[str] = "after"
    tasks: list[TaskSummary]
    next: str | None = None

    @property
    def rows(self) -> list[TaskSummary]:
        """Return the tasks."""
        return self.tasks


class Product(Told):
    """Something that a finished job was made into, with its exact size and digest."""

    name: str
    digest: Digest
    media_type: str
    size_bytes: Count
    made_at: int


class SheepOut(Told):
    """A sheep; a loop has first = last = its own number. Film fields are absent while it has none."""

    generation: int
    number: int
    job: Id
    first: int
    last: int
    rating: int
    film_size_bytes: Count | None = None
    film_digest: Digest | None = None
    film_made_at: int | None = None

    @classmethod
    def of(cls, sheep: Sheep) -> Self:
        """Write a sheep without its film."""
        return cls(generation=sheep.id.generation, number=sheep.id.number, job=sheep.job_id, first=sheep.first,
                   last=sheep.last, rating=sheep.rating)


class FlockOut(Told):
    """The living generation: its sheep that have a film, and the size in pixels that films have.

    `next` is the `after` of the following page, absent on the last.
    """

    turn: ClassVar[str] = "after"
    generation: int
    width: int
    height: int
    sheep: list[SheepOut]
    next: int | None = None

    @property
    def rows(self) -> list[SheepOut]:
        """Return the sheep."""
        return self.sheep


class VoteCast(Asked):
    """A vote for (1) or against (-1) a sheep, of the living generation where none is named."""

    value: Literal[-1, 1]
    generation: Annotated[int, Field(ge=0, le=2**31 - 1)] | None = None


class JobDetail(JobSummary):
    """A job whole. `chores_waiting` counts what the house has yet to make of it: previews, films.

    `revision` counts how often an input was replaced, `remarks` are sentences on the inputs as they are now.
    """

    account: str
    spec: dict[str, Any]
    inputs: dict[str, Digest]
    tasks: list[TaskSummary]
    products: list[Product]
    sheep: SheepOut | None = None
    chores_waiting: Count
    revision: Count = 0
    remarks: list[str] = []

    @classmethod
    def whole(cls, job: Job, more: Mapping[str, Any]) -> Self:
        """Write a job whole: `more` holds the fields that a job does not hold itself."""
        return cls(**_summary(job), spec=dict(job.spec), inputs=dict(job.inputs), revision=job.revision, **more)

    @property
    def is_finished(self) -> bool:
        """Say whether nothing more will come of the job: it has ended, and the house is done with it."""
        return self.state is not JobState.RUNNING and not self.chores_waiting


class EventOut(Told):
    """Something that happened."""

    id: Id
    at: int
    what: What
    job: Id
    task: Id | None = None
    detail: dict[str, Any] = {}

    @classmethod
    def of(cls, event: Event) -> Self:
        """Write an event for the wire."""
        return cls(id=event.id, at=event.at, what=event.what, job=event.job_id, task=event.task_id,
                   detail=dict(event.detail))


class LeaseOut(Told):
    """A lease in a story: whose it was, over which protocol, and what its client told."""

    id: Id
    machine: str
    account: str
    protocol: str
    state: LeaseState
    granted_at: int
    deadline_at: int
    ended_at: int | None = None
    reason: str = ""
    figures: dict[str, Any] = {}
    log: Digest | None = None


class ResultOut(Told):
    """A result in a story; `like` names the first result that shows the same picture."""

    id: Id
    lease: Id
    digest: Digest
    submitted_at: int
    verdict: Verdict
    soundness: Soundness
    reason: str = ""
    like: Id | None = None
    media_type: str = ""
    width: Count = 0
    height: Count = 0

    @classmethod
    def of(cls, result: Result) -> Self:
        """Write a result for the wire."""
        return cls(id=result.id, lease=result.lease_id, digest=result.digest, submitted_at=result.submitted_at,
                   verdict=result.verdict, soundness=result.soundness, reason=result.reason, like=result.like,
                   media_type=result.media_type, width=result.width, height=result.height)


class StoryOut(Told):
    """All that happened to a task."""

    task: Id
    job: Id
    kind: str
    title: str
    frame: int
    part: int
    state: TaskState
    events: list[EventOut]
    leases: list[LeaseOut]
    results: list[ResultOut]


class MachineOut(Told):
    """A computer that renders, and how many reference cores it is worth; null while too little is known.

    Whose it is, since when it is paused, and how many keys open the farm to it, is told to its account and the owner.
    """

    id: Id
    name: str
    last_seen_at: int
    power: float | None = None
    account: str | None = None
    suspended_at: int | None = None
    keys: Count | None = None


class MachineList(Told):
    """Machines, those heard of last first; `next` is the `after` of the following page, absent on the last."""

    turn: ClassVar[str] = "after"
    machines: list[MachineOut]
    next: str | None = None

    @property
    def rows(self) -> list[MachineOut]:
        """Return the machines."""
        return self.machines


class Whoami(Told):
    """Whom the key or session of this request belongs to, and the thousandths of points that they earned and spent."""

    account: str
    role: Role
    machine: str
    may_order: bool
    is_suspended: bool
    earned: int = 0
    spent: int = 0


def is_file_name(name: str) -> bool:
    """Say whether a name of an input or a product may be a file's: no folders, no leading dot."""
    return re.fullmatch(INPUT_NAME, name, re.ASCII) is not None


def encode_event(event: EventOut) -> bytes:
    """Write an event as a server-sent one: its id is what `Last-Event-ID` brings back."""
    return f"id: {event.id}\ndata: {event.model_dump_json()}\n\n".encode()


def decode_events(lines: Iterable[str]) -> Iterator[EventOut]:
    """Read the events of a stream from its lines; comments, which keep the line alive, are passed over."""
    for line in lines:
        if line.startswith("data:"):
            yield EventOut.model_validate_json(line.removeprefix("data:"))


def _summary(job: Job) -> dict[str, Any]:
    """Return the fields of a JobSummary."""
    return {
        "id": job.id, "kind": job.kind, "title": job.title, "state": job.state,
        "priority": job.terms.priority, "quorum": job.terms.quorum, "max_attempts": job.terms.max_attempts,
        "created_at": job.created_at, "ended_at": job.ended_at,
        "cleared_at": job.cleared_at, "emptied_at": job.emptied_at,
        "tasks_total": job.progress.total, "tasks_done": job.progress.done, "tasks_failed": job.progress.failed,
        "private": job.private_at is not None, "kept": job.kept_at is not None,
    }
