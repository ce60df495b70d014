"""Remaking: films and previews that were given up are tried once more, by whoever has seen to what hindered them."""

from sheepfold.farm.farm import Farm
from sheepfold.farm.rights import own_job
from sheepfold.model.accounts import Account
from sheepfold.model.jobs import JobId
from sheepfold.store import chores as chore_rows
from sheepfold.store.database import Tx


def remake(farm: Farm, account: Account, job_id: JobId) -> int:
    """Have what was given up of a job of this account made after all, or of any as the owner; returns how much it is.

    Of a job whose pictures are cleared nothing can be made any more, and what was given up of it is settled. Raises
    UnknownJob, Forbidden.
    """

    def again(tx: Tx) -> int:
        job = own_job(tx, account, job_id)
        if job.cleared_at is not None:
            chore_rows.settle_failed(tx, job_id)
        return chore_rows.queue_again(tx, job_id, farm.now())

    return farm.db.write(again)
