"""Transactions and the pool they run on."""

import queue
import threading

import pytest
from sqlalchemy import create_engine, insert, select, text
from sqlalchemy.exc import MultipleResultsFound, NoResultFound
from sqlalchemy.pool import NullPool
from tests.conftest import in_threads

from sheepfold.model.errors import StoreUnavailable
from sheepfold.store import schema
from sheepfold.store.database import Database, Tx
from sheepfold.store.transaction import Pool

TWO = text("SELECT 1 AS number, 'a' AS letter UNION ALL SELECT 2, 'b' ORDER BY 1")
NONE = text("SELECT 1 AS number WHERE 1 = 2")


@pytest.fixture
def pool() -> Pool:
    """Return a pool of one connection."""
    return Pool(create_engine("sqlite://", poolclass=NullPool).execution_options(isolation_level="AUTOCOMMIT"), 1)


def test_rows_have_their_columns_by_name(db: Database):
    assert [(row.number, row.letter) for row in db.read(lambda tx: tx.execute(TWO))] == [(1, "a"), (2, "b")]


def test_composed_statements_run_on_the_same_transaction(db: Database):
    def operation(tx: Tx) -> list[str]:
        values = {"name": "ann", "role": "artist", "created_at": 1}
        tx.execute(insert(schema.accounts).values(values))
        tx.execute(text("UPDATE accounts SET name = 'bob'"))
        return [row.name for row in tx.execute(select(schema.accounts.c.name))]

    assert db.write(operation) == ["bob"]


def test_one_asks_for_exactly_one(db: Database):
    def operation(tx: Tx) -> None:
        assert tx.execute(NONE).one_or_none() is None
        assert tx.execute(NONE).first() is None
        assert tx.execute(NONE).scalar_one_or_none() is None
        assert tx.execute(TWO).first().number == 1
        with pytest.raises(NoResultFound):
            tx.execute(NONE).one()
        with pytest.raises(MultipleResultsFound):
            tx.execute(TWO).one_or_none()

    db.read(operation)


def test_a_statement_tells_how_many_rows_it_changed(db: Database):
    def operation(tx: Tx) -> list[int]:
        add = text("INSERT INTO accounts (name, role, created_at) VALUES (:name, 'artist', 1)")
        tx.execute(add, [{"name": "ann"}, {"name": "bob"}])
        update = "UPDATE accounts SET weight = 1 WHERE {}"
        return [tx.execute(text(update.format(what))).rowcount for what in ("1 = 1", "1 = 2")]

    assert db.write(operation) == [2, 0]


@pytest.mark.parametrize(
    ("expression", "value"),
    [("'100%'", "100%"), ("CASE WHEN 'abc' LIKE 'a%' THEN :x ELSE '' END", "y"), ("'12:30'", "12:30"),
     ("CAST(:x AS text)", "y"), ("'é' || :x", "éy")],
)  # fmt: skip
def test_percents_and_colons_mean_themselves(db: Database, expression: str, value: str):
    query = text(f"SELECT CAST({expression} AS text) AS answer")
    values = {"x": "y"} if ":x" in expression else {}
    assert db.read(lambda tx: tx.execute(query, values).scalar_one()) == value


def test_a_stranger_s_text_is_data_and_never_a_statement(db: Database):
    evil = "'); DROP TABLE accounts; -- %s %(name)s :name"
    add = text("INSERT INTO accounts (name, role, created_at) VALUES (:name, 'artist', 1)")
    db.write(lambda tx: tx.execute(add, {"name": evil}))
    assert db.read(lambda tx: tx.execute(text("SELECT name FROM accounts")).scalar_one()) == evil


def test_a_connection_is_lent_to_one_at_a_time(pool: Pool):
    inside, most = 0, 0

    def deed(_: int) -> None:
        nonlocal inside, most
        with pool.lent():
            inside += 1
            most = max(most, inside)
            inside -= 1

    in_threads(8, deed)
    assert most == 1


def test_a_connection_comes_back_after_a_stumble(pool: Pool):
    with pytest.raises(KeyError), pool.lent() as first:
        raise KeyError
    with pool.lent() as second:
        assert second is first


def test_whoever_waits_too_long_for_a_connection_is_told_and_takes_none_with_him(pool: Pool, monkeypatch):
    monkeypatch.setattr("sheepfold.store.transaction.PATIENCE_S", 0.01)
    with pool.lent() as first:
        for _ in range(2):
            with pytest.raises(StoreUnavailable, match="all connections"), pool.lent():
                pass
    for _ in range(2):
        with pool.lent() as again:
            assert again is first


def test_a_connection_that_comes_at_the_end_of_patience_is_taken(pool: Pool, monkeypatch):
    held = pool.lent()
    first = held.__enter__()

    class Place(queue.SimpleQueue):
        def get(self, timeout=None):
            if timeout is None:
                return super().get(timeout=60)
            held.__exit__(None, None, None)
            raise queue.Empty

    monkeypatch.setattr("sheepfold.store.transaction.queue.SimpleQueue", Place)
    for _ in range(2):
        with pool.lent() as again:
            assert again is first


def test_whoever_waits_for_a_connection_at_the_end_is_told(pool: Pool):
    holds, end = threading.Event(), threading.Event()
    outcomes: list[str] = []

    def hold() -> None:
        with pool.lent():
            holds.set()
            assert end.wait(60)

    def wait() -> None:
        try:
            with pool.lent():
                outcomes.append("lent")
        except StoreUnavailable:
            outcomes.append("unavailable")

    holder, waiter, closer = (threading.Thread(target=deed, daemon=True) for deed in (hold, wait, pool.close))
    holder.start()
    assert holds.wait(60)
    waiter.start()
    closer.start()
    while not pool._is_closed:
        pass
    end.set()
    for thread in (holder, waiter, closer):
        thread.join(30)
    assert not any(thread.is_alive() for thread in (holder, waiter, closer))
    assert outcomes in (["lent"], ["unavailable"])


def test_a_closed_pool_lends_nothing(pool: Pool):
    pool.close()
    pool.close()
    with pytest.raises(StoreUnavailable), pool.lent():
        pass
