"""SQLite: the one writer, its groups, and what survives a crash."""

import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing, suppress
from pathlib import Path

import pytest
from sqlalchemy import text
from tests.conftest import in_threads
from tests.store.conftest import NOW, Rows

from sheepfold.model.accounts import Role
from sheepfold.model.errors import StoreUnavailable
from sheepfold.store import accounts as account_rows
from sheepfold.store.database import Database, Tx
from sheepfold.store.sqlite import SqliteDatabase

pytestmark = pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)


def add(tx: Tx, name: str) -> str:
    return account_rows.add_account(tx, name, Role.VOLUNTEER, "", NOW).name


def names(db: Database) -> set[str]:
    return {account.name for account in db.read(account_rows.list_accounts)}


@pytest.mark.parametrize(
    ("pragma", "value"),
    [("journal_mode", "wal"), ("synchronous", 2), ("foreign_keys", 1), ("busy_timeout", 15_000)],
)
def test_reader_and_writer_are_durable_and_strict(db: Database, pragma: str, value: object):
    ask = text(f"PRAGMA {pragma}")
    assert db.write(lambda tx: tx.execute(ask).scalar_one()) == value
    assert db.read(lambda tx: tx.execute(ask).scalar_one()) == value


def test_plans_depend_on_no_statistics_that_somebody_made(tmp_path: Path, db: Database):
    """With those of a farm of three blobs each look for one read all that came later."""
    url = f"sqlite:///{tmp_path / 'old.sqlite'}"
    made = "SELECT name FROM sqlite_master WHERE name LIKE 'sqlite_stat%'"
    SqliteDatabase(url).close()
    with closing(sqlite3.connect(tmp_path / "old.sqlite")) as other:
        other.execute("ANALYZE")
        assert other.execute(made).fetchall()
    with closing(SqliteDatabase(url)) as again:
        assert again.look(lambda tx: tx.execute(text(made)).all()) == []


class Held:
    """The writer, held by an operation until it is let go, so that others gather behind it."""

    def __init__(self, db: Database) -> None:
        self._inside, self._go = threading.Event(), threading.Event()
        self._db = db
        self._thread = threading.Thread(target=self._hold)
        self._thread.start()
        assert self._inside.wait(60)

    def _hold(self) -> None:
        with suppress(StoreUnavailable):  # it may share the fate of its group
            self._db.write(self._wait)

    def _wait(self, tx: Tx) -> None:
        self._inside.set()
        assert self._go.wait(60)

    def let_go(self) -> None:
        self._go.set()
        self._thread.join()


def gathered(db: SqliteDatabase, count: int, deed) -> list[object]:
    """Run deeds in threads, all of them waiting for the writer before the first is run."""
    held = Held(db)

    def let_go() -> None:
        while db._waiting.qsize() < count:
            os.sched_yield()
        held.let_go()

    releaser = threading.Thread(target=let_go)
    releaser.start()
    answers = in_threads(count, deed)
    releaser.join()
    return list(answers)


def test_operations_that_wait_together_share_a_commit(db: SqliteDatabase):
    commits: list[None] = []
    db.listen(lambda: commits.append(None))
    gathered(db, 30, lambda n: db.write(lambda tx: add(tx, f"account-{n}")))
    assert len(names(db)) == 30
    assert len(commits) < 20


def test_nobody_is_answered_before_the_commit(db: SqliteDatabase):
    def seen_at_once(number: int) -> bool:
        name = db.write(lambda tx: add(tx, f"account-{number}"))
        return name in names(db)

    assert all(gathered(db, 12, seen_at_once))


def test_a_stumble_in_a_group_is_undone_alone(db: SqliteDatabase):
    def deed(number: int) -> str:
        def operation(tx: Tx) -> str:
            added = add(tx, f"account-{number}")
            if number == 3:
                raise KeyError(added)
            return added

        try:
            return db.write(operation)
        except KeyError:
            return "raised"

    answers = gathered(db, 8, deed)
    assert answers.count("raised") == 1
    assert names(db) == {f"account-{n}" for n in range(8) if n != 3}


