"""Rows of refusals: which jobs a machine is not offered for a time, since it cannot or will not render them."""

from sqlalchemy import text

from sheepfold.model.jobs import JobId
from sheepfold.model.machines import MachineId
from sheepfold.store.database import Tx

_ADD = text("""
    INSERT INTO refusals (machine_id, job_id, until_at) VALUES (:machine_id, :job_id, :until_at)
    ON CONFLICT (machine_id, job_id) DO UPDATE SET until_at = excluded.until_at
""")
_FORGET = text("DELETE FROM refusals WHERE machine_id = :machine_id AND until_at <= :now")
_ANY_OLD = text("SELECT 1 FROM refusals WHERE until_at < :until LIMIT 1")
_FORGET_OLD = text("""
    DELETE FROM refusals WHERE (machine_id, job_id) IN (
        SELECT machine_id, job_id FROM refusals WHERE until_at < :until LIMIT :limit)
""")


def add(tx: Tx, machine_id: MachineId, job_id: JobId, until_at: int, now: int) -> None:
    """Note that a machine is not offered a job before a time; what is past for this machine is forgotten with it."""
    tx.execute(_FORGET, {"machine_id": machine_id, "now": now})
    tx.execute(_ADD, {"machine_id": machine_id, "job_id": job_id, "until_at": until_at})


def are_over(tx: Tx, until: int) -> bool:
    """Say whether there are refusals that ended before a time."""
    return tx.execute(_ANY_OLD, {"until": until}).first() is not None


def forget(tx: Tx, until: int, limit: int) -> int:
    """Forget refusals that ended before a time, so many at most; returns how many."""
    return tx.execute(_FORGET_OLD, {"until": until, "limit": limit}).rowcount
