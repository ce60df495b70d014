"""Whether a store's files are of the farm that a database tells of: one that knows nothing would have all swept."""

from sheepfold.blobs.blobs import Blobs
from sheepfold.config import Settings
from sheepfold.model.accounts import ANONYMOUS
from sheepfold.model.errors import Conflict
from sheepfold.store import identity
from sheepfold.store.database import Database, Tx
from sheepfold.store.opening import is_made

_ORPHANS = ("There are files of a farm here, and {}: are --data, DATABASE_URL and BLOBS_URL what they were? Nothing was"
            " changed. Restore the farm's backup elsewhere, or move the files away to begin a new farm.")
_STRANGE = ("The files here are of farm {}, and the database is of farm {}: are --data, DATABASE_URL and BLOBS_URL what"
            " they were? Nothing was changed. If they belong together all the same, delete `farm` among the files.")


def is_here(settings: Settings) -> bool:
    """Say whether a farm's files lie in a folder, which answers at once, and not on a network that may be down."""
    return not settings.blobs_url.startswith("s3://")


def see_database(settings: Settings, blobs: Blobs) -> None:
    """See that no new database is about to be made beside an old store in a folder; raises Conflict."""
    if is_here(settings) and not is_made(settings.database_url, settings.data) and _any_file(blobs):
        raise Conflict(_ORPHANS.format("no database"))


def identity_of(tx: Tx) -> tuple[str, bool]:
    """Return a farm's id, and whether it is as new: it knows nobody and no file."""
    return identity.farm_id(tx), identity.is_blank(tx, ANONYMOUS)


def see_files(db: Database, blobs: Blobs) -> None:
    """See that a store's files are the farm's own; a store that says nothing is told whose it is.

    Raises Conflict, and StoreUnavailable where the store does not answer.
    """
    (farm, is_blank), owner = db.read(identity_of), blobs.owner()
    if owner == farm:
        return
    if (owner or is_blank) and _any_file(blobs):
        raise Conflict(_STRANGE.format(owner, farm) if owner else _ORPHANS.format("the database is a new one"))
    blobs.belong_to(farm)


def _any_file(blobs: Blobs) -> bool:
    return next(blobs.list_digests(), None) is not None