def test_what_undoes_a_whole_group_is_told_to_all_and_ends_no_writer(db: SqliteDatabase):
    db.write(lambda tx: add(tx, "ann"))
    copy = text("INSERT OR ROLLBACK INTO accounts (name, role, created_at) VALUES ('ann', 'volunteer', 1)")

    def deed(number: int) -> str:
        def operation(tx: Tx) -> str:
            if number == 3:
                tx.execute(copy)  # as a full disk does, this ends the transaction under the savepoints
            return add(tx, f"account-{number}")

        try:
            return db.write(operation)
        except StoreUnavailable:
            return "unavailable"
        except Exception as error:  # noqa: BLE001 -- to be looked at
            return type(error).__name__

    answers = gathered(db, 8, deed)
    assert answers.count("IntegrityError") == 1
    assert names(db) == {"ann"} | {answer for answer in answers if answer.startswith("account")}
    assert db.write(lambda tx: add(tx, "zed")) == "zed"


def test_whoever_cannot_even_begin_is_told_and_so_is_all_of_the_group(db: SqliteDatabase):
    def refuse(action: int, deed: str | None, *_: object) -> int:
        return sqlite3.SQLITE_DENY if (action, deed) == (sqlite3.SQLITE_SAVEPOINT, "BEGIN") else sqlite3.SQLITE_OK

    def deed(number: int) -> str:
        def operation(tx: Tx) -> str:
            tx.driver.set_authorizer(refuse)  # whoever comes next gets no savepoint
            return add(tx, f"account-{number}")

        try:
            return db.write(operation)
        except (StoreUnavailable, sqlite3.DatabaseError) as error:
            return type(error).__name__

    assert set(gathered(db, 3, deed)) == {"DatabaseError", "StoreUnavailable"}
    with db._writer.lent() as tx:
        tx.driver.set_authorizer(None)
    assert names(db) == set()
    assert db.write(lambda tx: add(tx, "ann")) == "ann"


def test_a_lone_operation_that_undoes_its_group_ends_no_writer(db: SqliteDatabase):
    def end_it(tx: Tx) -> None:
        tx.control("ROLLBACK")
        raise KeyError("stumbled")

    with pytest.raises(KeyError):
        db.write(end_it)
    assert db.write(lambda tx: add(tx, "ann")) == "ann"


def test_whoever_ends_the_interpreter_inside_an_operation_is_told(db: SqliteDatabase):
    def leave(tx: Tx) -> None:
        raise SystemExit(3)

    with pytest.raises(SystemExit):
        db.write(leave)
    assert db.write(lambda tx: add(tx, "ann")) == "ann"


def test_a_full_disk_is_an_outage_and_passes(db: SqliteDatabase):
    pages = db.write(lambda tx: tx.execute(text("PRAGMA page_count")).scalar_one())
    db.write(lambda tx: tx.execute(text(f"PRAGMA max_page_count = {pages}")))
    with pytest.raises(StoreUnavailable, match="full"):
        db.write(lambda tx: [add(tx, f"account-{n}") for n in range(3000)])
    db.write(lambda tx: tx.execute(text("PRAGMA max_page_count = 1000000")))
    assert names(db) == set()
    assert db.write(lambda tx: add(tx, "ann")) == "ann"


def test_readers_do_not_wait_for_the_writer(db: SqliteDatabase):
    held = Held(db)
    try:
        assert names(db) == set()
    finally:
        held.let_go()


def test_two_processes_may_write(db: SqliteDatabase):
    other = SqliteDatabase(db.url)
    try:
        in_threads(8, lambda n: (db, other)[n % 2].write(lambda tx: add(tx, f"account-{n}")))
        assert len(names(db)) == 8
        assert db.read(lambda tx: tx.execute(text("PRAGMA integrity_check")).scalar_one()) == "ok"
    finally:
        other.close()


def test_closing_answers_what_waits_and_ends_the_writer(rows: Rows):
    db = rows.db
    held = Held(db)
    waiting = threading.Thread(target=db.write, args=[lambda tx: add(tx, "ann")])
    waiting.start()
    while db._waiting.qsize() < 1:
        os.sched_yield()
    closing = threading.Thread(target=db.close)
    closing.start()
    held.let_go()
    for thread in (waiting, closing):
        thread.join(60)
        assert not thread.is_alive()
    assert not db._thread.is_alive()
    again = SqliteDatabase(db.url)
    assert names(again) == {"ann"}
    again.close()


WRITER = """
import sys, os, signal
from sheepfold.store.sqlite import SqliteDatabase
from sheepfold.store import accounts
from sheepfold.model.accounts import Role
db = SqliteDatabase(sys.argv[1])
for n in range(20):
    print(db.write(lambda tx: accounts.add_account(tx, f"account-{n}", Role.VOLUNTEER, "", 1)).name, flush=True)
def die(tx):
    accounts.add_account(tx, "torn", Role.VOLUNTEER, "", 1)
    os.kill(os.getpid(), signal.SIGKILL)
db.write(die)
"""


