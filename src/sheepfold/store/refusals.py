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


def add(tx: Tx, machine_id: MachineId, job_id: JobId, until_at: int, now: int) -> None:
    """Note that a machine is not offered a job before a time; what is past for this machine is forgotten with it."""
    tx.execute(_FORGET, {"machine_id": machine_id, "now": now})
    tx.execute(_ADD, {"machine_id": machine_id, "job_id": job_id, "until_at": until_at})
