"""Where a database is opened, whichever it is."""

from pathlib import Path

from sheepfold.files import make_private_folder
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
