"""Rows of leases beyond their state: who holds one on which task, and what the clients told about it."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text

from sheepfold.model.accounts import AccountId
from sheepfold.model.errors import UnknownLease
from sheepfold.model.flock import SheepId
from sheepfold.model.jobs import JobId
from sheepfold.model.machines import MachineId, SessionId
from sheepfold.model.tasks import LeaseId, LeaseState, TaskId
from sheepfold.store.database import Question, Tx
from sheepfold.store.sessions import OpenSession, session_asked, session_in

REQUEST = "request"
"""The figure of a lease that names the request which it was granted to, as its client called it; no story tells it."""


@dataclass(frozen=True, slots=True)
class Holding:
    """A lease seen from outside its task: what it is on, and who holds it."""

    lease_id: LeaseId
    task_id: TaskId
    job_id: JobId
    machine_id: MachineId
    account_id: AccountId


_HOLDING = """
    SELECT l.id, l.task_id, t.job_id, l.machine_id, l.account_id FROM leases l JOIN tasks t ON t.id = l.task_id
"""
_BY_ID = text(_HOLDING + " WHERE l.id = :lease_id")
# by ix_leases_task_id; here and below `+ 0` keeps PostgreSQL from walking all leases that the machine ever had, as it
# plans to for a table of few rows. The newest lease of the pair, an active one first
_BY_PAIR = text(_HOLDING + """
    WHERE l.task_id = :task_id AND l.machine_id + 0 = :machine_id
    ORDER BY CASE l.state WHEN 'active' THEN 0 ELSE 1 END, l.id DESC LIMIT 1
""")
# by ix_leases_machine_id_id
_ACTIVE_OF_MACHINE = text(_HOLDING + " WHERE l.machine_id = :machine_id AND l.state = 'active' ORDER BY l.id")
_ACTIVE_OF_SESSION = text("""
    SELECT l.id, l.task_id, t.job_id, l.machine_id, l.account_id, l.figures
    FROM leases l JOIN tasks t ON t.id = l.task_id
    WHERE l.machine_id = :machine_id AND l.session_id = :session_id AND l.state = 'active' ORDER BY l.id
""")
_JUDGED_BY = """
    SELECT l.id, l.task_id, t.job_id, l.machine_id, l.account_id,
           j.kind, j.spec, j.cleared_at, t.frame, t.part, l.state, t.past_lease,
           EXISTS (SELECT 1 FROM results r WHERE r.task_id = t.id) AS has_results
"""
_WANTED = _JUDGED_BY + " FROM leases l JOIN tasks t ON t.id = l.task_id JOIN jobs j ON j.id = t.job_id"
_WANTED_BY_ID = text(_WANTED + " WHERE l.id = :lease_id")
_ACTIVE_FIRST = " ORDER BY CASE l.state WHEN 'active' THEN 0 ELSE 1 END, l.id DESC LIMIT 1"
# by uq_tasks_job_id_frame_part, ix_leases_task_id
_WANTED_AT = text(_WANTED + """
    WHERE t.job_id = :job_id AND t.frame = :frame AND t.part = :part AND l.machine_id + 0 = :machine_id
    ORDER BY CASE WHEN l.id = :named THEN 0 WHEN l.state = 'active' THEN 1 ELSE 2 END, l.id DESC LIMIT 1
""")
# by pk_sheep, then the same; each frame has as many parts as the first, and pictures are numbered frame by frame
_WANTED_OF_SHEEP = text("""
    WITH flame AS MATERIALIZED (
        SELECT s.job_id, (SELECT max(part) + 1 FROM tasks WHERE job_id = s.job_id AND frame = 0) AS parts
        FROM sheep s WHERE s.generation = :generation AND s.number = :number)
""" + _JUDGED_BY + """
    FROM flame f
    JOIN tasks t ON t.job_id = f.job_id AND t.frame = :picture / f.parts AND t.part = :picture % f.parts
    JOIN jobs j ON j.id = t.job_id JOIN leases l ON l.task_id = t.id JOIN machines m ON m.id = l.machine_id + 0
    WHERE m.name = :machine
