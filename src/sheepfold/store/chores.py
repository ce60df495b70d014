"""Rows of chores: slow work of the house, queued in the transaction of what caused it."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NewType

from sqlalchemy import Row, text

from sheepfold.model.jobs import JobId
from sheepfold.model.tasks import TaskId
from sheepfold.store.database import Tx

ChoreId = NewType("ChoreId", int)

LONGEST_DELAY_S = 60
"""By how much a chore is put off at most, whatever it waits for."""


class ChoreWhat(StrEnum):
    """What a chore makes."""

    PREVIEW = "preview"
    ASSEMBLE = "assemble"
    CLEAR = "clear"
    EMPTY = "empty"


@dataclass(frozen=True, slots=True)
class Chore:
    """A piece of slow work on a job, or on one task of it.

    `attempts` counts how often it was begun, without the `deaths` of the process or house that was at it.
    """

    id: ChoreId
    what: ChoreWhat
    job_id: JobId
    task_id: TaskId | None
    attempts: int
    deaths: int
    queued_at: int


_ADD = text("""
    INSERT INTO chores (what, job_id, task_id, state, queued_at, due_at)
    VALUES (:what, :job_id, :task_id, 'queued', :now, :now)
""")
# by ix_chores_due, in which new chores, those that failed and those whose house died stand in one queue, so that none
# starves behind others however many come; a chore that is taken stays queued, but is due again only when whoever took
# it must be dead, which is no fault of the chore's own
_TAKE = """
    UPDATE chores SET due_at = :again_at, taken_by = :house,
        attempts = attempts + CASE WHEN taken_by = '' THEN 1 ELSE 0 END,
        deaths = deaths + CASE WHEN taken_by = '' THEN 0 ELSE 1 END
    WHERE id = (SELECT id FROM chores WHERE state = 'queued' AND due_at <= :now ORDER BY due_at, id LIMIT 1 {lock})
    RETURNING id, what, job_id, task_id, attempts, deaths, queued_at
"""
_TAKE_OF = {"sqlite": text(_TAKE.format(lock="")), "postgresql": text(_TAKE.format(lock="FOR UPDATE SKIP LOCKED"))}
# by the primary key: few are later than one that is being done
_ANEW = text("SELECT 1 FROM chores WHERE id > :id AND what = :what AND job_id = :job_id AND state IN ('queued', 'done')"
             " LIMIT 1")
_END = text("UPDATE chores SET state = :state, reason = :reason WHERE id = :id AND state = 'queued'")
# these by the partial index ix_chores_failed
_SUPERSEDE = text("""
    UPDATE chores SET state = 'done' WHERE state = 'failed' AND job_id = (SELECT job_id FROM chores WHERE id = :id)
    AND EXISTS (SELECT 1 FROM chores n WHERE n.id = :id AND n.id > chores.id AND n.what = chores.what
                AND (n.what IN ('clear', 'empty') OR coalesce(n.task_id, 0) = coalesce(chores.task_id, 0)))
""")
_SETTLE_FAILED = text("UPDATE chores SET state = 'done'"
                      " WHERE state = 'failed' AND job_id = :job_id AND what NOT IN ('clear', 'empty')")
_LET_GO = text("UPDATE chores SET state = 'done' WHERE state = 'failed' AND job_id = :job_id RETURNING what, task_id")
_RETRY = text("UPDATE chores SET due_at = :due_at, reason = :reason, taken_by = '' WHERE id = :id AND state = 'queued'")
_PUT_BACK = text("UPDATE chores SET due_at = :due_at, taken_by = '', attempts = attempts - 1"
                 " WHERE id = :id AND state = 'queued' AND taken_by = :house")
_LOSE = text("""
    UPDATE chores SET due_at = CASE WHEN :due_at = 0 THEN queued_at ELSE :due_at END, taken_by = '',
        attempts = attempts - 1, deaths = deaths + 1
    WHERE id = :id AND state = 'queued'
