"""The part of the REST wire that tells of the whole farm: its people, its queue, who changed what, what is wrong."""

from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field

from sheepfold.model.accounts import Role
from sheepfold.protocols.rest.wire import Asked, Count, Id, Told


class PersonOut(Told):
    """Somebody of the farm; `earned` and `spent` are thousandths of points."""

    name: str
    role: Role
    machines: Count
    created_at: int
    closed_at: int | None = None
    closed_why: str = ""
    earned: int
    spent: int


class PeoplePage(Told):
    """People by their names; `next` is the `after` of the following page, absent on the last."""

    turn: ClassVar[str] = "after"
    people: list[PersonOut]
    next: str | None = None

    @property
    def rows(self) -> list[PersonOut]:
        """Return the people."""
        return self.people


class PersonChange(Asked):
    """What to change of somebody; what is absent stays. Whoever is `closed` signs in no more, and has no keys."""

    role: Role | None = None
    closed: bool | None = None


class LeaderOut(Told):
    """Somebody who earned points, in thousandths."""

    name: str
    earned: int
    machines: Count


class LeaderList(Told):
    """Those who earned most, the first of them first; `next` is the `after` of the page that follows, if any does."""

    turn: ClassVar[str] = "after"
    leaders: list[LeaderOut]
    next: str | None = None

    @property
    def rows(self) -> list[LeaderOut]:
        """Return the leaders."""
        return self.leaders


class AuditOut(Told):
    """Who changed what, and of whom or which machine that was."""

    id: Id
    at: int
    who: str
    what: str
    about: str


class AuditPage(Told):
    """The audit log, the newest first; `next` is the `before` of the following page, absent on the last."""

    turn: ClassVar[str] = "before"
    lines: list[AuditOut]
    next: Id | None = None

    @property
    def rows(self) -> list[AuditOut]:
        """Return the lines."""
        return self.lines


class FindingOut(Told):
    """Something that should not be: which invariant, what breaks it, and what an owner does about it."""

    invariant: str
    what: str
    remedy: str = ""


class CheckOut(Told):
    """What is wrong with the farm, at most `limit` of it; nothing where all agrees."""

    findings: list[FindingOut]
    limit: Annotated[int, Field(ge=1)]


class BackupState(StrEnum):
    """How far a backup is."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


class BackupOut(Told):
    """A backup: who asked for it and how far it is, in files; the house makes it. `trouble` says why it failed.

    One that lacks files which the farm itself has lost failed, too, though all others can be restored from it. How many
    bytes all files have, and how many of them were not in the folder before, is known at the end.
    """

    id: Id
    state: BackupState
    who: str
    folder: str
    asked_at: int
    ended_at: int | None = None
    files_done: Count
    files: Count
    new_files: Count
    size_bytes: Count
    trouble: str = ""


class BackupList(Told):
    """Backups that were asked for, the newest first; `next` is the `before` of the page that follows, if any does."""

    turn: ClassVar[str] = "before"
    backups: list[BackupOut]
    next: Id | None = None

    @property
    def rows(self) -> list[BackupOut]:
        """Return the backups."""
        return self.backups


class QueueOut(Told):
    """What waits, and how many seconds the farm needs for it at the pace of its last results, null while unknown."""

    jobs: Count
    tasks: Count
    eta_s: int | None = None


class QueueLineOut(Told):
    """A running job, and how many of its tasks wait."""

    job: Id
    title: str
    kind: str
    account: str
    priority: int
    waiting: Count
    created_at: int


class QueueList(QueueOut):
    """The queue with its jobs, the first of them next; `next` is the `after` of the page that follows, if any does."""

    turn: ClassVar[str] = "after"
    lines: list[QueueLineOut]
    next: str | None = None

    @property
    def rows(self) -> list[QueueLineOut]:
        """Return the jobs."""
        return self.lines


class WorkOut(Told):
    """What a machine makes, since when; of others' private jobs only that it makes something."""

    machine: str
    account: str
    protocol: str
    since: int
    job: Id | None = None
    task: Id | None = None
    title: str = ""
    kind: str = ""
    frame: int = 0


class NowOut(Told):
    """What the farm does now."""

    queue: QueueOut
    at_work: list[WorkOut]
