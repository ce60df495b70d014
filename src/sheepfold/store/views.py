"""What the pages for people ask: walls of pictures, who is at work, a job's frames in pieces; all by cursors."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, text

from sheepfold.model.accounts import AccountId
from sheepfold.model.jobs import JobId
from sheepfold.model.tasks import TaskId, TaskState
from sheepfold.store import ledger
from sheepfold.store.database import Tx
from sheepfold.store.paging import FIRST, MOST, Place
from sheepfold.store.tasks import TaskRow

HIGHEST = 101
"""Above every priority."""
RECENT_EVENTS = 20_000
"""How far back the wall looks for pictures, so that a farm that makes none costs no walk through all that ever was."""


@dataclass(frozen=True, slots=True)
class WallPicture:
    """A picture on the wall: which frame of what."""

    task_id: TaskId
    job_id: JobId
    frame: int
    title: str
    kind: str


@dataclass(frozen=True, slots=True)
class AtWork:
    """A machine that holds a lease: of whom, on what, since when."""

    machine_id: int
    machine: str
    account: str
    protocol: str
    task_id: TaskId
    job_id: JobId
    title: str
    kind: str
    frame: int
    granted_at: int


@dataclass(frozen=True, slots=True)
class Queue:
    """What waits: running jobs, their open tasks, and how long the farm needs at the pace of its last results."""

    jobs: int
    tasks: int
    eta_s: int | None


@dataclass(frozen=True, slots=True)
class QueueLine:
    """One running job in the queue."""

    job_id: JobId
    title: str
    kind: str
    account: str
    priority: int
    waiting: int
    created_at: int


@dataclass(frozen=True, slots=True)
class MachineRow:
    """A machine as its owner sees it; `power` is in reference cores, None while it is not known."""

    id: int
    name: str
    account_id: AccountId
    account: str
    last_seen_at: int
    suspended_at: int | None
    keys: int
    rules: str
    power: float | None


# by primary key, from its end: `+task_id` has no index, which would be walked from end to end
_NEWEST = text("""
    SELECT e.task_id, e.job_id, t.frame, j.title, j.kind FROM (
        SELECT task_id, job_id, max(id) AS id FROM events
        WHERE id > (SELECT coalesce(max(id), 0) FROM events) - :recent AND what = 'preview made'
          AND +task_id IS NOT NULL AND job_id NOT IN (SELECT id FROM jobs WHERE private_at IS NOT NULL)
        GROUP BY task_id, job_id ORDER BY max(id) DESC LIMIT :limit
    ) e JOIN tasks t ON t.id = e.task_id JOIN jobs j ON j.id = e.job_id AND j.emptied_at IS NULL ORDER BY e.id DESC
""")
# by ix_events_job_id_id
_NEWEST_OF_JOB = text("""
    SELECT task_id, max(id) AS id FROM events
    WHERE job_id = :job_id AND what = 'preview made' AND task_id IS NOT NULL
      AND job_id NOT IN (SELECT id FROM jobs WHERE id = :job_id AND emptied_at IS NOT NULL)
    GROUP BY task_id ORDER BY max(id) DESC LIMIT :limit
""")
# by the partial index ix_leases_deadline, since `id + 0` has no index: only what is active, and no lease that ever was
_AT_WORK = text("""
    SELECT m.id AS machine_id, m.name AS machine, a.name AS account, l.protocol, l.task_id, t.job_id, j.title, j.kind,
           t.frame, l.granted_at
    FROM (SELECT * FROM leases WHERE state = 'active' ORDER BY id + 0 DESC LIMIT :limit) l
    JOIN machines m ON m.id = l.machine_id JOIN accounts a ON a.id = l.account_id
    JOIN tasks t ON t.id = l.task_id JOIN jobs j ON j.id = t.job_id
    ORDER BY l.id DESC
""")
_WAITING = text("""
    SELECT count(*) AS jobs, coalesce(sum(tasks_total - tasks_done - tasks_failed), 0) AS tasks
    FROM jobs WHERE state = 'running'
