"""Tasks, leases, results and verdicts: the nouns that the lifecycle moves."""

from dataclasses import dataclass
from enum import StrEnum
from typing import NewType

from sheepfold.model.accounts import AccountId
from sheepfold.model.jobs import JobId
from sheepfold.model.machines import MachineId

TaskId = NewType("TaskId", int)
LeaseId = NewType("LeaseId", int)
ResultId = NewType("ResultId", int)


class LeaseState(StrEnum):
    """Where a lease is: it may still be submitted after it expired, but not after it was withdrawn."""

    ACTIVE = "active"
    SUBMITTED = "submitted"
    FAILED = "failed"
    EXPIRED = "expired"
    RELEASED = "released"
    WITHDRAWN = "withdrawn"


class TaskState(StrEnum):
    """Where a task is; "leased" is no state, since several machines may hold a task at once."""

    OPEN = "open"
    DONE = "done"
    FAILED = "failed"
    CANCELED = "canceled"


class Verdict(StrEnum):
    """What the farm thinks of a result."""

    PENDING = "pending"
    VALID = "valid"
    INVALID = "invalid"


class Soundness(StrEnum):
    """What an inspection found in a result's bytes, by themselves."""

    SOUND = "sound"
    BLANK = "blank"
    UNDECODABLE = "undecodable"
    WRONG_SIZE = "wrong size"


@dataclass(frozen=True, slots=True)
class Lease:
    """A machine may make a task until `deadline_at`, in Unix seconds."""

    id: LeaseId
    machine_id: MachineId
    account_id: AccountId
    state: LeaseState
    granted_at: int
    deadline_at: int
    ended_at: int | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """The bytes that a machine sent for a lease, and what was found in them.

    `like` names the first result of the task that shows the same picture, None where this is the first. A blank one is
    valid only when another account made the same. `reason` says in a sentence why a result is invalid. Sizes are in
    pixels. The id is 0 until the result is stored.
    """

    id: ResultId
    lease_id: LeaseId
    machine_id: MachineId
    account_id: AccountId
    digest: str
    submitted_at: int
    like: ResultId | None = None
    verdict: Verdict = Verdict.PENDING
    soundness: Soundness = Soundness.SOUND
    reason: str = ""
    media_type: str = ""
    width: int = 0
    height: int = 0

    @property
    def party(self) -> ResultId:
        """Return the id that all results of the same picture share."""
        return self.id if self.like is None else self.like

    @property
    def is_doubtful(self) -> bool:
        """Say whether the picture is blank: perhaps it is meant so, perhaps an old graphics card failed."""
        return self.soundness is Soundness.BLANK


@dataclass(frozen=True, slots=True)
class Task:
    """One render of a job, (job, frame, part), whole: with every lease and result that it ever had.

    `cost_ms` is what a reference core is expected to need for it. Leases up to `past_lease`, with their results, are of
    a time before the task was opened anew, or its input replaced: their verdicts and credit stand, but the picture is
    no more theirs to give.
    """

    id: TaskId
    job_id: JobId
    frame: int
    part: int
    state: TaskState
    quorum: int
    max_attempts: int
    cost_ms: int = 0
    leases: tuple[Lease, ...] = ()
    results: tuple[Result, ...] = ()
    past_lease: LeaseId = LeaseId(0)
