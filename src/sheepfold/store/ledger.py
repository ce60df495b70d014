"""Rows of the ledger: credit, one row for a valid result, so that no retry pays twice."""

from sqlalchemy import text

from sheepfold.model.accounts import AccountId
from sheepfold.model.credit import Millipoints
from sheepfold.model.jobs import JobId
from sheepfold.model.lifecycle import RESULTS_OF_A_LEASE
from sheepfold.model.machines import MachineId
from sheepfold.model.tasks import Result, Verdict
from sheepfold.store.database import Tx

_PAY = text("""
    INSERT INTO ledger (result_id, account_id, job_id, millipoints, earned_at)
    VALUES (:result_id, :account_id, :job_id, :millipoints, :now)
    ON CONFLICT (result_id) DO NOTHING
""")
# by ix_ledger_account_id
_BALANCE = text("SELECT coalesce(sum(millipoints), 0) FROM ledger WHERE account_id = :account_id")
# by ix_results_machine_id_id
# of several results of a lease a valid one counts, which 'valid' is by the alphabet; the blank ones of a task count as
# one, since it may be meant to be blank, with nobody else there to confirm it
_VERDICTS = text("""
    SELECT max(verdict) AS verdict FROM (
        SELECT id, verdict, CASE WHEN soundness = 'blank' THEN -task_id ELSE lease_id END AS occasion
        FROM results WHERE machine_id = :machine_id AND verdict <> 'pending' ORDER BY id DESC LIMIT :most
    ) AS newest GROUP BY occasion ORDER BY max(id) DESC LIMIT :limit
""")


def pay(tx: Tx, result: Result, job_id: JobId, millipoints: Millipoints, now: int) -> bool:
    """Credit a result's account; False where this result was paid before."""
    row = {"result_id": result.id, "account_id": result.account_id, "job_id": job_id, "millipoints": millipoints,
           "now": now}
    return tx.execute(_PAY, row).rowcount > 0


def balance(tx: Tx, account_id: AccountId) -> Millipoints:
    """Return what an account has earned."""
    return Millipoints(int(tx.execute(_BALANCE, {"account_id": account_id}).scalar_one()))


def newest_verdicts(tx: Tx, machine_id: MachineId, limit: int) -> list[Verdict]:
    """Return a machine's last verdicts, newest first, one for each of its leases, of blank pictures for each task."""
    values = {"machine_id": machine_id, "limit": limit, "most": limit * RESULTS_OF_A_LEASE}
    return [Verdict(row.verdict) for row in tx.execute(_VERDICTS, values)]
