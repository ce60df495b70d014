"""How long an order of screenshots is worth making: prolonged by its owner, ended when its time is up."""

from collections.abc import Iterable

from sheepfold.farm.farm import Farm
from sheepfold.farm.orders import cancel_order
from sheepfold.farm.rights import own_job
from sheepfold.model.accounts import Account
from sheepfold.model.errors import JobEnded, UnknownJob
from sheepfold.model.jobs import JobId, JobState
from sheepfold.store import jobs as job_rows
from sheepfold.store import visits as visit_rows
from sheepfold.store.database import Tx
from sheepfold.store.visits import Visit

AT_A_TIME = 100


def prolong(farm: Farm, account: Account, job_id: JobId) -> int | None:
    """Make an order worth making for the usual time from now, and return until when; None where it never expires.

    Raises UnknownJob, Forbidden where it is another account's, and JobEnded where it is too late.
    """

    def put_off(tx: Tx) -> int | None:
        visit = visit_rows.find_visit(tx, job_id)
        if visit is None:
            raise UnknownJob(f"There is no order of screenshots {job_id}.")
        job = own_job(tx, account, job_id)
        now = farm.now()
        if job.state is not JobState.RUNNING or _is_over(visit, now):
            raise JobEnded(f"Job {job_id} has ended, or expired.")
        if visit.expires_at is None:
            return None
        expires_at = max(visit.expires_at, now + farm.settings.screenshot_expiry_s)
        visit_rows.prolong(tx, job_id, expires_at)
        return expires_at

    return farm.db.write(put_off)


def expiry_of(farm: Farm, job_id: JobId) -> int | None:
    """Return until when an order of screenshots is worth making, None where it never expires."""
    visit = farm.db.look(lambda tx: visit_rows.find_visit(tx, job_id))
    return visit.expires_at if visit else None


def _is_over(visit: Visit, now: int) -> bool:
    return visit.expires_at is not None and visit.expires_at <= now


def expire_orders(farm: Farm) -> int:
    """End the orders that are worth nothing any more; returns how many there were. Looking costs no write."""
    over = farm.db.look(lambda tx: visit_rows.expired(tx, farm.now(), AT_A_TIME))
    end_orders(farm, over)
    return len(over)


def end_orders(farm: Farm, job_ids: Iterable[JobId]) -> None:
    """End orders that were worth nothing any more when one looked."""
    for job_id in job_ids:
        _expire(farm, job_id)


def _expire(farm: Farm, job_id: JobId) -> None:
    def expire(tx: Tx) -> None:
        now = farm.now()
        visit = visit_rows.find_visit(tx, job_id)
        if visit is None or not _is_over(visit, now):
            return
        if job_rows.job_of(tx, job_id).state is JobState.RUNNING:
            cancel_order(tx, job_id, now)
        visit_rows.close(tx, job_id, now)

    farm.db.write(expire)