""")
_PACE = text("SELECT count(*) AS count, min(earned_at) AS first FROM ("
             " SELECT earned_at FROM ledger ORDER BY id DESC LIMIT 200) AS newest WHERE earned_at > :since")
_QUEUE = text("""
    SELECT j.id, j.title, j.kind, a.name AS account, j.priority, j.created_at,
           j.tasks_total - j.tasks_done - j.tasks_failed AS waiting
    FROM jobs j JOIN accounts a ON a.id = j.account_id
    WHERE j.state = 'running' AND (j.priority < :priority OR (j.priority = :priority AND j.id > :id))
    ORDER BY j.priority DESC, j.id LIMIT :limit
""")
_MACHINES = """
    SELECT m.id, m.name, m.account_id, a.name AS account, m.last_seen_at, m.suspended_at, m.rules,
           (SELECT count(*) FROM machine_keys k WHERE k.machine_id = m.id AND k.revoked_at IS NULL) AS keys
    FROM machines m JOIN accounts a ON a.id = m.account_id
    WHERE (m.last_seen_at < :seen_at OR (m.last_seen_at = :seen_at AND m.id > :id)) {whose}
    ORDER BY m.last_seen_at DESC, m.id LIMIT :limit
"""
_ALL_MACHINES = text(_MACHINES.format(whose=""))
_MACHINES_OF = text(_MACHINES.format(whose="AND m.account_id = :account_id"))


def newest_pictures(tx: Tx, limit: int) -> list[WallPicture]:
    """Return the pictures that were finished last, of all kinds; of private jobs none, whoever looks."""
    rows = tx.execute(_NEWEST, {"limit": limit, "recent": RECENT_EVENTS})
    return [WallPicture(TaskId(row.task_id), JobId(row.job_id), row.frame, row.title, row.kind) for row in rows]


def newest_of_job(tx: Tx, job_id: JobId, limit: int) -> list[TaskId]:
    """Return the tasks of a job that got a preview last, the newest first."""
    return [TaskId(row.task_id) for row in tx.execute(_NEWEST_OF_JOB, {"job_id": job_id, "limit": limit})]


def at_work(tx: Tx, limit: int) -> list[AtWork]:
    """Return the machines that hold a lease, the newest lease first."""
    return [
        AtWork(row.machine_id, row.machine, row.account, row.protocol, TaskId(row.task_id), JobId(row.job_id),
               row.title, row.kind, row.frame, row.granted_at)
        for row in tx.execute(_AT_WORK, {"limit": limit})
    ]


def queue(tx: Tx, now: int, window_s: int = 900) -> Queue:
    """Return how much waits, and how long it takes at the pace of the last results, None where there were none."""
    waiting = tx.execute(_WAITING).one()
    pace = tx.execute(_PACE, {"since": now - window_s}).one()
    eta = None
    if pace.count >= 2 and waiting.tasks:
        eta = int(waiting.tasks * max(1, now - pace.first) / pace.count)
    return Queue(int(waiting.jobs), int(waiting.tasks), eta)


def queue_lines(tx: Tx, limit: int, after: Place | None = None) -> list[QueueLine]:
    """Return the running jobs in the order of their priority, from a place on."""
    priority, job_id = after or (HIGHEST, 0)
    return [QueueLine(JobId(row.id), row.title, row.kind, row.account, row.priority, row.waiting, row.created_at)
            for row in tx.execute(_QUEUE, {"limit": limit, "priority": priority, "id": job_id})]


def machines_of(tx: Tx, account_id: AccountId | None, limit: int = MOST, after: Place | None = None
                ) -> list[MachineRow]:
    """Return the machines of an account, or all; those heard of last first, from a place on."""
    seen_at, machine_id = after or FIRST
    page = {"limit": limit, "seen_at": seen_at, "id": machine_id}
    rows = (tx.execute(_ALL_MACHINES, page) if account_id is None
            else tx.execute(_MACHINES_OF, page | {"account_id": account_id})).all()
    powers = ledger.powers_of(tx, [row.id for row in rows])
    return [MachineRow(row.id, row.name, AccountId(row.account_id), row.account, row.last_seen_at, row.suspended_at,
                       row.keys, row.rules, power) for row, power in zip(rows, powers, strict=True)]


# by uq_tasks_job_id_frame_part alone
_PLACES = text("""
    SELECT frame, part, place FROM (
        SELECT frame, part, row_number() OVER (ORDER BY frame, part) AS place FROM tasks WHERE job_id = :job_id
    ) AS placed WHERE place % :size = 1 OR :size = 1 ORDER BY place
