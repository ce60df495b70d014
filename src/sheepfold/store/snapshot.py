"""A whole database as files, taken while it is at work, and a new database made of them.

SQLite is copied by its own online backup into one file. Of PostgreSQL every table is copied out inside one snapshot,
a file each, so that neither pg_dump nor a server of the same version is needed.
"""

import errno
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

import psycopg
from sqlalchemy import Table, text

from sheepfold.files import make_private_folder, sync
from sheepfold.model.errors import BadInput, Conflict
from sheepfold.store.database import Database, Tx
from sheepfold.store.migrations.revisions import is_newer, known, newest, revision_in
from sheepfold.store.opening import SQLITE_FILE, is_sqlite, open_database, sqlite_file
from sheepfold.store.schema import metadata

CHUNK_BYTES = 2**20
PAGES_AT_A_TIME = 2500


class Copied(NamedTuple):
    """Of which sort of database a copy is, and at which revision of the schema."""

    sort: str
    revision: str


def save_database(db: Database, folder: Path, goes_on: Callable[[], None] = lambda: None) -> Copied:
    """Write all that a database holds at this moment into a folder.

    `goes_on` is called after each piece, of some megabytes at most. Raises Conflict where a newer release has brought
    PostgreSQL up to date: it may have tables and columns of which nothing is known here; and OSError where the folder
    cannot be written to.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if is_sqlite(db.url):
        return Copied("sqlite", db.read(lambda tx: _save_sqlite(tx, folder / SQLITE_FILE, goes_on)))
    return Copied("postgresql", db.read(lambda tx: _save_tables(tx, folder, goes_on)))


def revision_of(db: Database) -> str:
    """Return the number of the last migration that a database has seen."""
    return db.look(revision_in)


def check_copy(folder: Path, sort: str, revision: str) -> list[str]:
    """Say what is wrong with what `save_database` wrote, as far as that shows at a glance: a file is missing, or no
    database.
    """
    if sort == "sqlite":
        trouble = _trouble_of_sqlite(folder / SQLITE_FILE, revision)
        return [trouble] if trouble else []
    tables = metadata.sorted_tables if revision == newest() else ()  # what another release had is not known
    files = [_file_of(folder, table) for table in tables]
    return [f"{file} is missing" for file in files if not file.is_file()]


def check_new(url: str, data: Path, sort: str, revision: str) -> None:
    """See that a database can be made there of what `save_database` wrote.

    Raises BadInput where there is a farm already, or a log of one that SQLite would replay, or where the files are of
    another sort, or of a newer revision of the schema, or, for PostgreSQL, of any other.
    """
    if is_sqlite(url) is not (sort == "sqlite"):
        raise BadInput(f"This is a backup of a farm on {sort}; restore it to the same.")
    if revision not in (known() if is_sqlite(url) else {newest()}):
        raise BadInput(f"The backup is of revision {revision}, this program's is {newest()}: restore it with the"
                       " release that made it, then upgrade.")
    if is_sqlite(url):
        _check_no_file(sqlite_file(url, data))
        return
    with closing(open_database(url, data)) as db:
        db.read(_check_no_farm)


def load_database(url: str, data: Path, folder: Path, revision: str, change: Callable[[Tx], None]) -> None:
    """Make a new database of what `save_database` wrote, as `change` changes it: the whole of it, or none.

    Raises BadInput as `check_new` does, and where a file is not what was written, and OSError where one cannot be read
    or SQLite's file not be written.
    """
    check_new(url, data, "sqlite" if is_sqlite(url) else "postgresql", revision)
    if is_sqlite(url):
        _load_sqlite(sqlite_file(url, data), folder / SQLITE_FILE, change)
        return

    def load(tx: Tx) -> None:
        _load_tables(tx, folder)
        change(tx)

    with closing(open_database(url, data)) as db:
        db.write(load)


def _save_sqlite(tx: Tx, file: Path, goes_on: Callable[[], None]) -> str:
    partial = file.with_suffix(".part")
    partial.unlink(missing_ok=True)
    revision = revision_in(tx)  # from this look on the transaction sees one moment, while others go on writing
    with _blaming(partial), closing(sqlite3.connect(partial)) as target:
        tx.driver.backup(target, pages=PAGES_AT_A_TIME, progress=lambda *_: goes_on())
        target.execute("PRAGMA journal_mode=DELETE")  # one file, and nothing beside it
    partial.replace(file)
    return revision


@contextmanager
def _blaming(file: Path) -> Iterator[None]:
    """Turn what SQLite says of a disk that fails into OSError, which names the file: it is none of a farm at work."""
    try:
        yield
    except sqlite3.OperationalError as error:
        raise OSError(errno.EIO, str(error), str(file)) from error


def _trouble_of_sqlite(file: Path, revision: str) -> str:
    if not file.is_file():
        return f"{file} is missing"
    try:
        with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)) as copy:
            found = copy.execute("SELECT version_num FROM alembic_version").fetchone()
    except sqlite3.Error as error:
        return f"{file} is no whole database of a farm: {error}"
    return "" if found == (revision,) else f"{file} is no database at revision {revision}"


def _check_no_file(target: Path) -> None:
    if target.exists():
        raise BadInput(f"There is a farm at {target} already.")
    if left := [str(path) for path in _beside(target) if path.exists()]:
        raise BadInput(f"A farm that was at {target} has left what SQLite would replay into this one: first move away"
                       f" {' and '.join(left)}.")


def _beside(file: Path) -> list[Path]:
    """Return where SQLite puts what is not in its file yet."""
    return [file.with_name(file.name + ending) for ending in ("-wal", "-shm", "-journal")]


def _load_sqlite(target: Path, source: Path, change: Callable[[Tx], None]) -> None:
    make_private_folder(target.parent)
    partial = target.with_name(target.name + ".part")
    for path in (partial, *_beside(partial)):
        path.unlink(missing_ok=True)
    shutil.copyfile(source, partial)
    with closing(open_database(f"sqlite:///{partial}", target.parent)) as db:
        db.write(change)
    with _blaming(partial), closing(sqlite3.connect(partial)) as made:
        made.execute("PRAGMA journal_mode=DELETE")  # one file, and nothing beside it
    sync(partial)
    partial.rename(target)
    sync(target.parent)


def _file_of(folder: Path, table: Table) -> Path:
    return folder / f"{table.name}.copy"


def _columns(table: Table) -> str:
    return ", ".join(f'"{column.name}"' for column in table.columns)


def _save_tables(tx: Tx, folder: Path, goes_on: Callable[[], None]) -> str:
    if is_newer(revision := revision_in(tx)):
        raise Conflict(f"A newer release has brought the database to revision {revision}, this program's is {newest()}:"
                       " make the backup with that release.")
    for table in metadata.sorted_tables:
        copy = f'COPY "{table.name}" ({_columns(table)}) TO STDOUT'
        with _file_of(folder, table).open("wb") as file, tx.driver.cursor().copy(copy) as rows:
            for chunk in rows:
                file.write(chunk)
                goes_on()
    return revision


def _check_no_farm(tx: Tx) -> None:
    if is_newer(revision := revision_in(tx)):
        raise BadInput(f"A newer release has brought the database to revision {revision}, this program's is {newest()}:"
                       " restore into another database, or with that release.")
    if tx.execute(text("SELECT 1 FROM accounts LIMIT 1")).first() is not None:
        raise BadInput("There is a farm in this database already.")


def _load_tables(tx: Tx, folder: Path) -> None:
    _check_no_farm(tx)
    tx.execute(text("DELETE FROM identity"))  # the database was made with one of its own
    for table in metadata.sorted_tables:
        _load_table(tx, table, _file_of(folder, table))
        if "id" in table.columns and table.columns["id"].identity is not None:
            tx.execute(text(f"""
                SELECT setval(pg_get_serial_sequence('{table.name}', 'id'), (SELECT max(id) FROM "{table.name}"))
                WHERE EXISTS (SELECT 1 FROM "{table.name}")
            """))  # noqa: S608 -- of the schema's own names


def _load_table(tx: Tx, table: Table, source: Path) -> None:
    try:
        with (source.open("rb") as file,
              tx.driver.cursor().copy(f'COPY "{table.name}" ({_columns(table)}) FROM STDIN') as rows):
            while chunk := file.read(CHUNK_BYTES):
                rows.write(chunk)
    except (psycopg.DataError, psycopg.IntegrityError) as error:  # behind its first line a row may stand
        raise BadInput(f"{source} is damaged: {str(error).splitlines()[0]}") from None