""" + _ACTIVE_FIRST)  # noqa: S608 -- made of constants
# by ix_leases_deadline
_LASTING = text("SELECT 1 FROM leases WHERE state = 'active' AND deadline_at > :until LIMIT 1")
_SHORTEN = text("UPDATE leases SET deadline_at = :deadline_at WHERE state = 'active' AND deadline_at > :until")
_STATE = text("SELECT state FROM leases WHERE id = :lease_id")
_FIGURES = text("SELECT figures FROM leases WHERE id = :lease_id")
# by ix_leases_task_id
_TOLD_OF_PAIR = text("SELECT id, figures FROM leases WHERE task_id = :task_id AND machine_id + 0 = :machine_id")
_SAVE_FIGURES = text("UPDATE leases SET figures = :figures WHERE id = :lease_id")
# what a lease that has ended said at its end stays; one that merely ran out may still be told about
_SAVE_END = text("""
    UPDATE leases SET reason = :reason, log = :log
    WHERE id = :lease_id AND (state = 'active' OR (reason = '' AND log IS NULL))
""")


def holding(tx: Tx, lease_id: LeaseId) -> Holding:
    """Return what a lease is on and who holds it; raises UnknownLease."""
    row = tx.execute(_BY_ID, {"lease_id": lease_id}).one_or_none()
    if row is None:
        raise UnknownLease(f"There is no lease {lease_id}.")
    return _held(row)


def holding_of_pair(tx: Tx, task_id: TaskId, machine_id: MachineId) -> Holding:
    """Return the lease of a machine on a task, its active one or else its newest; raises UnknownLease."""
    row = tx.execute(_BY_PAIR, {"task_id": task_id, "machine_id": machine_id}).one_or_none()
    if row is None:
        raise UnknownLease(f"Machine {machine_id} never had a lease on task {task_id}.")
    return _held(row)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a lease's result will be judged by."""

    held: Holding
    kind: str
    spec: Mapping[str, Any]
    frame: int
    part: int
    is_cleared: bool
    """Whether the pictures of its job are cleared."""
    is_plain: bool
    """Whether it would be its task's first result, and nothing is known against the lease."""


def wanted(tx: Tx, lease_id: LeaseId) -> Wanted:
    """Return what the result of a lease that there is will be judged by, in one statement."""
    return _wanted(tx.execute(_WANTED_BY_ID, {"lease_id": lease_id}).one())


def find_wanted(tx: Tx, machine_id: MachineId, place: tuple[JobId, int, int], named: LeaseId) -> Wanted | None:
    """Return the same of the lease of a machine on the task at a job's frame and part, or None.

    Of several it is the one that is named, else the active one, else the newest.
    """
    job_id, frame, part = place
    values = {"machine_id": machine_id, "job_id": job_id, "frame": frame, "part": part, "named": named}
    row = tx.execute(_WANTED_AT, values).one_or_none()
    return None if row is None else _wanted(row)


def find_wanted_of_sheep(tx: Tx, machine: str, sheep_id: SheepId, picture: int) -> Wanted | None:
    """Return the same of the lease of a machine, by its name, on a picture of a sheep, by its number, or None."""
    values = {"machine": machine, "generation": sheep_id.generation, "number": sheep_id.number, "picture": picture}
    row = tx.execute(_WANTED_OF_SHEEP, values).one_or_none()
    return None if row is None else _wanted(row)


def wanted_in_session(tx: Tx, token_hash: str, lease_id: LeaseId) -> tuple[OpenSession | None, Wanted | None]:
    """Return the living session of a token, and what the result of a lease, whosever it is, will be judged by."""
    sessions, leases = tx.read_together(session_asked(token_hash), (_WANTED_BY_ID, {"lease_id": lease_id}))
    return session_in(sessions), _wanted(leases[0]) if leases else None


def _wanted(row: Any) -> Wanted:  # noqa: ANN401
    is_plain = not row.has_results and row.state != LeaseState.WITHDRAWN and row.id > row.past_lease
    return Wanted(_held(row), row.kind, json.loads(row.spec), row.frame, row.part, row.cleared_at is not None, is_plain)


def is_any_active_after(tx: Tx, until: int) -> bool:
    """Say whether a lease lasts for longer than until a time."""
    return tx.execute(_LASTING, {"until": until}).first() is not None


def shorten(tx: Tx, until: int, deadline_at: int) -> int:
    """Give the leases that last for longer than until a time another deadline; returns how many there were."""
    return tx.execute(_SHORTEN, {"until": until, "deadline_at": deadline_at}).rowcount


