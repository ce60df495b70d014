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
from contextlib import contextmanager, suppress
from functools import lru_cache, partial
from types import SimpleNamespace
from typing import Any, cast

from psycopg import RawCursor
from psycopg.pq.abc import PGresult
from sqlalchemy import Connection, Engine, Executable, TextClause
from sqlalchemy.exc import DBAPIError, MultipleResultsFound, NoResultFound

from sheepfold.model.errors import StoreUnavailable
from sheepfold.store.straight import Asked, Straight

Values = Mapping[str, Any]
PATIENCE_S = 30.0
"""How long an operation may wait for its turn."""
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

    The connection under it commits each statement by itself unless `began` brackets them. On PostgreSQL statements can
    wait, by `later`, and make one trip to the database together: there a trip costs more than a statement.
    """

    def __init__(self, connection: Connection) -> None:
        self.dialect = connection.dialect
        self._driver = cast("Any", connection.connection.driver_connection)
        self._composed = connection
        self._straight = None if self.dialect.name == "sqlite" else Straight(self._driver)
        self._waiting: list[tuple[str, Values]] = []
        self._is_commit_sent = False

    def execute(self, query: Executable, values: Values | Sequence[Values] = ()) -> Answer:
        """Run a statement, once for each of several sets of values; raises the driver's own errors."""
        self.flush()
        if not isinstance(query, TextClause):
            return self._execute_composed(query, values)
        return self._run(query.text, values)

    def later(self, query: TextClause, values: Values) -> None:
        """Run a statement that changes rows no later than the next one that is executed, or the end.

        Those that wait become one statement: none may change a row that another one of them changes, or read it.
        """
        if self._straight is None:
            self.execute(query, values)
            return
        if any(statement == query.text for statement, _ in self._waiting):
            self.flush()  # the same one twice may change the same row
        self._waiting.append((query.text, values))

    def together(self, query: TextClause, values: Values) -> Answer:
        """Run a statement that changes rows as one with those that wait, as `later` says; returns its own answer."""
        if not self._waiting:
            return self.execute(query, values)
        self._waiting.append((query.text, values))
        return self.flush()

    def read_together(self, *asked: tuple[TextClause, Values]) -> list[Sequence[Any]]:
        """Run several questions; returns the rows of each. On PostgreSQL they are one statement, answered in JSON."""
        if self._straight is None:
            return [self.execute(query, values).all() for query, values in asked]
        self.flush()
        named = {f"{name}_{n}": value for n, (_, values) in enumerate(asked) for name, value in values.items()}
        row = self._run(_gathered(tuple(query.text for query, _ in asked)), named).one()
        return [[SimpleNamespace(**found) for found in rows or ()] for rows in row]

    def in_turn(self, *asked: tuple[TextClause, Values]) -> list[Sequence[Any]]:
        """Run several statements, each after the one before it; returns the rows of each. They make one trip.

        So the second may read what the first one had to wait for, as where this is locked.
        """
        if self._straight is None:
            return [self.execute(query, values).all() for query, values in asked]
        self.flush()
        answers = self._straight.run_in_turn([_numbered_of(query.text, values) for query, values in asked])
        return [self._answer(query.text, answer).all() for (query, _), answer in zip(asked, answers, strict=True)]

    def flush(self) -> Answer:
        """Run what waits; returns the last one's answer."""
        return self._run(*self._joined()) if self._waiting else Answer((), 0)

    def control(self, command: str) -> None:
        """Run a command that begins or ends a part of a transaction: SAVEPOINT, RELEASE, ROLLBACK TO."""
        self.flush()
        if self._straight is None:
            self._driver.execute(command)
        else:
            self._straight.command(command)

    @contextmanager
    def began(self, *begin: str) -> Iterator[None]:
        """Commit all that happens in the block together, or nothing of it; it begins with these commands, or BEGIN."""
        self._is_commit_sent = False
        self._begin(*(begin or ("BEGIN",)))
        try:
            yield
            self._commit()
        except BaseException:
            self._roll_back()
            raise

    @contextmanager
    def singly(self) -> Iterator[None]:
        """Have each statement of the block be durable by itself."""
        self._go_for_good()
        try:
            yield
            self.flush()
        finally:
            self._waiting.clear()

    @property
    def driver(self) -> Any:  # noqa: ANN401 -- of whichever driver
        """Return the driver's own connection, on which all that was to begin has begun."""
        if self._straight is not None:
            self._straight.command()
        return self._driver

    @property
    def is_lost(self) -> bool:
        """Say whether the connection has died; SQLite's cannot."""
        return bool(getattr(self._driver, "closed", False))

    @property
    def is_perhaps_done(self) -> bool:
        """Say whether the connection died after something was sent that commits: nobody knows whether it did."""
        return self.is_lost and self._is_commit_sent

    def forget(self) -> None:
        """Let go of a connection that has died, without another word to it."""
        self._composed.invalidate()
        self._composed.close()

    def close(self) -> None:
        """Close the connection."""
        self._composed.close()

    def _go_for_good(self) -> None:
        """Note that what is sent now commits; raises where the connection has died already."""
        self._is_commit_sent = False
        if self._straight is not None:
            self._straight.see_alive()
        self._is_commit_sent = True

    def _joined(self) -> tuple[str, Values]:
        """Take the statements that wait as one, with its values."""
        waiting, self._waiting = self._waiting, []
        values = {f"{name}_{n}": value for n, (_, values) in enumerate(waiting) for name, value in values.items()}
        return _joined(tuple(statement for statement, _ in waiting)), values

    def _commit(self) -> None:
        """Make all that happened last; what still waits goes in one trip with that."""
        self._go_for_good()
        if self._straight is not None and self._waiting:
            self._straight.run_in_turn([_numbered_of(*self._joined()), ("COMMIT", ())])
        else:
            self._end("COMMIT")

    def _begin(self, *commands: str) -> None:
        if self._straight is not None:
            self._straight.begin(*commands)
            return
        for command in commands:
            self._driver.execute(command)

    def _end(self, command: str) -> None:
        if self._straight is None:
            self._driver.execute(command)
        else:
            self._straight.end(command)

    def _roll_back(self) -> None:
        self._waiting.clear()
        is_open = self._driver.in_transaction if self._straight is None else not self._driver.closed
        if is_open:
            self._end("ROLLBACK")

    def _run(self, statement: str, values: Any) -> Answer:  # noqa: ANN401 -- one set of values, or a list of them
        if isinstance(values, list):
            return self._run_each(statement, values)
        if self._straight is not None:
            return self._answer(statement, self._straight.run(*_numbered_of(statement, values)))
        cursor = self._driver.execute(statement, values)
        made = _made(statement, lambda: [column[0] for column in cursor.description or ()])
        return Answer([made(row) for row in cursor.fetchall()] if made else (), cursor.rowcount)

    def _answer(self, statement: str, answer: PGresult) -> Answer:
        assert self._straight is not None
        made = _made(statement, partial(self._straight.columns, answer))
        return Answer(self._straight.rows(answer, made) if made else (), answer.command_tuples or 0)

    def _run_each(self, statement: str, values: list[Values]) -> Answer:
        """Run a statement once for each set of values; nothing is answered but how many rows it changed."""
        if self._straight is None:
            return Answer((), self._driver.executemany(statement, values).rowcount)
        self._straight.command()
        written, names = _numbered(statement)
        cursor = RawCursor(self._driver)
        cursor.executemany(written, [[one[name] for name in names] for one in values])
        return Answer((), cursor.rowcount)

    def _execute_composed(self, query: Executable, values: Values | Sequence[Values]) -> Answer:
        if self._straight is not None:
            self._straight.command()
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
        """Lend a connection for the block; waits while all are in use.

        Raises StoreUnavailable where they are for too long, and after the end.
        """
        if self._is_closed:
            raise StoreUnavailable("The database is closed.")
        tx = self._take(PATIENCE_S)
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
            tx = self._take(None)
            if tx is not None:
                tx.close()

    def _take(self, patience_s: float | None) -> Tx | None:
        with self._lock:
            if self._free:
                return self._free.pop()
            place: queue.SimpleQueue[Tx | None] = queue.SimpleQueue()
            self._waiting.append(place)
        with suppress(queue.Empty):
            return place.get(timeout=patience_s)
        with self._lock:
            if place in self._waiting:
                self._waiting.remove(place)
                raise StoreUnavailable("The database is busy: all connections to it are in use.")
        return place.get()  # somebody has just taken the place out to fill it

    def _give(self, tx: Tx | None) -> None:
        with self._lock:
            if not self._waiting:
                self._free.append(tx)
                return
            place = self._waiting.popleft()
        place.put(tx)


