"""The straight way to PostgreSQL: what is prepared and forgotten, what makes one trip, and what fails in between."""

import signal
import threading
import time
from collections.abc import Iterator

import psycopg
import pytest
from sqlalchemy import make_url
from tests.conftest import PostgresServer

from sheepfold.store.straight import PREPARED_AFTER, PREPARED_MOST, Straight

pytestmark = pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)

NAMES = "SELECT count(*) FROM pg_prepared_statements WHERE name LIKE 'straight%'"


@pytest.fixture
def connection(database_url: str) -> Iterator[psycopg.Connection]:
    """Give a connection of one's own to an empty database."""
    address = make_url(database_url).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(address, autocommit=True) as opened:
        yield opened


@pytest.fixture
def straight(connection: psycopg.Connection) -> Straight:
    """Return the statements of the connection."""
    return Straight(connection)


def said(straight: Straight, statement: str, *values: object) -> object:
    """Return the first column of a statement's only row."""
    [row] = straight.rows(straight.run(statement, values), tuple)
    return row[0]


@pytest.mark.parametrize("value", [None, True, 0, 2**40, 2**70, 1.5, "it's %s $1 é", b"\0\xff", [1, 2], []])
def test_values_come_back_as_they_went(straight: Straight, value: object):
    kind = {bool: "boolean", int: "numeric", float: "float8", str: "text", bytes: "bytea", list: "int[]"}
    cast = kind.get(type(value), "text")
    for _ in range(PREPARED_AFTER + 2):
        assert said(straight, f"SELECT $1::{cast}", value) == value


def test_what_comes_often_is_prepared_once_for_each_type_of_its_values(straight: Straight):
    for _ in range(PREPARED_AFTER):
        said(straight, "SELECT $1::numeric", 1)
    assert said(straight, NAMES) == 0
    for _ in range(3):
        said(straight, "SELECT $1::numeric", 2)
    assert said(straight, NAMES) == 1
    for _ in range(PREPARED_AFTER + 1):
        said(straight, "SELECT $1::numeric", 2**40)
    assert said(straight, NAMES) == 2


def test_of_many_statements_those_that_were_not_used_for_longest_are_forgotten(straight: Straight):
    for number in range(PREPARED_MOST + 20):
        for _ in range(PREPARED_AFTER + 1):
            assert said(straight, f"SELECT {number}") == number
    assert said(straight, NAMES) == PREPARED_MOST - 1  # the place that is missing is this question's
    assert said(straight, "SELECT 0") == 0


def test_what_begins_goes_with_the_first_statement(connection: psycopg.Connection, straight: Straight):
    straight.begin("BEGIN ISOLATION LEVEL REPEATABLE READ", "SET LOCAL enable_seqscan = on")
    assert connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
    assert said(straight, "SHOW transaction_isolation") == "repeatable read"
    assert said(straight, "SHOW enable_seqscan") == "on"
    straight.end("COMMIT")
    assert connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
    assert said(straight, "SHOW transaction_isolation") == "read committed"


def test_a_transaction_in_which_nothing_is_run_is_none(connection: psycopg.Connection, straight: Straight):
    told: list[str] = []
    connection.add_notice_handler(lambda notice: told.append(notice.message_primary or ""))
    for end in ("COMMIT", "ROLLBACK"):
        straight.begin("BEGIN")
        straight.end(end)
    assert connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
    assert told == []


def test_each_statement_of_a_turn_sees_what_those_before_it_did(straight: Straight):
    straight.command("CREATE TEMP TABLE sheep (name text)")
    straight.begin("BEGIN")
    added, seen = straight.run_in_turn([("INSERT INTO sheep VALUES ($1), ($2)", ["dolly", "shaun"]),
                                        ("SELECT name FROM sheep ORDER BY 1", [])])
    straight.end("COMMIT")
    assert added.command_tuples == 2
    assert straight.rows(seen, tuple) == [("dolly",), ("shaun",)]


def test_a_turn_ends_with_its_first_mistake_and_the_connection_goes_on(straight: Straight):
    straight.command("CREATE TEMP TABLE sheep (name text UNIQUE)")
    straight.begin("BEGIN")
    with pytest.raises(psycopg.errors.DivisionByZero):
        straight.run_in_turn([("INSERT INTO sheep VALUES ($1)", ["dolly"]), ("SELECT 1 / $1::int", [0]),
                              ("INSERT INTO sheep VALUES ($1)", ["shaun"])])
    straight.end("ROLLBACK")
    assert said(straight, "SELECT count(*) FROM sheep") == 0
    with pytest.raises(psycopg.errors.SyntaxError):
        straight.run("SELEKT 1", [])
    assert said(straight, "SELECT 1") == 1


@pytest.mark.parametrize("begun", [False, True])
def test_a_connection_that_is_lost_amid_a_statement_says_so(connection: psycopg.Connection, straight: Straight,
                                                            begun: bool):
    if begun:
        straight.begin("BEGIN")
    with pytest.raises(psycopg.OperationalError):
        straight.run("SELECT pg_terminate_backend(pg_backend_pid()), pg_sleep(60)", [])
    assert connection.closed
    with pytest.raises(psycopg.OperationalError):
        straight.run("SELECT 1", [])


def test_a_connection_whose_answers_were_not_read_to_their_end_is_lost(
    connection: psycopg.Connection, straight: Straight, postgres_server: PostgresServer
):
    def interrupt() -> None:
        sleeps = f"SELECT 1 FROM pg_stat_activity WHERE pid = {pid} AND wait_event = 'PgSleep'"
        while not postgres_server.execute(sleeps):
            time.sleep(0.01)
        signal.pthread_kill(threading.main_thread().ident, signal.SIGUSR1)

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    pid = connection.info.backend_pid
    before = signal.signal(signal.SIGUSR1, stop)
    friend = threading.Thread(target=interrupt)
    friend.start()
    try:
        straight.begin("BEGIN")
        with pytest.raises(KeyboardInterrupt):
            straight.run("SELECT pg_sleep(60)", [])
    finally:
        friend.join()
        signal.signal(signal.SIGUSR1, before)
    assert connection.closed