def is_withdrawn(tx: Tx, lease_id: LeaseId) -> bool:
    """Say whether a lease ended because its job's input was replaced."""
    return bool(tx.execute(_STATE, {"lease_id": lease_id}).scalar_one_or_none() == LeaseState.WITHDRAWN)


def active_of_machine(tx: Tx, machine_id: MachineId, session_id: SessionId | None = None) -> list[Holding]:
    """Return the active leases of a machine, or of one session of it."""
    if session_id is None:
        return holdings_in(tx.execute(_ACTIVE_OF_MACHINE, {"machine_id": machine_id}))
    return holdings_in(tx.execute(*active_asked(machine_id, session_id)))


def active_asked(machine_id: MachineId, session_id: SessionId) -> Question:
    """Return the question for the active leases of a session, which `holdings_in` reads the answer of."""
    return _ACTIVE_OF_SESSION, {"machine_id": machine_id, "session_id": session_id}


def holdings_in(rows: Iterable[Any]) -> list[Holding]:
    """Return the leases that rows tell of."""
    return [_held(row) for row in rows]


def told_of_active(tx: Tx, machine_id: MachineId, session_id: SessionId) -> list[tuple[Holding, Mapping[str, Any]]]:
    """Return the active leases of a session, each with what its client told of it."""
    return [(_held(row), json.loads(row.figures)) for row in tx.execute(*active_asked(machine_id, session_id))]


def save_figures(tx: Tx, lease_id: LeaseId, figures: Mapping[str, Any]) -> None:
    """Keep what a client told of a lease (seconds, KiB, cores, User-Agent): all of it, older figures too."""
    tx.execute(_SAVE_FIGURES, {"lease_id": lease_id, "figures": json.dumps(dict(figures), sort_keys=True)})


def figures_of(tx: Tx, lease_id: LeaseId) -> Mapping[str, Any]:
    """Return what a client told of a lease."""
    found: Mapping[str, Any] = json.loads(tx.execute(_FIGURES, {"lease_id": lease_id}).scalar_one())
    return found


def told_asked(task_id: TaskId, machine_id: MachineId) -> Question:
    """Return the question for what a client told of its leases on a task, which `told_in` reads the answer of."""
    return _TOLD_OF_PAIR, {"task_id": task_id, "machine_id": machine_id}


def told_in(rows: Iterable[Any]) -> dict[LeaseId, dict[str, Any]]:
    """Return what was told of each lease."""
    return {LeaseId(row.id): json.loads(row.figures) for row in rows}


def note_end(tx: Tx, lease_id: LeaseId, reason: str, log: str | None) -> None:
    """Keep why a lease was given up, and the digest of the log that the client sent; the first word on it stays."""
    tx.execute(_SAVE_END, {"lease_id": lease_id, "reason": reason, "log": log})


def _held(row: Any) -> Holding:  # noqa: ANN401 -- a row
    return Holding(LeaseId(row.id), TaskId(row.task_id), JobId(row.job_id), MachineId(row.machine_id),
                   AccountId(row.account_id))


@dataclass(frozen=True, slots=True)
class LeaseStory:
    """A lease as `story` tells it: whose it was, over which protocol, what its client told, and its log's digest."""

    lease_id: LeaseId
    machine: str
    account: str
    protocol: str
    state: str
    granted_at: int
    deadline_at: int
    ended_at: int | None
    reason: str
    figures: Mapping[str, Any]
    log: str | None


_STORIES = text("""
    SELECT l.id, m.name AS machine, a.name AS account, l.protocol, l.state, l.granted_at, l.deadline_at, l.ended_at,
           l.reason, l.figures, l.log
    FROM leases l JOIN machines m ON m.id = l.machine_id JOIN accounts a ON a.id = l.account_id
    WHERE l.task_id = :task_id ORDER BY l.id
""")


def stories_of_task(tx: Tx, task_id: TaskId) -> list[LeaseStory]:
    """Return every lease that a task ever had, oldest first."""
    return [
        LeaseStory(LeaseId(row.id), row.machine, row.account, row.protocol, row.state, row.granted_at, row.deadline_at,
                   row.ended_at, row.reason, _worth_telling(json.loads(row.figures)), row.log)
        for row in tx.execute(_STORIES, {"task_id": task_id})
    ]


def _worth_telling(figures: Mapping[str, Any]) -> Mapping[str, Any]:
    return {name: value for name, value in figures.items() if name != REQUEST}
