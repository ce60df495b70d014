"""Which farm a database is of."""

from sqlalchemy import text

from sheepfold.store.database import Tx

_FARM = text("SELECT farm FROM identity")
_KNOWS_ANYTHING = text("""
    SELECT 1 FROM accounts WHERE name <> :anonymous UNION ALL SELECT 1 FROM blobs LIMIT 1
""")
_NAMES_FILES = text("SELECT 1 FROM blobs WHERE cleared_at IS NULL LIMIT 1")


def farm_id(tx: Tx) -> str:
    """Return the word of 16 signs that tells this farm from all others."""
    return str(tx.execute(_FARM).scalar_one())


def is_blank(tx: Tx, anonymous: str) -> bool:
    """Say whether a farm is as it was made: it knows no file, and nobody but the account that every farm has."""
    return tx.execute(_KNOWS_ANYTHING, {"anonymous": anonymous}).first() is None


def names_files(tx: Tx) -> bool:
    """Say whether a farm knows of a file that should be there."""
    return tx.execute(_NAMES_FILES).first() is not None
