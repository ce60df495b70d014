"""Rows of baselines: of each name that an account gave to a page, the job whose pictures were accepted last."""

from sqlalchemy import text

from sheepfold.model.accounts import AccountId
from sheepfold.model.jobs import JobId
from sheepfold.store.database import Tx

# by pk_baselines
_FIND = text("SELECT job_id FROM baselines WHERE account_id = :account_id AND name = :name")
_ACCEPT = text("""
    INSERT INTO baselines (account_id, name, job_id, accepted_at) VALUES (:account_id, :name, :job_id, :now)
    ON CONFLICT (account_id, name) DO UPDATE SET job_id = excluded.job_id, accepted_at = excluded.accepted_at
""")


def find(tx: Tx, account_id: AccountId, name: str) -> JobId | None:
    """Return the job whose pictures were accepted last under a name, or None."""
    found = tx.execute(_FIND, {"account_id": account_id, "name": name}).scalar_one_or_none()
    return None if found is None else JobId(found)


def accept(tx: Tx, account_id: AccountId, name: str, job_id: JobId, now: int) -> None:
    """Let a job's pictures be what later ones of the name are held against."""
    tx.execute(_ACCEPT, {"account_id": account_id, "name": name, "job_id": job_id, "now": now})
