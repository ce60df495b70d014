"""Opening a database, whichever it is."""

import traceback
from pathlib import Path

import pytest
from sqlalchemy import text
from tests.serving import free_port

from sheepfold.model.errors import BadInput, StoreUnavailable
from sheepfold.store.database import Database
from sheepfold.store.opening import open_database
from sheepfold.store.postgres import PostgresDatabase
from sheepfold.store.sqlite import SqliteDatabase


def test_each_address_opens_its_own_sort(db: Database, dialect: str):
    assert isinstance(db, SqliteDatabase if dialect == "sqlite" else PostgresDatabase)


def test_without_an_address_the_data_folder_gets_a_sqlite_file(tmp_path: Path):
    opened = open_database("", tmp_path / "new")
    opened.close()
    assert (tmp_path / "new" / "farm.sqlite").exists()
    assert (tmp_path / "new").stat().st_mode & 0o077 == 0


def test_the_address_shows_no_password(postgres_server, tmp_path: Path):
    url = postgres_server.url("migrated").replace("sheepfold@", "sheepfold:secret@")
    opened = open_database(url, tmp_path)
    opened.close()
    assert "secret" not in opened.url


@pytest.mark.parametrize("url", [
    "postgresql://ann:sec@ret@127.0.0.1:1/farm", "postgres://ann:secret:127.0.0.1:1/farm",
    "postgresql//ann:secret@127.0.0.1/farm", "postgresql://ann@127.0.0.1:secret/farm",
])  # fmt: skip
def test_an_address_that_makes_no_sense_is_refused_and_not_shown(url: str, tmp_path: Path):
    with pytest.raises(BadInput) as found:
        open_database(url, tmp_path)
    told = "".join(traceback.format_exception(found.value))
    assert "%40" in told
    assert not any(part in told for part in ("ann:", "secret", "ret@"))


def test_a_database_is_reached_through_a_socket(postgres_server, tmp_path: Path):
    opened = open_database(f"postgresql://sheepfold@/migrated?host={postgres_server.folder}&port={postgres_server.port}",
                           tmp_path)
    try:
        assert opened.look(lambda tx: tx.execute(text("SELECT inet_server_addr()")).scalar_one()) is None
        opened.listen(lambda: None)
    finally:
        opened.close()


def test_a_server_that_is_not_there_is_unavailable(tmp_path: Path):
    with pytest.raises(StoreUnavailable, match="does not answer"):
        open_database(f"postgresql://nobody@127.0.0.1:{free_port()}/nothing", tmp_path)


def test_a_file_that_cannot_be_opened_is_unavailable(tmp_path: Path):
    (tmp_path / "farm.sqlite").mkdir()
    with pytest.raises(StoreUnavailable, match="does not answer"):
        open_database("", tmp_path)