""")
_ROW = """
    SELECT t.id, t.frame, t.part, t.state, t.openings,
           (SELECT count(*) FROM leases l WHERE l.task_id = t.id AND l.state = 'active') AS active_leases,
           EXISTS (SELECT 1 FROM previews p WHERE p.task_id = t.id) AS has_preview
    FROM tasks t
"""
_FROM = text(_ROW + """
    WHERE t.job_id = :job_id AND (t.frame, t.part) >= (:frame, :part) ORDER BY t.frame, t.part LIMIT :limit
""")
_AFTER = text("SELECT id FROM tasks WHERE job_id = :job_id AND (frame, part) > (:frame, :part)"
              " ORDER BY frame, part LIMIT 1")
_BEFORE = text("SELECT id FROM tasks WHERE job_id = :job_id AND (frame, part) < (:frame, :part)"
               " ORDER BY frame DESC, part DESC LIMIT 1")
_ONE = text(_ROW + " WHERE t.id = :task_id AND t.job_id = :job_id")


def places_of_pieces(tx: Tx, job_id: JobId, size: int) -> list[Place]:
    """Return where each piece of so many tasks of a job begins: at which frame and part."""
    return [(row.frame, row.part) for row in tx.execute(_PLACES, {"job_id": job_id, "size": size})]


def tasks_from(tx: Tx, job_id: JobId, place: Place, limit: int) -> list[TaskRow]:
    """Return a job's tasks from a place on."""
    values = {"job_id": job_id, "frame": place[0], "part": place[1], "limit": limit}
    return [_row(row) for row in tx.execute(_FROM, values)]


def tasks_by_id(tx: Tx, job_id: JobId, task_ids: Sequence[TaskId]) -> list[TaskRow]:
    """Return some tasks of a job; those of other jobs are left out."""
    found = (tx.execute(_ONE, {"task_id": task_id, "job_id": job_id}).one_or_none() for task_id in task_ids)
    return [_row(row) for row in found if row is not None]


def neighbours(tx: Tx, job_id: JobId, place: Place) -> tuple[TaskId | None, TaskId | None]:
    """Return the tasks before and after a place of a job."""
    values = {"job_id": job_id, "frame": place[0], "part": place[1]}
    before, after = (tx.execute(query, values).scalar_one_or_none() for query in (_BEFORE, _AFTER))
    return (None if before is None else TaskId(before)), (None if after is None else TaskId(after))


def _row(row: Row[Any]) -> TaskRow:
    return TaskRow(TaskId(row.id), row.frame, row.part, TaskState(row.state), row.openings, row.active_leases,
                   bool(row.has_preview))


_OF_KIND = text("SELECT id FROM jobs WHERE kind = :kind AND id < :before AND private_at IS NULL"
                " ORDER BY id DESC LIMIT :limit")


def jobs_of_kind(tx: Tx, kind: str, limit: int, before: JobId | None) -> list[JobId]:
    """Return the newest jobs of a kind that are not private, those before an id where one is given."""
    values = {"kind": kind, "limit": limit, "before": 2**62 if before is None else before}
    return [JobId(row.id) for row in tx.execute(_OF_KIND, values)]


# a job's open tasks with what they need, by lane: all that moving them to another priority must know
_LANES_OF_JOB = text("SELECT DISTINCT l.id, n.canonical FROM tasks t JOIN lanes l ON l.id = t.lane_id"
                     " JOIN needs n ON n.id = l.needs_id WHERE t.job_id = :job_id")
_MOVE = text("UPDATE tasks SET lane_id = :target WHERE job_id = :job_id AND lane_id = :source")
_PRIORITY = text("UPDATE jobs SET priority = :priority WHERE id = :job_id")


def lanes_of_job(tx: Tx, job_id: JobId) -> list[tuple[int, str]]:
    """Return the lanes in which a job's tasks queue, or would once opened anew, with their needs in canonical text."""
    return [(row.id, row.canonical) for row in tx.execute(_LANES_OF_JOB, {"job_id": job_id})]


def move_tasks(tx: Tx, job_id: JobId, source: int, target: int) -> None:
    """Move a job's tasks from one lane to another."""
    tx.execute(_MOVE, {"job_id": job_id, "source": source, "target": target})


def set_priority(tx: Tx, job_id: JobId, priority: int) -> None:
    """Write a job's priority."""
    tx.execute(_PRIORITY, {"job_id": job_id, "priority": priority})
