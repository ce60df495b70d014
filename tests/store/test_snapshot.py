"""Copies of databases, and of which revision of the schema they are."""

from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text
from tests.conftest import new_database
from tests.store.conftest import Rows

from sheepfold.model.errors import BadInput, Conflict
from sheepfold.store.database import Database
from sheepfold.store.migrations.revisions import newest
from sheepfold.store.opening import open_database
from sheepfold.store.snapshot import Copied, check_new, load_database, revision_of, save_database

NEWER = f"{int(newest()) + 2:04}"


@pytest.fixture
def elsewhere(dialect: str, request, tmp_path):
    """Return the address of a database that holds no farm, or of none yet."""
    if dialect == "sqlite":
        yield f"sqlite:///{tmp_path / 'new.sqlite'}"
        return
    with new_database(dialect, request, tmp_path) as url:
        yield url


def bring(db: Database, revision: str = NEWER) -> None:
    db.write(lambda tx: tx.execute(text("UPDATE alembic_version SET version_num = :revision"), {"revision": revision}))


def test_a_copy_is_of_the_revision_of_its_moment(rows: Rows, elsewhere, dialect: str, tmp_path: Path):
    rows.job()
    copied = save_database(rows.db, tmp_path / "copy", lambda: bring(rows.db))
    assert copied == Copied(dialect, newest())
    assert revision_of(rows.db) == NEWER
    load_database(elsewhere, tmp_path, tmp_path / "copy", copied.revision, lambda tx: None)
    with closing(open_database(elsewhere, tmp_path)) as again:
        assert revision_of(again) == newest()


def test_of_a_database_that_a_newer_release_brought_up_to_date_nothing_is_left_out(
        rows: Rows, elsewhere, dialect: str, tmp_path: Path):
    rows.job()
    rows.run("CREATE TABLE of_a_newer_release (id INTEGER PRIMARY KEY)")
    rows.run("INSERT INTO of_a_newer_release (id) VALUES (7)")
    bring(rows.db)
    if dialect == "postgresql":
        with pytest.raises(Conflict, match=f"to revision {NEWER}"):
            save_database(rows.db, tmp_path / "copy")
        return
    assert save_database(rows.db, tmp_path / "copy") == Copied("sqlite", NEWER)
    with closing(open_database(f"sqlite:///{tmp_path / 'copy' / 'farm.sqlite'}", tmp_path)) as again:
        assert again.look(lambda tx: tx.execute(text("SELECT id FROM of_a_newer_release")).scalar_one()) == 7


@pytest.mark.parametrize("revision", [NEWER, "0000", "1975ea83b712"])
def test_no_database_is_made_of_what_this_program_does_not_know(elsewhere, dialect: str, tmp_path: Path, revision: str):
    with pytest.raises(BadInput, match=f"of revision {revision}, this program's is {newest()}"):
        check_new(elsewhere, tmp_path, dialect, revision)
    assert not (tmp_path / "new.sqlite").exists()


def test_what_an_older_release_has_copied_is_known_on_sqlite_alone(elsewhere, dialect: str, tmp_path: Path):
    if dialect == "sqlite":
        check_new(elsewhere, tmp_path, dialect, "0007")
        return
    with pytest.raises(BadInput, match="of revision 0007"):
        check_new(elsewhere, tmp_path, dialect, "0007")


@pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)
def test_nothing_is_restored_into_a_database_that_a_newer_release_has_made(elsewhere, dialect: str, tmp_path: Path):
    with closing(open_database(elsewhere, tmp_path)) as db:
        bring(db)
    with pytest.raises(BadInput, match=f"brought the database to revision {NEWER}"):
        check_new(elsewhere, tmp_path, dialect, newest())
