"""SQLite's log is copied into the database beside the writer, and begun anew, whoever writes or reads meanwhile."""

import threading
import time
from pathlib import Path

import pytest
from sqlalchemy import text
from tests.conftest import in_threads
from tests.store.conftest import NOW

from sheepfold.model.accounts import Role
from sheepfold.store import accounts as account_rows
from sheepfold.store import checkpoints
from sheepfold.store.database import Database
from sheepfold.store.sqlite import SqliteDatabase

pytestmark = pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
LONGEST_S = 60


@pytest.fixture
def log(tmp_path, monkeypatch) -> Path:
    """Return where the log lies, of which a checkpoint is made often."""
    monkeypatch.setattr(checkpoints, "OPERATIONS", 20)
    return next(tmp_path.rglob("farm.sqlite")).with_name("farm.sqlite-wal")


def salt(log: Path) -> bytes:
    """Return what is another with each beginning of the log (SQLite's file format, 4.1)."""
    return log.read_bytes()[16:24]


def write(db: Database, name: str) -> None:
    db.write(lambda tx: account_rows.add_account(tx, name, Role.VOLUNTEER, "", NOW))


def is_begun_anew(db: Database, log: Path, name: str) -> bool:
    """Write until a log is begun anew; False where that takes too long, or needs SQLite's own checkpoint."""
    write(db, name)
    before, until, number = salt(log), time.monotonic() + LONGEST_S, 0
    while salt(log) == before and time.monotonic() < until:
        number += 1
        write(db, f"{name} {number}")
    return salt(log) != before and log.stat().st_size < checkpoints.TOO_LONG * 4096


def test_a_log_is_begun_anew_while_all_write(db, log):
    assert all(in_threads(4, lambda number: is_begun_anew(db, log, f"writer {number}")))


def test_two_servers_begin_their_log_anew(db, log):
    beside = SqliteDatabase(db.url)
    try:
        assert all(in_threads(2, lambda number: is_begun_anew((db, beside)[number], log, f"writer {number}")))
    finally:
        beside.close()


def test_who_reads_an_old_snapshot_stops_no_writer_and_keeps_it(db, log):
    begun, over = threading.Event(), threading.Event()
    count = text("SELECT count(*) FROM accounts")

    def look_twice(tx):
        first = tx.execute(count).scalar_one()
        begun.set()
        assert over.wait(LONGEST_S)
        return first, tx.execute(count).scalar_one()

    seen = []
    reader = threading.Thread(target=lambda: seen.append(db.read(look_twice)))
    reader.start()
    assert begun.wait(LONGEST_S)
    write(db, "first")
    before = salt(log)
    for number in range(10 * checkpoints.OPERATIONS):
        write(db, f"writer {number}")
    assert salt(log) == before
    over.set()
    reader.join(LONGEST_S)
    assert len(set(seen[0])) == 1
    assert is_begun_anew(db, log, "afterwards")
