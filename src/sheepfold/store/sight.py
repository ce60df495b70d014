"""Rows of who may see what: private jobs, and the links that show one."""

from collections.abc import Iterable, Sequence

from sqlalchemy import insert, select, text

from sheepfold.model.accounts import AccountId
from sheepfold.model.jobs import JobId
from sheepfold.model.tasks import TaskId
from sheepfold.store import schema
from sheepfold.store.database import Tx

_JOB_OF_TASK = text("SELECT job_id FROM tasks WHERE id = :task_id")
_SET_PRIVATE = text("UPDATE jobs SET private_at = :at WHERE id = :job_id")
# by ix_shares_job_id
_LIVING = text("SELECT count(*) FROM shares WHERE job_id = :job_id AND revoked_at IS NULL")
_REVOKE = text("UPDATE shares SET revoked_at = :now WHERE job_id = :job_id AND revoked_at IS NULL")


def job_of_task(tx: Tx, task_id: TaskId) -> JobId | None:
    """Return the job of a task, None where there is no such task."""
    found = tx.execute(_JOB_OF_TASK, {"task_id": task_id}).scalar_one_or_none()
    return None if found is None else JobId(found)


def private_among(tx: Tx, job_ids: Iterable[JobId]) -> dict[JobId, AccountId]:
    """Return which of these jobs are private, with their accounts; by the primary key, or by ix_jobs_private."""
    wanted = set(job_ids)
    if not wanted:
        return {}
    jobs = schema.jobs.c
    query = select(jobs.id, jobs.account_id).where(jobs.private_at.is_not(None), jobs.id.in_(wanted))
    return {JobId(row.id): AccountId(row.account_id) for row in tx.execute(query)}


def set_private(tx: Tx, job_id: JobId, at: int | None) -> None:
    """Write since when a job is private, None for never."""
    tx.execute(_SET_PRIVATE, {"job_id": job_id, "at": at})


def add_share(tx: Tx, job_id: JobId, token_hash: str, now: int) -> None:
    """Add a link to a job."""
    tx.execute(insert(schema.shares).values(job_id=job_id, token_hash=token_hash, made_at=now))


def count_shares(tx: Tx, job_id: JobId) -> int:
    """Return how many links to a job live."""
    return int(tx.execute(_LIVING, {"job_id": job_id}).scalar_one())


def revoke_shares(tx: Tx, job_id: JobId, now: int) -> int:
    """Revoke all links to a job; returns how many."""
    return tx.execute(_REVOKE, {"job_id": job_id, "now": now}).rowcount


def jobs_shared_by(tx: Tx, token_hashes: Sequence[str]) -> set[JobId]:
    """Return the jobs that the living links among these show; by uq_shares_token_hash."""
    if not token_hashes:
        return set()
    shares = schema.shares.c
    query = select(shares.job_id).where(shares.token_hash.in_(token_hashes), shares.revoked_at.is_(None))
    return {JobId(row.job_id) for row in tx.execute(query)}