def test_what_was_answered_outlives_a_crash_and_what_was_not_leaves_nothing(database_url: str, tmp_path: Path):
    done = subprocess.run([sys.executable, "-c", WRITER, database_url], capture_output=True, text=True, timeout=100,
                          check=False)  # fmt: skip
    assert done.returncode == -signal.SIGKILL, done.stderr
    answered = done.stdout.split()
    assert len(answered) == 20
    db = SqliteDatabase(database_url)
    assert names(db) == set(answered)
    db.close()


@pytest.fixture
def neighbour(db: SqliteDatabase):
    """The same database as another server has it."""
    other = SqliteDatabase(db.url)
    yield other
    other.close()


def test_servers_of_one_database_take_turns(db: SqliteDatabase, neighbour: SqliteDatabase):
    in_threads(40, lambda n: (db, neighbour)[n % 2].write(lambda tx: add(tx, f"account-{n}")))
    assert names(db) == names(neighbour) == {f"account-{n}" for n in range(40)}


def test_a_server_hears_of_the_commits_of_another(db: SqliteDatabase, neighbour: SqliteDatabase):
    heard = threading.Event()
    neighbour.listen(heard.set)
    heard.clear()
    db.write(lambda tx: add(tx, "ann"))
    assert heard.wait(60)


def test_who_could_not_listen_may_try_again(db: SqliteDatabase, neighbour: SqliteDatabase, monkeypatch):
    heard: list[None] = []
    with monkeypatch.context() as trouble:
        trouble.setattr("sheepfold.store.sqlite._VERSION", text("ATTACH '/nowhere/there/is/none' AS disk"))
        with pytest.raises(StoreUnavailable, match="unable to open"):
            db.listen(lambda: heard.append(None))
    with monkeypatch.context() as trouble:
        trouble.setattr("threading.Thread.start", no_thread)
        with pytest.raises(RuntimeError):
            db.listen(lambda: heard.append(None))
    db.write(lambda tx: add(tx, "ann"))
    assert heard == []
    db.listen(lambda: heard.append(None))
    neighbour.write(lambda tx: add(tx, "bob"))
    for _ in range(600):
        if heard:
            break
        time.sleep(0.1)
    assert heard == [None]


def no_thread(_: threading.Thread) -> None:
    raise RuntimeError("can't start new thread")


class Looks(threading.Event):
    """The end of a listener, who waits for it between two looks."""

    def __init__(self) -> None:
        super().__init__()
        self.done = threading.Semaphore(0)

    def wait(self, timeout: float | None = None) -> bool:
        self.done.release()
        return super().wait(timeout)

    def wait_for_another(self) -> None:
        """Wait until a look that begins from now on is over."""
        while self.done.acquire(blocking=False):
            pass
        for _ in range(2):  # the first may end one that had begun
            assert self.done.acquire(timeout=60)


def test_a_listener_outlives_a_disk_that_fails_for_a_while(db: SqliteDatabase, neighbour: SqliteDatabase, monkeypatch):
    heard, looks = threading.Event(), Looks()
    neighbour._ended = looks
    neighbour.listen(heard.set)
    with monkeypatch.context() as trouble:
        trouble.setattr("sheepfold.store.sqlite._VERSION", text("ATTACH '/nowhere/there/is/none' AS disk"))
        with pytest.raises(StoreUnavailable, match="unable to open"):
            neighbour._version()
        for _ in range(3):
            looks.wait_for_another()
    heard.clear()
    db.write(lambda tx: add(tx, "ann"))
    assert heard.wait(60)


def test_what_waits_too_long_for_its_turn_never_happens(db: SqliteDatabase, neighbour: SqliteDatabase, monkeypatch):
    held = Held(db)
    try:
        with monkeypatch.context() as impatience:
            impatience.setattr("sheepfold.store.sqlite.PATIENCE_S", 0.2)
            for waiting in (db, neighbour):
                with pytest.raises(StoreUnavailable, match="does not let go"):
                    waiting.write(lambda tx: add(tx, "impatient"))
    finally:
        held.let_go()
    assert neighbour.write(lambda tx: add(tx, "ann")) == "ann"
    assert names(db) == {"ann"}
