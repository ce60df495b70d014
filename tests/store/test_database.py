"""What both databases promise: whole operations or nothing, neighbours undisturbed, and news of commits."""

import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import text

from sheepfold.model.accounts import Role
from sheepfold.model.errors import NameTaken, StoreUnavailable
from sheepfold.store import accounts
from sheepfold.store.opening import open_database
from tests.conftest import new_database


def add(name):
    return lambda tx: accounts.add_account(tx, name, Role.ARTIST, "", 1)


def names(db):
    return sorted(one.name for one in db.read(accounts.list_accounts))


def test_operation_that_raises_leaves_nothing(db):
    def half(tx):
        accounts.add_account(tx, "half", Role.ARTIST, "", 1)
        raise ValueError("stop")

    with pytest.raises(ValueError, match="stop"):
        db.write(half)
    assert names(db) == []


def test_neighbours_of_one_that_raises_are_committed(db):
    def deed(number):
        if number % 3 == 0:
            with pytest.raises(NameTaken):
                db.write(lambda tx: (add(f"lost-{number}")(tx), add("first")(tx)))
        else:
            db.write(add(f"n-{number}"))

    db.write(add("first"))
    with ThreadPoolExecutor(12) as pool:
        list(pool.map(deed, range(60)))
    assert names(db) == sorted(["first", *(f"n-{number}" for number in range(60) if number % 3)])


def test_broken_rule_of_the_schema_harms_nobody_else(db):
    def twice(tx):
        for _ in range(2):
            tx.execute(text("INSERT INTO accounts (name, role, created_at) VALUES ('twin', 'artist', 1)"))

    def deed(number):
        if number % 4 == 0:
            with pytest.raises(Exception, match=r"(?i)unique"):
                db.write(twice)
        else:
            db.write(add(f"n-{number}"))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(deed, range(40)))
    assert len(names(db)) == 30


def test_commits_are_heard(db):
    heard = threading.Event()
    db.listen(heard.set)
    db.write(add("spot"))
    assert heard.wait(5)


def test_closed_database_says_so(db):
    db.close()
    with pytest.raises(StoreUnavailable):
        db.write(add("late"))


def test_sqlite_is_durable_and_others_may_write_too(tmp_path):
    ours, theirs = open_database("", tmp_path), open_database("", tmp_path)
    try:
        assert ours.read(lambda tx: tx.execute(text("PRAGMA journal_mode")).scalar_one()) == "wal"
        assert ours.write(lambda tx: tx.execute(text("PRAGMA synchronous")).scalar_one()) == 2  # FULL
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda n: (ours, theirs)[n % 2].write(add(f"n-{n}")), range(40)))
        assert len(names(ours)) == len(names(theirs)) == 40
    finally:
        ours.close()
        theirs.close()
    with sqlite3.connect(tmp_path / "farm.sqlite") as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_postgres_tries_a_deadlock_again(request, tmp_path):
    with new_database("postgresql", request, tmp_path) as url:
        db = open_database(url, None)
        for name in ("a", "b"):
            db.write(add(name))
        meet = threading.Barrier(2)

        def cross(first, second):
            waited = []

            def deed(tx):
                update = text("UPDATE accounts SET weight = weight + 1 WHERE name = :name")
                tx.execute(update, {"name": first})
                if not waited:
                    waited.append(True)
                    meet.wait(10)
                tx.execute(update, {"name": second})

            db.write(deed)

        with ThreadPoolExecutor(2) as pool:
            list(pool.map(cross, "ab", "ba"))
        assert {one.weight for one in db.read(accounts.list_accounts)} == {102}
        db.close()
