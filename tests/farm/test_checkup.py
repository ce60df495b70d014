"""The check-up finds what is broken on purpose, and says it in words."""

import time

import pytest
from sqlalchemy import text
from tests.conftest import TERM_S, World, picture

from sheepfold.blobs.spool import Digest
from sheepfold.farm.checkup import TASKS_AT_A_TIME, check
from sheepfold.model.jobs import Terms
from sheepfold.store import checks


@pytest.fixture
def busy(world: World) -> World:
    """A farm in the middle of its work: something done, something waiting, something being rendered."""
    world.order(terms=Terms(quorum=2))
    world.order(account="bob")
    box = world.maker("box")
    world.send(world.held(box), picture())
    world.send(world.held(box), picture())
    world.order(frames=2, account="cid")
    world.held(box)
    return world


def broken(world: World, statement: str) -> list[str]:
    """Break a farm by hand; returns what the check-up says of it."""
    assert world.findings() == []
    world.farm.db.write(lambda tx: tx.execute(text(statement)))
    return world.findings()


@pytest.mark.parametrize(
    ("statement", "sentence"),
    [
        ("DELETE FROM ledger", "a valid result is paid once: result 2"),
        ("UPDATE ledger SET result_id = 1", "only valid results are paid: result 1"),
        ("UPDATE ledger SET payer_id = account_id", "the account whose job it is pays: result 2"),
        ("UPDATE ledger SET millipoints = 5 * cost_ms",
         "no payment is far from what its picture was expected to cost: result 2"),
        ("UPDATE jobs SET tasks_done = 0, tasks_failed = 1 WHERE id = 1001",
         "a job's counts are those of its tasks: job 1001"),
        (
            "UPDATE jobs SET state = 'running' WHERE id = 1001",
            "a job runs exactly while a task of it is open: job 1001",
        ),
        ("UPDATE jobs SET state = 'done' WHERE id = 1000", "a job runs exactly while a task of it is open: job 1000"),
        ("UPDATE results SET verdict = 'invalid' WHERE id = 2", "a done task has a valid result: task 2"),
        ("UPDATE lanes SET drained_at = 1", "a lane with an opening is awake: lane 1"),
        (
            "UPDATE leases SET state = 'active' WHERE id = 2",
            "a machine that submitted holds its lease no more: lease 2",
        ),
        (
            "UPDATE tasks SET openings = 5 WHERE id = 1",
            "openings are what the rule says: task 1 has 5, the rule says 1",
        ),
        (
            "UPDATE tasks SET openings = 0 WHERE id = 1",
            "openings are what the rule says: task 1 has 0, the rule says 1",
        ),
        ("UPDATE results SET verdict = 'valid' WHERE id = 1", "a task is as its rules leave it: task 1"),
        ("UPDATE chores SET state = 'failed', reason = 'No space left.' WHERE what = 'preview'",
         "no chore was given up: chore 1 (preview of job 1001): No space left."),
        ("UPDATE chores SET queued_at = queued_at - 86401 WHERE what = 'preview'",
         "no chore waits for a day: chore 1 (preview of job 1001)"),
    ],
)  # fmt: skip
def test_rows_that_contradict_each_other_are_found(busy: World, statement: str, sentence: str):
    assert sentence in broken(busy, statement)


def test_a_lease_that_upkeep_forgot_is_found(busy: World):
    busy.clock.advance(TERM_S + 61)
    assert [line for line in busy.findings() if "long after its deadline" in line]


def test_a_blob_that_is_gone_is_found(busy: World):
    digest = busy.task(2).results[0].digest
    busy.farm.blobs.delete(Digest(digest))
    assert busy.findings() == [f"every blob that is named is there: blob {digest} is missing"]


def test_a_blob_of_another_size_is_found(busy: World):
    digest = busy.task(2).results[0].digest
    path = busy.farm.blobs.local_path(Digest(digest), busy.folder)
    path.chmod(0o600)
    path.write_bytes(b"torn")
    assert busy.findings() == [f"a blob has its size: blob {digest} has 4 bytes, not {len(picture())}"]


def test_a_blob_whose_bytes_have_rotted_is_found_by_reading(busy: World):
    digest = busy.task(2).results[0].digest
    path = busy.farm.blobs.local_path(Digest(digest), busy.folder)
    path.chmod(0o600)
    body = bytearray(path.read_bytes())
    body[100] ^= 1
    path.write_bytes(body)
    assert list(check(busy.farm)) == []
    assert busy.findings() == [f"a blob's bytes are those of its name: blob {digest}"]


def test_tasks_are_checked_to_the_last_of_many(world: World):
    for _ in range(3):
        world.order(frames=200)
    assert TASKS_AT_A_TIME < 600
    assert world.findings() == []
    world.farm.db.write(lambda tx: tx.execute(text("UPDATE tasks SET openings = 2 WHERE id = 600")))
    assert world.findings() == ["openings are what the rule says: task 600 has 2, the rule says 1"]


def test_a_log_that_piles_up_is_found(busy: World, monkeypatch: pytest.MonkeyPatch, dialect: str):
    if dialect != "sqlite":
        pytest.skip("PostgreSQL's log is held back by replicas, and there is none here.")
    assert busy.findings() == []
    monkeypatch.setattr(checks, "WAL_BYTES", 1000)
    assert [line for line in busy.findings() if line.startswith("SQLite's log does not pile up: farm.sqlite-wal has")]


def test_dead_rows_that_nobody_clears_are_found(busy: World, monkeypatch: pytest.MonkeyPatch, dialect: str):
    if dialect != "postgresql":
        pytest.skip("SQLite keeps no dead rows.")
    query = checks._STRAINS["PostgreSQL vacuums what churns"].replace(str(checks.DEAD_ROWS), "3")
    monkeypatch.setitem(checks._STRAINS, "PostgreSQL vacuums what churns", query)
    for _ in range(10):
        busy.farm.db.write(lambda tx: tx.execute(text("UPDATE lanes SET virtual_time = virtual_time + 1")))
    busy.farm.db.look(lambda tx: tx.execute(text("SELECT pg_stat_force_next_flush()")))
    found: list[str] = []
    for _ in range(50):
        found = [line for line in busy.findings() if "lanes has" in line]
        if found:
            break
        time.sleep(0.1)
    assert found