_Made = Callable[[Sequence[Any]], Any]
_ROWS: dict[str, _Made | None] = {}
"""How a statement's rows are made, None where it has none; there are as many as there are different texts."""


def _made(statement: str, columns: Callable[[], Sequence[str]]) -> _Made | None:
    """Return how a statement's rows are made; its columns are asked for the first time only."""
    if statement not in _ROWS:
        names = columns()
        _ROWS[statement] = namedtuple("Row", names, rename=True)._make if names else None  # type: ignore[attr-defined]
    return _ROWS[statement]


@lru_cache(maxsize=256)
def _joined(statements: tuple[str, ...]) -> str:
    """Write statements as one, of the last one's answer, with the place of each at the end of its parameters."""
    *before, last = (_PARAMETER.sub(rf":\1_{n}", statement) for n, statement in enumerate(statements))
    withs = ", ".join(f"waiting_{n} AS ({statement})" for n, statement in enumerate(before))
    return f"WITH {withs} {last}" if withs else last


@lru_cache(maxsize=64)
def _gathered(questions: tuple[str, ...]) -> str:
    """Write questions as one whose only row has the rows of each, or NULL, as JSON."""
    each = (_PARAMETER.sub(rf":\1_{n}", question) for n, question in enumerate(questions))
    asked = (f"(SELECT json_agg(asked_{n}) FROM ({question}) AS asked_{n})"  # noqa: S608 -- the store's own words
             for n, question in enumerate(each))
    return f"SELECT {', '.join(asked)}"


def _numbered_of(statement: str, values: Values) -> Asked:
    """Return a statement with its values as PostgreSQL numbers them."""
    written, names = _numbered(statement)
    return written, [values[name] for name in names]


@lru_cache(maxsize=4096)
def _numbered(statement: str) -> tuple[str, tuple[str, ...]]:
    """Write a statement's parameters as PostgreSQL numbers them; returns also their names in this order."""
    names = tuple(dict.fromkeys(_PARAMETER.findall(statement)))
    return _PARAMETER.sub(lambda found: f"${names.index(found[1]) + 1}", statement), names
