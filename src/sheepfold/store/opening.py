"""Where a database is opened, whichever it is."""

from pathlib import Path

from sheepfold.files import make_private_folder
from sheepfold.store.database import Database
from sheepfold.store.postgres import PostgresDatabase
from sheepfold.store.sqlite import SqliteDatabase

SQLITE_FILE = "farm.sqlite"
"""What the database is called in a data folder."""


def is_sqlite(url: str) -> bool:
    """Say whether a URL, or none, means SQLite."""
    return not url or url.startswith("sqlite")


def sqlite_file(url: str, data: Path) -> Path:
    """Return the file that a URL means, or the one in the data folder where it is empty."""
    return Path(url.removeprefix("sqlite:///")) if url else data / SQLITE_FILE


def is_made(url: str, data: Path) -> bool:
    """Say whether there is a database at a URL, or in the data folder; of PostgreSQL only that there may be one."""
    return not is_sqlite(url) or sqlite_file(url, data).exists()


def open_database(url: str, data: Path) -> Database:
    """Open the database at a URL, or SQLite in the data folder where it is empty, and bring its schema up to date."""
    if not url:
        make_private_folder(data)
        url = f"sqlite:///{data / SQLITE_FILE}"
    if is_sqlite(url):
        return SqliteDatabase(url)
    return PostgresDatabase(url)
