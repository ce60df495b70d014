"""The seam between the house and its database: one operation, one transaction, on SQLite or PostgreSQL.

An operation is a function that takes the transaction and returns a value. It does nothing but SQL and pure rules,
since it may run on the writer's thread, under a savepoint among others, and may run again after a deadlock.
"""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol, TypeVar

import psycopg
from sqlalchemy import TextClause
from sqlalchemy.exc import DatabaseError, DataError, InterfaceError, OperationalError

from sheepfold.model.errors import BadInput, StoreUnavailable
from sheepfold.store.transaction import Tx as Tx  # noqa: PLC0414 -- every module of the store and the farm has it from here
from sheepfold.store.transaction import Values

T = TypeVar("T")
Question = tuple[TextClause, Values]
"""A statement that only reads, with what it is asked of: several are asked together (`Tx.read_together`)."""


class Database(Protocol):
    """A database that is up to date with the schema."""

    @property
    def url(self) -> str:
        """Return the SQLAlchemy address, without a password."""
        ...

    def write(self, operation: Callable[[Tx], T]) -> T:
        """Run an operation in a write transaction and return its answer once that is durable.

        What the operation raises is raised here, and nothing of it remains. Raises StoreUnavailable where the
        database does not answer, and of it PerhapsDone where it went away when all was said and nothing answered.
        """
        ...

    def write_singly(self, operation: Callable[[Tx], T]) -> T:
        """Run an operation that stays whole where only its first statements become durable: a transaction is no need.

        On SQLite it is one all the same, since a commit costs more there than what it holds.
        """
        ...

    def read(self, operation: Callable[[Tx], T]) -> T:
        """Run an operation that only reads, on a snapshot of its own."""
        ...

    def look(self, operation: Callable[[Tx], T]) -> T:
        """Run an operation that reads with a single statement, or with some that need not tell of one moment.

        On PostgreSQL they go by indexes; those of `read` may read tables whole.
        """
        ...

    def listen(self, listener: Callable[[], None]) -> None:
        """Have a function called, on some thread, after commits; it must return at once.

        Raises StoreUnavailable where the database does not answer; then it is not called, and one may try again.
        """
        ...

    def close(self) -> None:
        """End all threads and connections."""
        ...


def read_at_once(db: Database, operation: Callable[[Tx], T]) -> T:
    """Run an operation that asks all that it reads together, on a snapshot.

    On PostgreSQL its questions are one statement, which is a snapshot by itself (`Tx.read_together`).
    """
    return (db.read if db.url.startswith("sqlite") else db.look)(operation)


_TROUBLES = (
    sqlite3.OperationalError, psycopg.OperationalError, psycopg.InterfaceError, OperationalError, InterfaceError
)
_DAMAGE = {"XX001", "XX002"}
"""What PostgreSQL calls a page and an index that it cannot have written: data_corrupted and index_corrupted."""


@contextmanager
def translated() -> Iterator[None]:
    """Turn the database's own troubles into the farm's errors; what breaks a rule of the schema stays a bug.

    PostgreSQL has no text with a zero byte, of which others say that nothing has such a name.
    """
    try:
        yield
    except _TROUBLES as error:
        raise StoreUnavailable(f"The database does not answer: {_first_line(error)}") from error
    except (psycopg.DataError, DataError) as error:
        if getattr(getattr(error, "orig", error), "sqlstate", None) is not None:
            raise _without_rows(error) from None
        raise BadInput("The farm takes no text with a zero byte.") from error  # all that is refused before it is sent
    except (psycopg.Error, sqlite3.DatabaseError, DatabaseError) as error:
        if _is_damage(getattr(error, "orig", None) or error):
            raise StoreUnavailable(f"The database is damaged: {_first_line(error)}. See to the disk, and restore the"
                                   " last backup that was well.") from error
        if isinstance(error, psycopg.Error):
            raise _without_rows(error) from None
        raise


def _is_damage(error: BaseException) -> bool:
    """Say whether the database has found pages that it cannot have written, or a file that is no database."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # above stands what more is known
    return code in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB} or getattr(error, "sqlstate", None) in _DAMAGE


def _without_rows(error: Exception) -> Exception:
    """Return an error of PostgreSQL for the log: behind its first line a row may stand, with what is secret in it."""
    found: Exception = getattr(error, "orig", None) or error
    return type(found)(_first_line(error)).with_traceback(error.__traceback__)


def _first_line(error: Exception) -> str:
    return (str(getattr(error, "orig", None) or error).splitlines() or [type(error).__name__])[0]