""")
_TAKEN_BY = text("SELECT id, what, job_id, task_id, attempts, deaths, queued_at FROM chores"
                 " WHERE state = 'queued' AND taken_by = :house ORDER BY id")
_DUE = text("SELECT 1 FROM chores WHERE state = 'queued' AND due_at <= :now LIMIT 1")
_TOO_LATE = text("SELECT 1 FROM chores WHERE state = 'queued' AND due_at > :until LIMIT 1")
_HASTEN = text("UPDATE chores SET due_at = :now WHERE state = 'queued' AND due_at > :until")
_RENEW = text("UPDATE chores SET due_at = :due_at WHERE id = :id AND state = 'queued' AND taken_by = :house")
# by the partial index ix_chores_waiting
_WAITING = text("SELECT count(*) FROM chores WHERE state = 'queued' AND job_id = :job_id"
                " AND what NOT IN ('clear', 'empty')")
_CLEARING = text("SELECT count(*) FROM chores WHERE state = 'queued' AND what IN ('clear', 'empty')")
_GO_ON = text("UPDATE chores SET task_id = :task_id, due_at = :due_at, attempts = 0, deaths = 0, taken_by = ''"
              " WHERE id = :id")
_FAILED = text("SELECT id, what, job_id, task_id, attempts, deaths, queued_at FROM chores"
               " WHERE state = 'failed' ORDER BY id")


def add(tx: Tx, what: ChoreWhat, job_id: JobId, task_id: TaskId | None, now: int) -> None:
    """Queue a chore."""
    tx.later(_ADD, {"what": what, "job_id": job_id, "task_id": task_id, "now": now})


def is_due(tx: Tx, now: int) -> bool:
    """Say whether a chore is waiting to be taken."""
    return tx.execute(_DUE, {"now": now}).first() is not None


def take(tx: Tx, now: int, term_s: int, house: str = "") -> Chore | None:
    """Take the chore that waited longest, for a time and for a house; None where none is due."""
    row = tx.execute(_TAKE_OF[tx.dialect.name], {"now": now, "again_at": now + term_s, "house": house}).one_or_none()
    return None if row is None else _chore(row)


def taken_by(tx: Tx, house: str) -> list[Chore]:
    """Return the chores that a house has taken and not ended."""
    return [_chore(row) for row in tx.execute(_TAKEN_BY, {"house": house})]


def lose(tx: Tx, chore_id: ChoreId, due_at: int) -> None:
    """Let a chore be taken again whose process or house has died at it; at 0 in its old place of the queue, and now."""
    tx.execute(_LOSE, {"id": chore_id, "due_at": due_at})


def is_any_due_after(tx: Tx, until: int) -> bool:
    """Say whether a chore waits for longer than until a time."""
    return tx.execute(_TOO_LATE, {"until": until}).first() is not None


def hasten(tx: Tx, now: int, until: int) -> int:
    """Make what is due after a time due now; returns how many there were."""
    return tx.execute(_HASTEN, {"now": now, "until": until}).rowcount


def is_made_anew(tx: Tx, chore: Chore) -> bool:
    """Say whether what a chore makes of its job is made by a later one, or was."""
    return tx.execute(_ANEW, {"id": chore.id, "what": chore.what, "job_id": chore.job_id}).first() is not None


def end(tx: Tx, chore_id: ChoreId, *, failed: bool, reason: str = "") -> None:
    """End a chore for good; one that ends well settles those before it that were to make the same and were given up."""
    tx.execute(_END, {"id": chore_id, "state": "failed" if failed else "done", "reason": reason})
    if not failed:
        tx.later(_SUPERSEDE, {"id": chore_id})


def renew(tx: Tx, chore_id: ChoreId, due_at: int, house: str = "") -> None:
    """Keep a chore that a house is doing from being taken again before a time."""
    tx.execute(_RENEW, {"id": chore_id, "due_at": due_at, "house": house})


def retry(tx: Tx, chore_id: ChoreId, due_at: int, reason: str) -> None:
    """Let a chore be taken again from a time on."""
    tx.execute(_RETRY, {"id": chore_id, "due_at": due_at, "reason": reason})


def put_back(tx: Tx, chore_id: ChoreId, due_at: int, house: str = "") -> None:
    """Let a chore be taken again from a time on, as if its house had not taken it; not where another has it by now."""
    tx.execute(_PUT_BACK, {"id": chore_id, "due_at": due_at, "house": house})


def count_waiting(tx: Tx, job_id: JobId) -> int:
    """Return how many chores of a job that make something are not done yet."""
    return int(tx.execute(_WAITING, {"job_id": job_id}).scalar_one())


def count_clearing(tx: Tx) -> int:
    """Return how many jobs are being cleared."""
    return int(tx.execute(_CLEARING).scalar_one())


def go_on(tx: Tx, chore_id: ChoreId, task_id: TaskId | None, due_at: int) -> None:
    """Let a chore that is done piece by piece be taken again from a time on, from behind a task on."""
    tx.execute(_GO_ON, {"id": chore_id, "task_id": task_id, "due_at": due_at})


def queue_again(tx: Tx, job_id: JobId, now: int) -> int:
    """Queue the chores of a job that were given up anew, of several of the same one; returns how many.

    Just those that this transaction lets go: what fails meanwhile stays given up, and what another one lets go is its.
    """
    given_up = {(row.what, row.task_id) for row in tx.execute(_LET_GO, {"job_id": job_id})}
    anew = sorted(given_up, key=lambda one: (one[0], one[1] or 0))
    if anew:
        tx.execute(_ADD, [{"what": what, "job_id": job_id, "task_id": task_id, "now": now} for what, task_id in anew])
    return len(anew)


def settle_failed(tx: Tx, job_id: JobId) -> None:
    """Let go of what was to be made of a job and was given up: nothing can be made of it now."""
    tx.execute(_SETTLE_FAILED, {"job_id": job_id})


def failed(tx: Tx) -> list[Chore]:
    """Return the chores that were given up."""
    return [_chore(row) for row in tx.execute(_FAILED)]


def _chore(row: Row[Any]) -> Chore:
    task_id = None if row.task_id is None else TaskId(row.task_id)
    return Chore(ChoreId(row.id), ChoreWhat(row.what), JobId(row.job_id), task_id, row.attempts, row.deaths,
                 row.queued_at)
