"""Tasks whole, as the lifecycle wants them: loaded under a lock, and saved by what a rule has changed."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import text

from sheepfold.model.accounts import AccountId
from sheepfold.model.errors import UnknownTask
from sheepfold.model.jobs import JobId
from sheepfold.model.lifecycle import openings
from sheepfold.model.machines import MachineId
from sheepfold.model.tasks import (
    Lease,
    LeaseId,
    LeaseState,
    Result,
    ResultId,
    Soundness,
    Task,
    TaskId,
    TaskState,
    Verdict,
)
from sheepfold.store.database import Question, Tx
from sheepfold.store.ledger import Past, past_asked, past_in

# all by primary key, or by the indexes on task_id
_TASK = """
    SELECT t.id, t.job_id, t.frame, t.part, t.state, t.cost_ms, t.past_lease, j.quorum, j.max_attempts,
           j.tasks_total - j.tasks_done - j.tasks_failed AS left_in_job
    FROM tasks t JOIN jobs j ON j.id = t.job_id WHERE t.id = :task_id
"""
_TASK_SHARED = text(_TASK)
_TASK_LOCKED = text(_TASK + " FOR UPDATE OF t")
_LEASES = text("""
    SELECT id, machine_id, account_id, state, granted_at, deadline_at, ended_at
    FROM leases WHERE task_id = :task_id ORDER BY id
""")
_RESULTS = text("""
    SELECT id, lease_id, machine_id, account_id, digest, submitted_at,
           like_id, verdict, soundness, reason, media_type, width, height
    FROM results WHERE task_id = :task_id ORDER BY id
