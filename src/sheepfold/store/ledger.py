"""Rows of the ledger: credit, one row for a valid result, so that no retry pays or spends twice."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, text

from sheepfold.model.accounts import AccountId
from sheepfold.model.credit import Effort, Millipoints, Purse, power
from sheepfold.model.jobs import JobId
from sheepfold.model.lifecycle import RESULTS_OF_A_LEASE
from sheepfold.model.machines import MachineId
from sheepfold.model.tasks import Result, ResultId, Verdict
from sheepfold.store.database import Question, Tx

NEWEST = 32
"""So many of a machine's newest results tell its power."""

# the payer is the account whose job it is
_PAY = text("""
    INSERT INTO ledger (result_id, account_id, payer_id, job_id, millipoints, cost_ms, taken_s, earned_at)
    VALUES (:result_id, :account_id, (SELECT account_id FROM jobs WHERE id = :job_id), :job_id, :millipoints, :cost_ms,
            :taken_s, :now)
    ON CONFLICT (result_id) DO NOTHING
""")
# by ix_results_machine_id_id, then uq_ledger_result_id
_BEFORE = text("""
    SELECT r.submitted_at, g.cost_ms, g.taken_s FROM results r LEFT JOIN ledger g ON g.result_id = r.id
    WHERE r.machine_id = :machine_id AND r.id < :before ORDER BY r.id DESC LIMIT :newest
""")
# by the two covering indexes of the ledger
_PURSE = """
    SELECT a.id, (SELECT coalesce(sum(g.millipoints), 0) FROM ledger g WHERE g.account_id = a.id) AS earned,
           (SELECT coalesce(sum(g.millipoints), 0) FROM ledger g WHERE g.payer_id = a.id) AS spent
    FROM accounts a
"""
_PURSE_OF = text(_PURSE + " WHERE a.id = :account_id")
_PURSES = text(_PURSE)
_WAITING = " WHERE a.id IN (SELECT account_id FROM lanes WHERE drained_at IS NULL)"
_PURSES_OF_WAITING = text(_PURSE + _WAITING)
_NEWEST = text("SELECT coalesce(max(id), 0) FROM ledger")
_FAVOUR = text("UPDATE accounts SET favour = :favour WHERE id = :account_id AND favour <> :favour")
# by ix_results_machine_id_id
# Of several results of a lease a valid one counts, which 'valid' is by the alphabet. The blank ones of a task count as
# one; those of a job as one where nobody made anything else, since it may be meant to be blank, with nobody there to
# confirm it; and those whose order ended before anybody could do not count.
_VERDICTS = text("""
    SELECT max(verdict) AS verdict FROM (
        SELECT r.id, r.verdict,
               CASE WHEN r.soundness <> 'blank' THEN 'lease' WHEN t.state = 'done' THEN 'task' ELSE 'job' END AS what,
               CASE WHEN r.soundness <> 'blank' THEN r.lease_id WHEN t.state = 'done' THEN t.id ELSE t.job_id END AS one
        FROM results r JOIN tasks t ON t.id = r.task_id
        WHERE r.machine_id = :machine_id AND r.verdict <> 'pending'
          AND NOT (r.soundness = 'blank' AND t.state = 'canceled' AND r.verdict = 'invalid')
        ORDER BY r.id DESC LIMIT :most
    ) AS newest GROUP BY what, one ORDER BY max(id) DESC LIMIT :limit
""")


@dataclass(frozen=True, slots=True)
class Past:
    """What a machine did before a result: when its last upload came, 0 for never, and its newest valid pictures."""

    last_at: int
    efforts: tuple[Effort, ...]


def pay(tx: Tx, result: Result, job_id: JobId, effort: Effort, millipoints: Millipoints, now: int) -> None:
    """Move points from the account whose job it is to a result's; nothing where this result was paid before."""
    row = {"result_id": result.id, "account_id": result.account_id, "job_id": job_id, "millipoints": millipoints,
           "cost_ms": effort.cost_ms, "taken_s": effort.taken_s, "now": now}
    tx.later(_PAY, row)


def past_of(tx: Tx, machine_id: MachineId, before: ResultId | None = None) -> Past:
    """Return what a machine did, up to a result where one is given."""
    return past_in(tx.execute(*past_asked(machine_id, before)).all())


def past_asked(machine_id: MachineId, before: ResultId | None = None) -> Question:
    """Return the question that `past_in` reads the answer of, to be asked along with others."""
    return _BEFORE, {"machine_id": machine_id, "before": 2**62 if before is None else before, "newest": NEWEST}


def past_in(rows: Sequence[Any]) -> Past:
    """Return the past that rows tell of."""
    efforts = tuple(Effort(row.cost_ms, row.taken_s) for row in rows if row.cost_ms is not None)
    return Past(rows[0].submitted_at if rows else 0, efforts)


def powers_of(tx: Tx, machine_ids: Sequence[MachineId]) -> list[float | None]:
    """Return how many reference cores each machine is worth, None while too little is known."""
    return [power(past_in(rows).efforts) for rows in tx.in_turn(*(past_asked(one) for one in machine_ids))]


def newest_id(tx: Tx) -> int:
    """Return the id of the newest row, 0 where there is none: about how many there are."""
    return int(tx.execute(_NEWEST).scalar_one())


def purse_of(tx: Tx, account_id: AccountId) -> Purse:
    """Return what an account has earned and spent."""
    return _purse(tx.execute(_PURSE_OF, {"account_id": account_id}).one())


def purses(tx: Tx, *, waiting: bool = False) -> dict[AccountId, Purse]:
    """Return what each account has earned and spent, or only those whose jobs are waiting for machines."""
    rows = tx.execute(_PURSES_OF_WAITING if waiting else _PURSES)
    return {AccountId(row.id): _purse(row) for row in rows}


def set_favour(tx: Tx, account_id: AccountId, favour: int) -> bool:
    """Write how many times its share an account gets; False where it was so before."""
    return tx.execute(_FAVOUR, {"account_id": account_id, "favour": favour}).rowcount > 0


def _purse(row: Row[Any]) -> Purse:
    return Purse(Millipoints(int(row.earned)), Millipoints(int(row.spent)))


def newest_verdicts(tx: Tx, machine_id: MachineId, limit: int) -> list[Verdict]:
    """Return a machine's last verdicts, newest first: one for each of its leases, fewer for blank pictures."""
    values = {"machine_id": machine_id, "limit": limit, "most": limit * RESULTS_OF_A_LEASE}
    return [Verdict(row.verdict) for row in tx.execute(_VERDICTS, values)]
