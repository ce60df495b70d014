"""PostgreSQL: operations on a pool of connections, tried again where two of them got in each other's way."""

import threading
import time
from collections.abc import Callable

import psycopg
import psycopg.rows
from sqlalchemy import create_engine, make_url
from sqlalchemy.exc import DBAPIError

from sheepfold.store.database import T, Tx, translated
from sheepfold.store.migrations.upgrade import upgrade

POOL_SIZE = 12
TRIES = 6
_TRY_AGAIN = frozenset({"40001", "40P01"})  # serialization failure, deadlock
CHANNEL = "sheepfold"


class PostgresDatabase:
    """A PostgreSQL database with its pool, and a thread that hears of other servers' commits."""

    def __init__(self, url: str) -> None:
        address = make_url(url).set(drivername="postgresql+psycopg")
        self.url = address.render_as_string(hide_password=True)
        self._dsn = address.set(drivername="postgresql").render_as_string(hide_password=False)
        self._engine = create_engine(address, pool_size=POOL_SIZE, max_overflow=POOL_SIZE, pool_pre_ping=False,
                                     connect_args={"connect_timeout": 10})
        with translated():
            upgrade(self._engine)
        self._listeners: list[Callable[[], None]] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._hear, name="store-listener", daemon=True)
        self._thread.start()

    def write(self, operation: Callable[[Tx], T]) -> T:
        """Run an operation in a transaction of its own; again, a few times, after a deadlock."""
        answer = self._tried(operation)
        for listener in self._listeners:
            listener()
        return answer

    def read(self, operation: Callable[[Tx], T]) -> T:
        """Run an operation that only reads."""
        return self._tried(operation)

    def listen(self, listener: Callable[[], None]) -> None:
        """Have a function called after each commit of this server, and soon after those of others."""
        self._listeners.append(listener)

    def close(self) -> None:
        """End the listener and all connections."""
        self._ended.set()
        self._thread.join()
        self._engine.dispose()

    def _tried(self, operation: Callable[[Tx], T]) -> T:
        with translated():
            for attempt in range(TRIES):
                try:
                    with self._engine.begin() as tx:
                        return operation(tx)
                except DBAPIError as error:
                    if not self._may_try_again(error) or attempt == TRIES - 1:
                        raise
                    time.sleep(0.005 * 2**attempt)
        raise AssertionError  # the last attempt has returned or raised

    @staticmethod
    def _may_try_again(error: DBAPIError) -> bool:
        """Say whether another try may help: after a deadlock, or when a connection had died while it lay idle."""
        return error.connection_invalidated or getattr(error.orig, "sqlstate", None) in _TRY_AGAIN

    def _hear(self) -> None:
        """Wait for NOTIFY, and come back when the connection was lost; who polls is told within a second anyway."""
        while not self._ended.is_set():
            try:
                with psycopg.connect(self._dsn, autocommit=True, connect_timeout=10) as connection:
                    connection.execute(f"LISTEN {CHANNEL}")
                    self._hear_on(connection)
            except psycopg.Error:
                self._ended.wait(1.0)

    def _hear_on(self, connection: psycopg.Connection[psycopg.rows.TupleRow]) -> None:
        while not self._ended.is_set():
            if any(True for _ in connection.notifies(timeout=0.2, stop_after=1)):
                for listener in self._listeners:
                    listener()
