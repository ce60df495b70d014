"""What wears a database out is found, and what PostgreSQL has read of pages that are torn."""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import text
from tests.conftest import ANY_SITE, Clock, PostgresServer, World, backwards, new_postgres
from tests.findings import Broken, breaks

from sheepfold.config import Settings
from sheepfold.farm.checkup import check
from sheepfold.farm.farm import open_farm
from sheepfold.kinds.inspector import Inspector
from sheepfold.model.errors import StoreUnavailable
from sheepfold.store import checks
from sheepfold.store.findings import Finding


@breaks("SQLite's log does not pile up")
def test_a_log_that_piles_up_is_found(world: World, monkeypatch: pytest.MonkeyPatch, dialect: str) -> Broken:
    if dialect != "sqlite":
        pytest.skip("PostgreSQL's log is held back by others.")
    assert world.findings() == []
    monkeypatch.setattr(checks, "WAL_BYTES", 1000)
    found = list(check(world.farm))
    assert found[0].what.startswith("farm.sqlite-wal has")
    return found


@breaks("PostgreSQL's log does not pile up")
def test_a_log_that_is_kept_for_a_replica_is_found(world: World, monkeypatch: pytest.MonkeyPatch, dialect: str,
                                                   request: pytest.FixtureRequest) -> Broken:  # fmt: skip
    if dialect != "postgresql":
        pytest.skip("SQLite has no replicas.")
    server: PostgresServer = request.getfixturevalue("postgres_server")
    monkeypatch.setattr(checks, "WAL_BYTES", 1000)
    assert world.findings() == []
    server.execute("SELECT pg_create_physical_replication_slot('gone', true)")
    try:
        world.order(frames=100)
        found = list(check(world.farm))
    finally:
        server.execute("SELECT pg_drop_replication_slot('gone')")
    assert re.fullmatch(r"replication slot gone holds back \d+ MiB", found[0].what)
    assert found[0].remedy == "Start the replica again, or drop its slot."
    assert world.findings() == []
    return found


@breaks("no transaction stays open for long")
def test_a_transaction_that_is_left_open_is_found(world: World, monkeypatch: pytest.MonkeyPatch, dialect: str,
                                                  database_url: str) -> Broken:  # fmt: skip
    if dialect != "postgresql":
        pytest.skip("SQLite knows of its own transactions alone.")
    with psycopg.connect(database_url) as connection:
        connection.execute("SELECT 1")
        process = connection.info.backend_pid
        assert world.findings() == []
        monkeypatch.setattr(checks, "LONGEST_TRANSACTION_S", 0)
        found = [one for one in check(world.farm) if one.what.startswith(f"process {process} has had one open for ")]
        connection.commit()
        assert not [one for one in check(world.farm) if one.what.startswith(f"process {process} ")]
    return found


@breaks("PostgreSQL vacuums what churns")
def test_dead_rows_that_nobody_clears_are_found(world: World, monkeypatch: pytest.MonkeyPatch, dialect: str) -> Broken:
    if dialect != "postgresql":
        pytest.skip("SQLite keeps no dead rows.")
    monkeypatch.setattr(checks, "DEAD_ROWS", 3)
    world.order()
    for _ in range(10):
        world.farm.db.write(lambda tx: tx.execute(text("UPDATE lanes SET virtual_time = virtual_time + 1")))
    world.farm.db.look(lambda tx: tx.execute(text("SELECT pg_stat_force_next_flush()")))
    return awaited(world, "lanes has")


def awaited(world: World, words: str) -> list[Finding]:
    """Return the findings that say some words, as soon as there are any: PostgreSQL counts when it comes to it."""
    until = time.monotonic() + 60
    while not (found := [one for one in check(world.farm) if words in one.what]) and time.monotonic() < until:
        time.sleep(0.1)
    return found


@pytest.fixture(scope="module")
def strict_server() -> Iterator[PostgresServer]:
    """Start a PostgreSQL that has checksums in its pages and an archive of its log, to be spoilt: none but this one."""
    with new_postgres("--data-checksums", archive_mode="on") as server:
        archive_by(server, "true")
        yield server


def archive_by(server: PostgresServer, command: str) -> None:
    server.execute(f"ALTER SYSTEM SET archive_command = '{command}'")
    server.execute("SELECT pg_reload_conf()")


@contextmanager
def farm_on(server: PostgresServer, template: str, folder: Path, inspector: Inspector) -> Iterator[World]:
    settings, clock = Settings(data=folder, database_url=server.url(server.create(template)), **ANY_SITE), Clock()
    with open_farm(settings, backwards, clock, inspector) as farm:
        yield World(farm, clock, folder)


@breaks("no page of the database is torn")
def test_a_page_that_postgresql_has_read_with_a_wrong_checksum_is_found(
        strict_server: PostgresServer, tmp_path: Path, shared_inspector: Inspector) -> Broken:  # fmt: skip
    with farm_on(strict_server, "migrated", tmp_path, shared_inspector) as world:
        world.order()
        well = world.farm.db.url.rpartition("/")[2]
        assert world.findings() == []
    with farm_on(strict_server, well, tmp_path, shared_inspector) as world:  # its pages are nobody's memory yet
        with psycopg.connect(world.farm.settings.database_url) as connection:
            (path,) = connection.execute("SELECT pg_relation_filepath('events')").fetchone()
        with (strict_server.folder / "data" / path).open("r+b") as file:
            file.seek(4096)
            file.write(b"\xff" * 4096)
        with pytest.raises(StoreUnavailable, match=r"^The database is damaged: invalid page in block 0 of .*the last"):
            world.farm.db.look(lambda tx: tx.execute(text("SELECT * FROM events")))
        found = list(check(world.farm))
    assert re.fullmatch(r"PostgreSQL has read \d+ pages with wrong checksums", found[-1].what)
    assert "restore the last backup that was well" in found[-1].remedy
    assert "the database answers what it is asked" in {one.invariant for one in found}
    return found


@breaks("PostgreSQL's log does not pile up")
def test_a_log_that_cannot_be_archived_is_found(strict_server: PostgresServer, tmp_path: Path,
                                                shared_inspector: Inspector) -> Broken:  # fmt: skip
    with farm_on(strict_server, "migrated", tmp_path, shared_inspector) as world:
        awaited_archive(strict_server, world, "archived_count")
        assert world.findings() == []
        archive_by(strict_server, "false")
        awaited_archive(strict_server, world, "failed_count")
        found = list(check(world.farm))
        assert re.fullmatch(r"the archiver could not put \w{24} away \d+ s ago, nor anything since", found[0].what)
        assert "archive_command" in found[0].remedy
        archive_by(strict_server, "true")
        awaited_archive(strict_server, world, "archived_count")
        assert world.findings() == []
    return found


def awaited_archive(server: PostgresServer, world: World, count: str) -> None:
    """Fill segments of the log until one more is archived, or fails to be."""
    asked = f"SELECT {count} FROM pg_stat_archiver"
    before, until = server.execute(asked), time.monotonic() + 60
    while server.execute(asked) == before and time.monotonic() < until:
        world.order()
        server.execute("SELECT pg_switch_wal()")
        time.sleep(0.1)
