"""What the owner asks of the farm's disk."""

from fastapi import APIRouter

from sheepfold.farm.storage import Storage, read_storage
from sheepfold.protocols.rest.callers import CancelerHere, FarmHere
from sheepfold.protocols.rest.storage_wire import DueOut, PileOut, StorageOut

router = APIRouter(tags=["jobs"])


@router.get("/storage", summary="See what lies on the disk")
def get_storage(farm: FarmHere, account: CancelerHere) -> StorageOut:
    """See what lies on the farm's disk, what of it is kept for ever, and which jobs are cleared next; for the owner."""
    return storage_out(read_storage(farm, account))


def storage_out(storage: Storage) -> StorageOut:
    """Write what lies on the disk, as the command line too shows it."""
    return StorageOut(
        counted_at=storage.counted_at, size_bytes=storage.size_bytes,
        piles=[PileOut(sort=pile.sort, files=pile.blobs, size_bytes=pile.size_bytes) for pile in storage.piles],
        limit_bytes=storage.limit_bytes, keep_days=storage.keep_days, clearing=storage.clearing,
        kept_jobs=storage.kept_jobs,
        next=[DueOut(job=due.job_id, title=due.title, kind=due.kind, account=due.account, ended_at=due.ended_at,
                     clears_at=storage.clears_at(due)) for due in storage.next],
    )
