"""Where a database is opened, whichever it is."""

from pathlib import Path

from sheepfold.store.database import Database
from sheepfold.store.postgres import PostgresDatabase
from sheepfold.store.sqlite import SqliteDatabase


def open_database(url: str, data: Path) -> Database:
    """Open the database at a URL, or SQLite in the data folder where it is empty, and bring its schema up to date."""
    if not url:
        make_private_folder(data)
        url = f"sqlite:///{data / 'farm.sqlite'}"
    if url.startswith("sqlite"):
        return SqliteDatabase(url)
    return PostgresDatabase(url)


def make_private_folder(folder: Path) -> None:
    """Make a folder for its user alone where there is none, whatever the umask lets; one that is there stays as it is.

    A farm's database has secrets in it that open something: those of webhooks, and what factories answer with.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