""")
# the same of the tasks behind an id, up to another
_SOME = "WHERE {id} > :after AND {id} <= :last ORDER BY {id}"
_TASKS_OF_SOME = text(_TASK.replace("t.cost_ms,", "t.cost_ms, t.openings,").replace(
    "WHERE t.id = :task_id", _SOME.format(id="t.id")))
_LEASES_OF_SOME, _RESULTS_OF_SOME = (
    text(query.text.replace("SELECT id", "SELECT task_id, id").replace(
        "WHERE task_id = :task_id ORDER BY id", _SOME.format(id="task_id") + ", id"))
    for query in (_LEASES, _RESULTS))
_LAST_OF_SOME = text("SELECT max(id) FROM (SELECT id FROM tasks WHERE id > :after ORDER BY id LIMIT :limit) AS few")
_FIGURES = text("SELECT figures FROM leases WHERE id = :lease_id")
_NEXT_RESULT_OF = {"sqlite": text("SELECT coalesce(max(id), 0) + 1 AS id FROM results"),
                   "postgresql": text("SELECT nextval('results_id_seq') AS id")}


@dataclass(frozen=True, slots=True)
class Desk:
    """What a new result is judged with: its task, under its lock, the id that it gets, and what its machine did before.

    With the id known beforehand, all that a result leads to can name it, and be written at once.
    """

    task: Task
    result_id: ResultId
    past: Past
    left_in_job: int
    """How many tasks of its job have not ended; the job is not locked."""
    figures: Mapping[str, Any] = field(default_factory=dict)
    """What its client has told of its lease, where that was asked."""


@dataclass(frozen=True, slots=True)
class Told:
    """What a client has told of a lease, all of it, to be kept with the lease."""

    lease_id: LeaseId
    figures: Mapping[str, Any]


def load(tx: Tx, task_id: TaskId, *, lock: bool) -> Task:
    """Return a task with all its leases and results; locked, nobody else changes it before this transaction ends.

    Raises UnknownTask. On SQLite a write transaction is alone anyway, and the lock costs nothing.
    """
    if lock:
        return task_in(task_id, *tx.in_turn(*_locked_task_asked(tx, task_id)))
    return task_in(task_id, *tx.read_together(*task_asked(task_id)))


def task_asked(task_id: TaskId) -> tuple[Question, ...]:
    """Return the three questions that `task_in` reads the answers of, to be asked along with others."""
    asked = {"task_id": task_id}
    return (_TASK_SHARED, asked), (_LEASES, asked), (_RESULTS, asked)


def task_in(task_id: TaskId, rows: Sequence[Any], leases: Sequence[Any], results: Sequence[Any]) -> Task:
    """Return the task that rows tell of; raises UnknownTask where there is none."""
    if not rows:
        raise UnknownTask(f"There is no task {task_id}.")
    return _task(rows[0], leases, results)


@dataclass(frozen=True, slots=True)
class Stored:
    """A task as its rows tell of it, whether they make sense or not; `task_in` reads them."""

    task_id: TaskId
    openings: int
    row: Any
    leases: Sequence[Any]
    results: Sequence[Any]

    def read(self) -> Task:
        """Return the task; raises ValueError where a state or verdict is none that there is."""
        return _task(self.row, self.leases, self.results)


def stored_after(tx: Tx, after: TaskId, limit: int) -> tuple[list[Stored], TaskId | None]:
    """Return some tasks behind an id, without those whose job is gone, and the id of the last, None at the end.

    Asked as `read_at_once` asks, each is of one moment.
    """
    last = tx.execute(_LAST_OF_SOME, {"after": after, "limit": limit}).scalar_one()
    if last is None:
        return [], None
    some = {"after": after, "last": last}
    rows, leases, results = tx.read_together((_TASKS_OF_SOME, some), (_LEASES_OF_SOME, some), (_RESULTS_OF_SOME, some))
    leases_of, results_of = _by_task(leases), _by_task(results)
    return [Stored(TaskId(row.id), row.openings, row, leases_of[row.id], results_of[row.id]) for row in rows], last


def _by_task(rows: Iterable[Any]) -> Mapping[int, list[Any]]:
    found: dict[int, list[Any]] = defaultdict(list)
    for row in rows:
        found[row.task_id].append(row)
    return found


def load_desk(tx: Tx, task_id: TaskId, machine_id: MachineId, told_of: LeaseId | None = None) -> Desk:
    """Return a locked task with what a new result of a machine needs besides, as early as that; raises UnknownTask.

    `told_of` is the lease whose figures are needed, too.
    """
    figures = () if told_of is None else ((_FIGURES, {"lease_id": told_of}),)
    rows, leases, results, ids, past, *told = tx.in_turn(
        *_locked_task_asked(tx, task_id), (_NEXT_RESULT_OF[tx.dialect.name], {}), past_asked(machine_id), *figures)
    known = json.loads(told[0][0].figures) if told else {}
    return Desk(task_in(task_id, rows, leases, results), ResultId(ids[0].id), past_in(past), rows[0].left_in_job,
                known)


def _locked_task_asked(tx: Tx, task_id: TaskId) -> tuple[Question, ...]:
    """Return the questions of `task_asked`, to be asked in turn: what belongs to a task stays once it is locked."""
    task, *parts = task_asked(task_id)
    return (_TASK_LOCKED, task[1]) if tx.dialect.name == "postgresql" else task, *parts


def _task(row: Any, leases: Sequence[Any], results: Sequence[Any]) -> Task:  # noqa: ANN401 -- a row
    return Task(
        id=TaskId(row.id),
        job_id=JobId(row.job_id),
        frame=row.frame,
        part=row.part,
        state=TaskState(row.state),
        quorum=row.quorum,
        max_attempts=row.max_attempts,
        cost_ms=row.cost_ms,
        leases=tuple(_lease(lease) for lease in leases),
        results=tuple(_result(result) for result in results),
        past_lease=LeaseId(row.past_lease),
    )


_SAVE_LEASE = text("""
    UPDATE leases SET state = :state, deadline_at = :deadline_at, ended_at = :ended_at WHERE id = :id
""")
_SAVE_LEASE_AND_FIGURES = text("""
    UPDATE leases SET state = :state, deadline_at = :deadline_at, ended_at = :ended_at, figures = :figures
    WHERE id = :id
