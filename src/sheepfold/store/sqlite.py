"""SQLite: one thread writes for all, many operations to a commit; readers have connections of their own.

Operations that wait together run each under a savepoint inside one physical transaction and are answered after its
commit, so that one flush to the disk makes all of them durable (synchronous FULL). A group ends after 20 ms, so that
others get their turn: servers beside this one, the command line.
"""

import queue
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from typing import Any

from sqlalchemy import Engine, create_engine, event, text
from sqlalchemy.pool import NullPool

from sheepfold.model.errors import StoreUnavailable
from sheepfold.store.checkpoints import TOO_LONG, Checkpoints
from sheepfold.store.database import T, Tx, translated
from sheepfold.store.migrations.upgrade import upgrade
from sheepfold.store.transaction import PATIENCE_S, Pool
from sheepfold.store.turns import Turns

GROUP_TIME_S = 0.020
GROUP_SIZE = 64
BUSY_TIMEOUT_MS = 15_000
READERS = 16
NEWS_PERIOD_S = 0.05
"""How long listeners may wait to hear of another process's commit."""

_VERSION = text("PRAGMA data_version")

_Waiting = tuple[Callable[[Tx], Any], "Future[Any]"]


class SqliteDatabase:
    """A SQLite file with its writer thread."""

    def __init__(self, url: str) -> None:
        self.url = url
        with translated():
            _upgrade(url)
        engine = _engine(url).execution_options(isolation_level="AUTOCOMMIT")
        self._writer = Pool(engine, 1)
        self._readers = Pool(engine, READERS)
        self._waiting: queue.SimpleQueue[_Waiting | None] = queue.SimpleQueue()
        self._turns = Turns(url)
        self._checkpoints = Checkpoints(engine, Turns(url))
        self._listeners: list[Callable[[], None]] = []
        self._closing = threading.Lock()
        self._is_closed = False
        self._thread = threading.Thread(target=self._write_groups, name="store-writer", daemon=True)
        self._thread.start()
        self._ended = threading.Event()
        self._news = Pool(engine, 1)
        self._hearing: threading.Thread | None = None

    def write(self, operation: Callable[[Tx], T]) -> T:
        """Hand an operation to the writer and wait for its answer."""
        answer: Future[T] = Future()
        with self._closing:
            if self._is_closed:
                raise StoreUnavailable("The database is closed.")
            self._waiting.put((operation, answer))
        with suppress(TimeoutError):
            return answer.result(PATIENCE_S)
        if answer.cancel():  # it did not begin, and never will
            raise StoreUnavailable("The database is busy: something else does not let go of it.")
        return answer.result()

    def write_singly(self, operation: Callable[[Tx], T]) -> T:
        """Hand an operation to the writer like any other."""
        return self.write(operation)

    def read(self, operation: Callable[[Tx], T]) -> T:
        """Run an operation on a snapshot of its own."""
        with translated(), self._readers.lent() as tx, tx.began():
            return operation(tx)

    def look(self, operation: Callable[[Tx], T]) -> T:
        """Run an operation of a single statement."""
        with translated(), self._readers.lent() as tx:
            return operation(tx)

    def listen(self, listener: Callable[[], None]) -> None:
        """Have a function called after each commit, and soon after those of other processes.

        Raises StoreUnavailable where the disk fails, and RuntimeError where the system has no threads left; then
        nothing is called.
        """
        with self._closing:
            if self._hearing is None and not self._is_closed:
                hearing = threading.Thread(target=self._hear, args=(self._version(),), name="store-listener",
                                           daemon=True)
                hearing.start()
                self._hearing = hearing
        self._listeners.append(listener)

    def close(self) -> None:
        """Let the writer finish what waits, then end it."""
        with self._closing:
            if self._is_closed:
                return
            self._is_closed = True
            self._waiting.put(None)
        self._thread.join()
        self._ended.set()
        if self._hearing is not None:
            self._hearing.join()
        self._checkpoints.close()
        self._turns.close()
        self._writer.close()
        self._readers.close()
        self._news.close()

    def _write_groups(self) -> None:
        while (first := self._waiting.get()) is not None:
            answered: list[tuple[Future[Any], Any]] = []
            try:
                with translated(), self._writer.lent() as tx, self._turns.taken(), tx.began("BEGIN IMMEDIATE"):
                    is_last = self._run_group(tx, first, answered)
            except BaseException as error:  # noqa: BLE001 -- whoever waits must hear of it, whatever it is
                _tell_undone([first[1], *(answer for answer, _ in answered)], error)
                if self._is_closed and self._waiting.empty():  # the end of all writing was in this group
                    return
                continue
            for answer, value in answered:
                answer.set_result(value)
            self._checkpoints.count(len(answered))
            for listener in self._listeners:
                listener()
            if is_last:
                return

    def _hear(self, known: int) -> None:
        """Tell listeners of the commits of other connections; our own writer's is one, too, and it is told twice."""
        while not self._ended.wait(NEWS_PERIOD_S):
            with suppress(StoreUnavailable):  # a disk in trouble, say; the next look is soon
                version = self._version()
                if version != known:
                    known = version
                    for listener in self._listeners:
                        listener()

    def _version(self) -> int:
        """Return a number that changes with each commit of another connection."""
        with translated(), self._news.lent() as tx:
            return int(tx.execute(_VERSION).scalar_one())

    def _run_group(self, tx: Tx, first: _Waiting, answered: list[tuple[Future[Any], Any]]) -> bool:
        """Run what waits, one savepoint each, and collect the answers; True when the end of all writing was met."""
        started = time.monotonic()
        waiting: _Waiting | None = first
        while waiting is not None:
            self._run_one(tx, *waiting, answered)
            if len(answered) >= GROUP_SIZE or time.monotonic() - started > GROUP_TIME_S:
                return False
            try:
                waiting = self._waiting.get_nowait()
            except queue.Empty:
                return False
        return True

    @staticmethod
    def _run_one(tx: Tx, operation: Callable[[Tx], Any], answer: "Future[Any]",
                 answered: list[tuple["Future[Any]", Any]]) -> None:
        if not answer.set_running_or_notify_cancel():
            return
        try:
            with translated():
                tx.control("SAVEPOINT operation")
                value = operation(tx)
        except BaseException as error:  # it belongs to the operation's caller, and only the savepoint is undone
            answer.set_exception(error)
            if not tx.driver.in_transaction:  # a full disk, say, undoes the whole group
                raise
            tx.control("ROLLBACK TO operation")
        else:
            answered.append((answer, value))
        tx.control("RELEASE operation")


