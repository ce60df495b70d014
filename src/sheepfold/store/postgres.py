"""PostgreSQL: operations on a pool of connections, tried again where two of them got in each other's way."""

import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress

import psycopg
import psycopg.rows
from sqlalchemy import URL, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import NullPool

from sheepfold.model.errors import BadInput, PerhapsDone
from sheepfold.store.database import T, Tx, translated
from sheepfold.store.migrations.upgrade import upgrade
from sheepfold.store.transaction import Pool

POOL_SIZE = 24
TRIES = 6
_TRY_AGAIN = frozenset({"40001", "40P01", "23505", "23503", "22012"})
"""Serialization failure, deadlock; a unique or foreign key broken, by a row that another transaction has added or
removed since we looked; and a division by 0, which says so of a count (`jobs.count_ended`): the next try sees it."""
LINE = {"connect_timeout": "10", "keepalives_idle": "10", "keepalives_interval": "5", "keepalives_count": "3",
        "tcp_user_timeout": "30000"}
"""What libpq is told of each connection unless the address says otherwise, so that a host that vanished without a word
is missed within half a minute; all in seconds but the last one, which is milliseconds."""
CHANNEL = "sheepfold"
LONGEST_SILENCE = "60s"
"""After this long the database ends a transaction whose server says nothing more: it froze, or its line was cut. Until
then nobody gets the rows that it holds, and readers of events wait for what it may yet commit."""
NEWS_PERIOD_S = 0.1
"""How long other servers may wait to hear of a commit of this one."""


class PostgresDatabase:
    """A PostgreSQL database with its pool, and a thread that hears of other servers' commits."""

    def __init__(self, url: str) -> None:
        address = _read(url).set(drivername="postgresql+psycopg")
        self.url = address.render_as_string(hide_password=True)
        address = address.set(query={**LINE, **address.query})
        self._dsn = address.set(drivername="postgresql").render_as_string(hide_password=False)
        engine = create_engine(address, poolclass=NullPool, hide_parameters=True)
        with translated():
            upgrade(engine)
        event.listen(engine, "connect", _set_up)
        self._pool = Pool(engine.execution_options(isolation_level="AUTOCOMMIT"), POOL_SIZE)
        self._listeners: list[Callable[[], None]] = []
        self._has_news = threading.Event()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._hear, name="store-listener", daemon=True)
        self._thread.start()

    def write(self, operation: Callable[[Tx], T]) -> T:
        """Run an operation in a transaction of its own; again, a few times, after a deadlock."""
        return self._told(self._tried(operation, Tx.began))

    def write_singly(self, operation: Callable[[Tx], T]) -> T:
        """Run an operation each of whose statements is a transaction of its own."""
        return self._told(self._tried(operation, Tx.singly))

    def read(self, operation: Callable[[Tx], T]) -> T:
        """Run an operation that only reads, on a snapshot of its own."""
        return self._tried(operation, _snapshot, is_reading=True)

    def look(self, operation: Callable[[Tx], T]) -> T:
        """Run an operation of a single statement."""
        return self._tried(operation, Tx.singly, is_reading=True)

    def listen(self, listener: Callable[[], None]) -> None:
        """Have a function called after each commit of this server, and soon after those of others."""
        self._listeners.append(listener)

    def close(self) -> None:
        """End the listener and all connections."""
        self._ended.set()
        self._thread.join()
        self._pool.close()

    def _told(self, answer: T) -> T:
        """Tell of what was written, and pass its answer on."""
        self._has_news.set()
        for listener in self._listeners:
            listener()
        return answer

    def _tried(self, operation: Callable[[Tx], T], bracket: Callable[[Tx], AbstractContextManager[object]], *,
               is_reading: bool = False) -> T:
        """Run an operation, and again where the database undid it, or its connection died before it could last."""
        with translated():
            for attempt in range(TRIES):
                with self._pool.lent() as tx:
                    try:
                        with bracket(tx):
                            return operation(tx)
                    except psycopg.Error as error:
                        if tx.is_perhaps_done and not is_reading:
                            raise PerhapsDone from error
                        if not (tx.is_lost or error.sqlstate in _TRY_AGAIN) or attempt == TRIES - 1:
                            raise
                time.sleep(0.005 * 2**attempt)
        raise AssertionError  # the last attempt has returned or raised

    def _hear(self) -> None:
        """Tell other servers and hear of them, and come back when the connection was lost.

        A NOTIFY inside of each transaction would make all commits wait for one another. Whoever misses one polls
        within a second anyway.
        """
        while not self._ended.is_set():
            try:
                with psycopg.connect(self._dsn, autocommit=True) as connection:
                    connection.execute(f"LISTEN {CHANNEL}")
                    self._hear_on(connection)
            except psycopg.Error:
                self._ended.wait(1.0)

    def _hear_on(self, connection: psycopg.Connection[psycopg.rows.TupleRow]) -> None:
        own = connection.info.backend_pid
        while not self._ended.is_set():
            if any(heard.pid != own for heard in connection.notifies(timeout=NEWS_PERIOD_S, stop_after=1)):
                for listener in self._listeners:
                    listener()
            self._tell_on(connection)
        self._tell_on(connection)

    def _tell_on(self, connection: psycopg.Connection[psycopg.rows.TupleRow]) -> None:
        if self._has_news.is_set():
            self._has_news.clear()
            connection.execute(f"NOTIFY {CHANNEL}")


def _read(url: str) -> URL:
    """Read an address; raises BadInput, which shows nothing of it: a part of the password may stand anywhere."""
    with suppress(ArgumentError, ValueError):
        address = make_url(url)
        if "@" not in (address.host or ""):
            return address
    raise BadInput("A database's address is like postgresql://NAME:PASSWORD@HOST:PORT/DATABASE; in name and password "
                   "an @ is written %40, a colon %3A, a slash %2F and a percent sign %25.")


def _snapshot(tx: Tx) -> AbstractContextManager[object]:
    return tx.began("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", "SET LOCAL enable_seqscan = on")


def _set_up(connection: "psycopg.Connection[psycopg.rows.TupleRow]", _: object) -> None:
    """Set a connection's silence, and its plans, which are kept: what is planned for an empty table lasts as it fills.

    Whatever writes, or looks something up, walks indexes, then. Snapshots, of which pages and reports are made, may
    read a table whole. To compile a plan takes longer than any of them.
    """
    connection.execute(f"SET idle_in_transaction_session_timeout = '{LONGEST_SILENCE}'")
    connection.execute("SET enable_seqscan = off")
    connection.execute("SET jit = off")
    connection.commit()