""")
_SAVE_FIGURES = text("UPDATE leases SET figures = :figures WHERE id = :id")
_SAVE_VERDICT = text("UPDATE results SET verdict = :verdict, reason = :reason WHERE id = :id")
_ADD_RESULT = text("""
    INSERT INTO results (id, task_id, lease_id, machine_id, account_id, digest, submitted_at,
                         like_id, verdict, soundness, reason, media_type, width, height)
    VALUES (:id, :task_id, :lease_id, :machine_id, :account_id, :digest, :submitted_at,
            :like_id, :verdict, :soundness, :reason, :media_type, :width, :height)
""")
_SAVE_TASK = text("""
    UPDATE tasks SET state = :state, openings = :openings, ended_at = :ended_at, past_lease = :past_lease WHERE id = :id
""")


def save(tx: Tx, before: Task, after: Task, now: int, told: Told | None = None) -> None:
    """Write what a rule changed of a task: its leases, its results, its state and openings; and what a client told."""
    _save_leases(tx, before, after, told)
    if _standing(after) != _standing(before):
        ended_at = None if after.state is TaskState.OPEN else now
        values = {"state": after.state, "openings": openings(after), "ended_at": ended_at,
                  "past_lease": after.past_lease}
        tx.later(_SAVE_TASK, values | {"id": after.id})
    _save_results(tx, before, after)


def _standing(task: Task) -> tuple[TaskState, int, LeaseId]:
    return task.state, openings(task), task.past_lease


def _save_leases(tx: Tx, before: Task, after: Task, told: Told | None) -> None:
    known = {lease.id: lease for lease in before.leases}
    for lease in after.leases:
        is_told = told is not None and told.lease_id == lease.id
        figures = {"figures": json.dumps(dict(told.figures), sort_keys=True)} if told and is_told else {}
        if lease != known[lease.id]:
            values = {"state": lease.state, "deadline_at": lease.deadline_at, "ended_at": lease.ended_at}
            tx.later(_SAVE_LEASE_AND_FIGURES if figures else _SAVE_LEASE, values | figures | {"id": lease.id})
        elif figures:
            tx.later(_SAVE_FIGURES, figures | {"id": lease.id})


def _save_results(tx: Tx, before: Task, after: Task) -> None:
    known = {result.id: result for result in before.results}
    for result in after.results:
        if result.id not in known:
            values = {name: getattr(result, name) for name in Result.__slots__ if name != "like"}
            tx.later(_ADD_RESULT, values | {"task_id": after.id, "like_id": result.like})
        elif result != known[result.id]:
            tx.later(_SAVE_VERDICT, {"id": result.id, "verdict": result.verdict, "reason": result.reason})


def _lease(row: Any) -> Lease:  # noqa: ANN401 -- a row
    return Lease(LeaseId(row.id), MachineId(row.machine_id), AccountId(row.account_id), LeaseState(row.state),
                 row.granted_at, row.deadline_at, row.ended_at)


def _result(row: Any) -> Result:  # noqa: ANN401
    return Result(
        id=ResultId(row.id),
        lease_id=LeaseId(row.lease_id),
        machine_id=MachineId(row.machine_id),
        account_id=AccountId(row.account_id),
        digest=row.digest,
        submitted_at=row.submitted_at,
        like=None if row.like_id is None else ResultId(row.like_id),
        verdict=Verdict(row.verdict),
        soundness=Soundness(row.soundness),
        reason=row.reason,
        media_type=row.media_type,
        width=row.width,
        height=row.height,
    )


# by uq_tasks_job_id_frame_part
_BY_PLACE = text("SELECT id FROM tasks WHERE job_id = :job_id AND frame = :frame AND part = :part")
_OF_FRAME = text("SELECT id FROM tasks WHERE job_id = :job_id AND frame = :frame ORDER BY part")
_OPEN_OF_JOB = text("SELECT id FROM tasks WHERE job_id = :job_id AND state = 'open' ORDER BY id")
# by ix_leases_deadline, in whose order they are asked for: for an order by task SQLite walks all leases that ever were
_OVERDUE = text("""
    SELECT DISTINCT task_id FROM (
        SELECT task_id FROM leases WHERE state = 'active' AND deadline_at <= :now ORDER BY deadline_at LIMIT :limit
    ) AS overdue ORDER BY task_id
