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
_GONE = ("The database names files, and where they should be there is none: is the disk mounted, are --data and"
         " BLOBS_URL what they were? Nothing was changed. If they are lost for good, write {} into a file `farm`"
         " there.")


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
    farm, owner = db.read(identity.farm_id), blobs.owner()
    if owner == farm:
        return
    if found := _doubt(db, blobs, farm, owner):
        raise Conflict(found)
    blobs.belong_to(farm)


def doubt_of(db: Database, blobs: Blobs) -> str:
    """Say why a store's files are not the farm's own, or nothing; raises StoreUnavailable."""
    farm, owner = db.read(identity.farm_id), blobs.owner()
    return "" if owner == farm else _doubt(db, blobs, farm, owner)


def _doubt(db: Database, blobs: Blobs, farm: str, owner: str) -> str:
    """Say what speaks against a store that bears another farm's name, or none."""
    _, is_blank = db.read(identity_of)
    names_files = db.read(identity.names_files)  # before the files are looked for: a file is kept before it is named
    if _any_file(blobs):
        if owner:
            return _STRANGE.format(owner, farm)
        return _ORPHANS.format("the database is a new one") if is_blank else ""
    return _GONE.format(farm) if names_files else ""


def _any_file(blobs: Blobs) -> bool:
    return next(blobs.list_digests(), None) is not None
