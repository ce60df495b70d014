"""What both databases promise to an operation."""

import sqlite3
import threading
import traceback

import psycopg
import pytest
from sqlalchemy import text
from tests.conftest import in_threads
from tests.store.conftest import NOW, Rows

from sheepfold.model.accounts import Role
from sheepfold.model.errors import NameTaken, StoreUnavailable
from sheepfold.store import accounts as account_rows
from sheepfold.store.database import Database, Tx, translated


def names(db: Database) -> set[str]:
    return {account.name for account in db.read(account_rows.list_accounts)}


def add(tx: Tx, name: str) -> str:
    return account_rows.add_account(tx, name, Role.VOLUNTEER, "", NOW).name


def test_an_operations_answer_comes_back(db: Database):
    assert db.write(lambda tx: add(tx, "ann")) == "ann"
    assert names(db) == {"ann"}


def test_what_an_operation_raises_is_raised_and_undone(db: Database):
    def stumble(tx: Tx) -> None:
        add(tx, "ann")
        raise KeyError("stumbled")

    with pytest.raises(KeyError, match="stumbled"):
        db.write(stumble)
    assert names(db) == set()


def test_a_broken_rule_of_the_schema_is_a_bug_and_not_an_outage(db: Database):
    insert = text("INSERT INTO sheep (generation, number, job_id, first, last) VALUES (1, 100000, 1, 1, 1)")
    with pytest.raises((sqlite3.IntegrityError, psycopg.IntegrityError)):
        db.write(lambda tx: tx.execute(insert))


def test_a_broken_rule_is_told_without_the_row_that_broke_it(db: Database):
    insert = text("INSERT INTO accounts (name, role, password_hash, created_at) VALUES (:name, NULL, :hash, 1)")
    row = {"name": "ann", "hash": "secret"}
    with pytest.raises((sqlite3.IntegrityError, psycopg.IntegrityError)) as found:
        db.write(lambda tx: tx.execute(insert, row))
    told = "".join(traceback.format_exception(found.value))
    assert "test_database.py" in told
    assert "role" in str(found.value)
    assert "secret" not in told


def test_a_foreign_key_is_held(db: Database):
    insert = text("INSERT INTO machines (account_id, name, created_at, last_seen_at) VALUES (77, 'x', 1, 1)")
    with pytest.raises((sqlite3.IntegrityError, psycopg.IntegrityError)):
        db.write(lambda tx: tx.execute(insert))


def test_an_operation_that_stumbles_leaves_its_neighbours_alone(db: Database):
    def deed(number: int) -> str:
        def operation(tx: Tx) -> str:
            added = add(tx, f"account-{number}")
            if number % 3 == 0:
                raise KeyError(added)
            return added

        try:
            return db.write(operation)
        except KeyError as error:
            return f"raised {error.args[0]}"

    answers = in_threads(16, deed)
    assert answers == [f"raised account-{n}" if n % 3 == 0 else f"account-{n}" for n in range(16)]
    assert names(db) == {f"account-{n}" for n in range(16) if n % 3}


def test_an_operation_sees_what_was_written_before_it_in_its_own_transaction(db: Database):
    def twice(tx: Tx) -> None:
        add(tx, "ann")
        with pytest.raises(NameTaken):
            add(tx, "ann")

    db.write(twice)
    assert names(db) == {"ann"}


def test_a_reader_does_not_see_what_is_not_committed(db: Database):
    inside, looked = threading.Event(), threading.Event()

    def slow(tx: Tx) -> None:
        add(tx, "ann")
        inside.set()
        assert looked.wait(60)

    def look(_: int) -> set[str]:
        try:
            assert inside.wait(60)
            return names(db)
        finally:
            looked.set()

    def either(number: int) -> object:
        return db.write(slow) if number else look(number)

    assert in_threads(2, either)[0] == set()
    assert names(db) == {"ann"}


def test_a_reader_looks_at_one_moment(db: Database):
    def look_twice(tx: Tx) -> tuple[int, int]:
        first = account_rows.counts(tx)[0]
        in_threads(1, lambda _: db.write(lambda tx: add(tx, "ann")))
        return first, account_rows.counts(tx)[0]

    assert db.read(look_twice) == (0, 0)
    assert names(db) == {"ann"}


def test_a_look_sees_what_was_committed(db: Database):
    assert db.look(lambda tx: account_rows.find_account(tx, "ann")) is None
    db.write(lambda tx: add(tx, "ann"))
    assert db.look(lambda tx: account_rows.find_account(tx, "ann")).name == "ann"


def test_listeners_hear_of_commits(db: Database):
    heard = threading.Event()
    db.listen(heard.set)
    db.write(lambda tx: add(tx, "ann"))
    assert heard.wait(60)


def test_a_name_wanted_by_many_at_once_is_given_once(db: Database):
    def deed(_: int) -> str:
        try:
            return db.write(lambda tx: add(tx, "ann"))
        except NameTaken:
            return "taken"

    assert sorted(in_threads(8, deed)) == ["ann"] + ["taken"] * 7


def test_a_new_machine_that_knocks_at_many_doors_is_one_machine(rows: Rows):
    owner = rows.account("ann")

    def deed(_: int) -> int:
        return rows.db.write(lambda tx: account_rows.ensure_machine(tx, owner.id, "box", NOW)).id

    assert len(set(in_threads(8, deed))) == 1


def test_a_closed_database_says_so(database_url, tmp_path):
    from sheepfold.store.opening import open_database

    db = open_database(database_url, tmp_path)
    db.close()
    for ask in (db.read, db.write):
        with pytest.raises(StoreUnavailable):
            ask(account_rows.list_accounts)
    db.close()


@pytest.mark.parametrize(
    "trouble",
    [
        sqlite3.OperationalError("database or disk is full"), psycopg.OperationalError("server closed the connection"),
        psycopg.InterfaceError("the connection is closed"),
    ],
)  # fmt: skip
def test_the_databases_own_troubles_become_the_farms(trouble: Exception):
    with pytest.raises(StoreUnavailable, match=f"The database does not answer: {trouble}"), translated():
        raise trouble


def test_only_the_first_line_of_a_trouble_is_told():
    with pytest.raises(StoreUnavailable, match=r"answer: one$"), translated():
        raise psycopg.OperationalError("one\nDETAIL: a secret")