""")


def find_task(tx: Tx, job_id: JobId, frame: int, part: int = 0) -> TaskId:
    """Return the id of the task at a place of a job; raises UnknownTask."""
    found = tx.execute(_BY_PLACE, {"job_id": job_id, "frame": frame, "part": part}).scalar_one_or_none()
    if found is None:
        raise UnknownTask(f"Job {job_id} has no frame {frame}, part {part}.")
    return TaskId(found)


def tasks_of_frame(tx: Tx, job_id: JobId, frame: int) -> list[TaskId]:
    """Return the tasks of all parts of a frame."""
    return [TaskId(row.id) for row in tx.execute(_OF_FRAME, {"job_id": job_id, "frame": frame})]


def open_tasks_of(tx: Tx, job_id: JobId) -> list[TaskId]:
    """Return the tasks of a job that have not ended."""
    return [TaskId(row.id) for row in tx.execute(_OPEN_OF_JOB, {"job_id": job_id})]


def overdue_tasks(tx: Tx, now: int, limit: int) -> list[TaskId]:
    """Return tasks that hold a lease past its deadline."""
    return [TaskId(row.task_id) for row in tx.execute(_OVERDUE, {"now": now, "limit": limit})]


# first, since a statement that waits for a row does not see the result that came in meanwhile; the next one does
_LOCK_OPEN = text("""
    SELECT count(*) FROM (SELECT 1 FROM tasks WHERE job_id = :job_id AND state = 'open' ORDER BY id FOR UPDATE) AS held
""")
# a task without a result is canceled the same way by the rule and by this statement, thousands at a time
_CANCEL = text("""
    UPDATE tasks SET state = 'canceled', openings = 0, ended_at = :now
    WHERE job_id = :job_id AND state = 'open' AND NOT EXISTS (SELECT 1 FROM results r WHERE r.task_id = tasks.id)
""")


# by ix_tasks_…job_id and ix_leases_task_id
_BEGUN = text("""
    SELECT id FROM tasks WHERE job_id = :job_id AND state = 'open'
    AND EXISTS (SELECT 1 FROM leases l WHERE l.task_id = tasks.id) ORDER BY id
""")


def lock_open_tasks(tx: Tx, job_id: JobId) -> None:
    """Hold all open tasks of a job, so that claims pass them over until the transaction ends."""
    if tx.dialect.name == "postgresql":
        tx.execute(_LOCK_OPEN, {"job_id": job_id})


def begun_tasks_of(tx: Tx, job_id: JobId) -> list[TaskId]:
    """Return the open tasks of a job that have, or had, a lease."""
    return [TaskId(row.id) for row in tx.execute(_BEGUN, {"job_id": job_id})]


def cancel_untouched(tx: Tx, job_id: JobId, now: int) -> int:
    """Cancel the open tasks of a job that have no result; returns how many. The others need to be judged."""
    if tx.dialect.name == "postgresql":
        tx.execute(_LOCK_OPEN, {"job_id": job_id})
    return tx.execute(_CANCEL, {"job_id": job_id, "now": now}).rowcount


@dataclass(frozen=True, slots=True)
class TaskRow:
    """A task in a list: where it is, and whether it has a picture and a preview to show."""

    id: TaskId
    frame: int
    part: int
    state: TaskState
    openings: int
    active_leases: int
    has_preview: bool


_ROWS = text("""
    SELECT t.id, t.frame, t.part, t.state, t.openings,
           (SELECT count(*) FROM leases l WHERE l.task_id = t.id AND l.state = 'active') AS active_leases,
           EXISTS (SELECT 1 FROM previews p WHERE p.task_id = t.id) AS has_preview
    FROM tasks t WHERE t.job_id = :job_id ORDER BY t.frame, t.part
""")


def rows_of_job(tx: Tx, job_id: JobId) -> list[TaskRow]:
    """Return a job's tasks in the order of frames and parts."""
    return [
        TaskRow(TaskId(row.id), row.frame, row.part, TaskState(row.state), row.openings, row.active_leases,
                bool(row.has_preview))
        for row in tx.execute(_ROWS, {"job_id": job_id})
    ]