def _tell_undone(answers: list["Future[Any]"], error: BaseException) -> None:
    """Tell whoever was in a group that it was undone, except the one whose own error it was, who knows already."""
    trouble = error if isinstance(error, StoreUnavailable) else StoreUnavailable("Another operation undid this one.")
    for answer in answers:
        with suppress(InvalidStateError):  # who knows, or waits no more
            answer.set_exception(trouble)


def _upgrade(url: str) -> None:
    engine = _engine(url)
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
    upgrade(engine)
    with engine.begin() as connection:  # where somebody ran ANALYZE, plans would for ever be those of that day's tables
        for statistics in ("sqlite_stat1", "sqlite_stat4"):
            connection.exec_driver_sql(f"DROP TABLE IF EXISTS {statistics}")


def _engine(url: str) -> Engine:
    engine = create_engine(url, poolclass=NullPool,
                           connect_args={"check_same_thread": False, "cached_statements": 512})

    @event.listens_for(engine, "connect")
    def prepare(connection: sqlite3.Connection, _: object) -> None:
        connection.isolation_level = None  # the driver's own BEGIN comes too late for a snapshot
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", f"busy_timeout={BUSY_TIMEOUT_MS}",
                       "temp_store=MEMORY", "cache_size=-65536", "mmap_size=268435456",
                       f"wal_autocheckpoint={TOO_LONG}"):
            connection.execute(f"PRAGMA {pragma}")

    return engine
