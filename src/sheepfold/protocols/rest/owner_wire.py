"""The part of the REST wire that tells of the whole farm: its people, its queue, who changed what, what is wrong."""

from typing import Annotated

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

    people: list[PersonOut]
    next: str | None = None


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
    """Those who earned most, the first of them first."""

    leaders: list[LeaderOut]


class AuditOut(Told):
    """Who changed what, and of whom or which machine that was."""

    id: Id
    at: int
    who: str
    what: str
    about: str


class AuditPage(Told):
    """The audit log, the newest first; `next` is the `before` of the following page, absent on the last."""

    lines: list[AuditOut]
    next: Id | None = None


class FindingOut(Told):
    """Something that should not be: which invariant, and what breaks it."""

    invariant: str
    what: str


class CheckOut(Told):
    """What is wrong with the farm, at most `limit` of it; nothing where all agrees."""

    findings: list[FindingOut]
    limit: Annotated[int, Field(ge=1)]


class BackupOut(Told):
    """A backup: when it was made, and how many files it holds, of how many bytes, and how many of them are new."""

    made_at: int
    files: Count
    new_files: Count
    size_bytes: Count


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
    """The queue with its jobs, the first of them next."""

    lines: list[QueueLineOut]


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
