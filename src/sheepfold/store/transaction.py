"""A transaction, and the pool of lasting connections that transactions run on.

Plain SQL, which is all of the hot path, goes straight to the driver: SQLAlchemy adds about 70 µs to a statement, and
the way of a picture has some thirty of them (docs/decisions/0002-hot-path.md). What is composed (`select`, `insert`)
goes through SQLAlchemy, on the same connection.
"""

import queue
import re
import threading
from collections import deque, namedtuple
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Engine, Executable, TextClause
from sqlalchemy.exc import DBAPIError, MultipleResultsFound, NoResultFound

from sheepfold.model.errors import StoreUnavailable

Values = Mapping[str, Any]
_PARAMETER = re.compile(r"(?<![:\w]):(\w+)")


class Answer:
    """What a statement answered: all of its rows, with columns by name, and how many rows it changed."""

    __slots__ = ("_rows", "rowcount")

    def __init__(self, rows: Sequence[Any], rowcount: int) -> None:
        self._rows = rows
        self.rowcount = rowcount

    def __iter__(self) -> Iterator[Any]:
        return iter(self._rows)

    def all(self) -> Sequence[Any]:
        """Return all rows."""
        return self._rows

    def first(self) -> Any:  # noqa: ANN401 -- a row's columns are the query's
        """Return the first row, None where there is none."""
        return self._rows[0] if self._rows else None

    def one_or_none(self) -> Any:  # noqa: ANN401
        """Return the only row, None where there is none."""
        if len(self._rows) > 1:
            raise MultipleResultsFound(f"At most one row was expected; there are {len(self._rows)}.")
        return self.first()

    def one(self) -> Any:  # noqa: ANN401
        """Return the only row."""
        row = self.one_or_none()
        if row is None:
            raise NoResultFound("One row was expected; there is none.")
        return row

    def scalar_one_or_none(self) -> Any:  # noqa: ANN401
        """Return the first column of the only row, None where there is none."""
        row = self.one_or_none()
        return None if row is None else row[0]

    def scalar_one(self) -> Any:  # noqa: ANN401
        """Return the first column of the only row."""
        return self.one()[0]


class Tx:
    """An open transaction. Only the store calls its methods; to all others it is a thing to hand on.

    The connection under it commits each statement by itself unless `began` brackets them.
    """

    def __init__(self, connection: Connection) -> None:
        self.dialect = connection.dialect
        self.driver: Any = connection.connection.driver_connection
        self._composed = connection
        self._written: Callable[[str], str] = str if self.dialect.name == "sqlite" else _with_percents

    def execute(self, query: Executable, values: Values | Sequence[Values] = ()) -> Answer:
        """Run a statement, once for each of several sets of values; raises the driver's own errors."""
        if not isinstance(query, TextClause):
            return self._execute_composed(query, values)
        statement = self._written(query.text)
        if isinstance(values, list):
            cursor = self.driver.cursor()
            cursor.executemany(statement, values)
        else:
            cursor = self.driver.execute(statement, values)
        return _answer(statement, cursor)

    def control(self, command: str) -> None:
        """Run a command that begins or ends something: BEGIN, SAVEPOINT, COMMIT."""
        self.driver.execute(command)

    @contextmanager
    def began(self, begin: str = "BEGIN") -> Iterator[None]:
        """Commit all that happens in the block together, or nothing of it."""
        self.control(begin)
        try:
            yield
            self.control("COMMIT")
        except BaseException:
            self._roll_back()
            raise

    @property
    def is_lost(self) -> bool:
        """Say whether the connection has died; SQLite's cannot."""
        return bool(getattr(self.driver, "closed", False))

    def forget(self) -> None:
        """Let go of a connection that has died, without another word to it."""
        self._composed.invalidate()
        self._composed.close()

    def close(self) -> None:
        """Close the connection."""
        self._composed.close()

    def _roll_back(self) -> None:
        is_open = self.driver.in_transaction if self.dialect.name == "sqlite" else not self.driver.closed
        if is_open:
            self.control("ROLLBACK")

    def _execute_composed(self, query: Executable, values: Values | Sequence[Values]) -> Answer:
        try:
            result = self._composed.execute(query, values or None)
        except DBAPIError as error:
            raise (error.orig or error) from None
        return Answer(result.all() if result.returns_rows else (), result.rowcount)


class Pool:
    """Lasting connections, each for one user at a time, opened when they are first wanted.

    They go to whoever has waited longest: a queue's lock goes to whoever comes first, and with more threads than
    connections some claims then waited for half a second.
    """

    def __init__(self, engine: Engine, size: int) -> None:
        self._engine = engine
        self._size = size
        self._is_closed = False
        self._lock = threading.Lock()
        self._free: list[Tx | None] = [None] * size
        self._waiting: deque[queue.SimpleQueue[Tx | None]] = deque()

    @contextmanager
    def lent(self) -> Iterator[Tx]:
        """Lend a connection for the block; waits while all are in use. Raises StoreUnavailable after the end."""
        if self._is_closed:
            raise StoreUnavailable("The database is closed.")
        tx = self._take()
        try:
            if tx is None:
                tx = Tx(self._engine.connect())
            yield tx
        finally:
            if tx is not None and tx.is_lost:
                tx.forget()
                tx = None
            self._give(tx)

    def close(self) -> None:
        """Close all connections, each as soon as it is free; again, it does nothing."""
        if self._is_closed:
            return
        self._is_closed = True
        for _ in range(self._size):
            tx = self._take()
            if tx is not None:
                tx.close()

    def _take(self) -> Tx | None:
        with self._lock:
            if self._free:
                return self._free.pop()
            place: queue.SimpleQueue[Tx | None] = queue.SimpleQueue()
            self._waiting.append(place)
        return place.get()

    def _give(self, tx: Tx | None) -> None:
        with self._lock:
            if not self._waiting:
                self._free.append(tx)
                return
            place = self._waiting.popleft()
        place.put(tx)


def _answer(statement: str, cursor: Any) -> Answer:  # noqa: ANN401 -- of whichever driver
    if cursor.description is None:
        return Answer((), cursor.rowcount)
    row = _ROW_TYPES.get(statement)
    if row is None:
        names = [column[0] for column in cursor.description]
        row = namedtuple("Row", names, rename=True)._make  # type: ignore[attr-defined]
        _ROW_TYPES[statement] = row
    return Answer([row(found) for found in cursor.fetchall()], cursor.rowcount)


_ROW_TYPES: dict[str, Callable[[Sequence[Any]], Any]] = {}
"""How a statement's rows are made; there are as many as there are different texts."""


@lru_cache(maxsize=4096)
def _with_percents(statement: str) -> str:
    """Write a statement's parameters as psycopg wants them."""
    return _PARAMETER.sub(r"%(\1)s", statement.replace("%", "%%"))
