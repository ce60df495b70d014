"""A whole database as files, taken while it is at work, and a new database made of them.

SQLite is copied by its own online backup into one file. Of PostgreSQL every table is copied out inside one snapshot,
a file each, so that neither pg_dump nor a server of the same version is needed.
"""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from sqlalchemy import Table, text

from sheepfold.model.errors import BadInput
from sheepfold.store.database import Database, Tx
from sheepfold.store.opening import open_database
from sheepfold.store.schema import metadata

SQLITE_FILE = "farm.sqlite"
CHUNK_BYTES = 2**20
_REVISION = text("SELECT version_num FROM alembic_version")


def save_database(db: Database, folder: Path) -> str:
    """Write all that a database holds at this moment into a folder; returns which sort of database it was."""
    folder.mkdir(parents=True, exist_ok=True)
    if db.url.startswith("sqlite"):
        db.look(lambda tx: _save_sqlite(tx, folder / SQLITE_FILE))
        return "sqlite"
    db.read(lambda tx: _save_tables(tx, folder))
    return "postgresql"


def revision_of(db: Database) -> str:
    """Return the number of the last migration that a database has seen."""
    return str(db.look(lambda tx: tx.execute(_REVISION).scalar_one()))


def load_database(url: str, data: Path, folder: Path, sort: str, revision: str) -> None:
    """Make a new database of what `save_database` wrote.

    Raises BadInput where there is a farm already, or where the files are of another sort, or, for PostgreSQL, of
    another revision of the schema.
    """
    is_sqlite = not url or url.startswith("sqlite")
    if is_sqlite is not (sort == "sqlite"):
        raise BadInput(f"This is a backup of a farm on {sort}; restore it to the same.")
    if is_sqlite:
        _load_sqlite(url, data, folder / SQLITE_FILE)
        return
    db = open_database(url, data)
    try:
        if revision_of(db) != revision:
            raise BadInput(f"The backup is of revision {revision}, this program's is {revision_of(db)}: restore it with"
                           " the release that made it, then upgrade.")
        db.write(lambda tx: _load_tables(tx, folder))
    finally:
        db.close()


def _save_sqlite(tx: Tx, file: Path) -> None:
    partial = file.with_suffix(".part")
    partial.unlink(missing_ok=True)
    with closing(sqlite3.connect(partial)) as target:
        tx.driver.backup(target)  # all pages in one step: a snapshot, during which others go on writing
        target.execute("PRAGMA journal_mode=DELETE")  # one file, and nothing beside it
    partial.replace(file)


def _load_sqlite(url: str, data: Path, source: Path) -> None:
    target = Path(url.removeprefix("sqlite:///")) if url else data / SQLITE_FILE
    if target.exists():
        raise BadInput(f"There is a farm at {target} already.")
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


def _columns(table: Table) -> str:
    return ", ".join(f'"{column.name}"' for column in table.columns)


def _save_tables(tx: Tx, folder: Path) -> None:
    for table in metadata.sorted_tables:
        copy = f'COPY "{table.name}" ({_columns(table)}) TO STDOUT'
        with (folder / f"{table.name}.copy").open("wb") as file, tx.driver.cursor().copy(copy) as rows:
            for chunk in rows:
                file.write(chunk)


def _load_tables(tx: Tx, folder: Path) -> None:
    if tx.execute(text("SELECT 1 FROM accounts LIMIT 1")).first() is not None:
        raise BadInput("There is a farm in this database already.")
    for table in metadata.sorted_tables:
        copy = f'COPY "{table.name}" ({_columns(table)}) FROM STDIN'
        with (folder / f"{table.name}.copy").open("rb") as file, tx.driver.cursor().copy(copy) as rows:
            while chunk := file.read(CHUNK_BYTES):
                rows.write(chunk)
        if "id" in table.columns and table.columns["id"].identity is not None:
            tx.execute(text(f"""
                SELECT setval(pg_get_serial_sequence('{table.name}', 'id'), (SELECT max(id) FROM "{table.name}"))
                WHERE EXISTS (SELECT 1 FROM "{table.name}")
            """))  # noqa: S608 -- of the schema's own names
