"""The straight way to PostgreSQL: a statement goes to the driver's library itself, past the driver's cursors.

Half of what a statement cost its server's processor was psycopg's cursor, which is written for all that may be asked of
it (docs/decisions/0024-straight.md). Here one thread waits for one statement whose answer is wanted whole; values and
answers are still turned by psycopg's own adapters.
"""

import select
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from psycopg import Connection, OperationalError, rows
from psycopg.adapt import PyFormat, Transformer
from psycopg.errors import error_from_result
from psycopg.pq import ConnStatus, ExecStatus, Format
from psycopg.pq.abc import PGresult

R = TypeVar("R")
PREPARED_AFTER = 4
"""After so many times a connection has a statement prepared, about as often as psycopg does."""
PREPARED_MOST = 128
"""So many statements a connection remembers, since each that is prepared takes memory of its backend."""
_DONE = frozenset({ExecStatus.COMMAND_OK, ExecStatus.TUPLES_OK})
Asked = tuple[str, Sequence[object]]
"""A statement with its numbered values."""


@dataclass(slots=True)
class _Known:
    """A statement with values of certain types: how often it came, and its name once it is prepared."""

    times: int = 0
    name: bytes = b""


@dataclass(frozen=True, slots=True)
class _Bound:
    """A statement, by its name where it is prepared, with its values as they are sent."""

    text: bytes
    name: bytes
    values: Sequence[Any]
    types: tuple[int, ...]
    formats: Sequence[Format] | None


class Straight:
    """A connection's statements, used by one thread at a time. Raises psycopg's errors.

    What begins a transaction waits, and makes its trip to the database together with the first statement.
    """

    def __init__(self, connection: Connection[rows.TupleRow]) -> None:
        self._wire = connection.pgconn
        self._adapters = Transformer(connection)
        self._known: OrderedDict[tuple[str, tuple[int, ...]], _Known] = OrderedDict()
        self._named = 0
        self._answering = select.poll()
        self._answering.register(self._wire.socket, select.POLLIN)
        self._beginning: tuple[str, ...] = ()

    def begin(self, *commands: str) -> None:
        """Begin with these commands as soon as anything else is to be run."""
        self._beginning = commands

    def see_alive(self) -> None:
        """Raise OperationalError where the connection has died, as far as one can know without sending anything.

        A server that was asked nothing says nothing but that it closes the connection.
        """
        if self._is_lost or self._answering.poll(0):
            self._wire.finish()
            raise OperationalError("The connection was lost.")

    @property
    def waits_to_begin(self) -> bool:
        """Say whether something waits to go with the next statement."""
        return bool(self._beginning)

    def end(self, command: str) -> None:
        """End what `begin` began; where nothing was run since, there is nothing to end."""
        if self._beginning:
            self._beginning = ()
        else:
            self.command(command)

    def command(self, *commands: str) -> None:
        """Run commands without values; with none, what waits to begin."""
        commands, self._beginning = (*self._beginning, *commands), ()
        if commands:
            self._checked(self._wire.exec_("; ".join(commands).encode()))

    def run(self, statement: str, values: Sequence[object]) -> PGresult:
        """Run a statement with its numbered values."""
        if self._beginning:
            return self.run_in_turn([(statement, values)])[0]
        one = self._bound(statement, values)
        if one.name:
            return self._checked(self._wire.exec_prepared(one.name, one.values, one.formats))
        return self._checked(self._wire.exec_params(one.text, one.values, one.types, one.formats))

    def run_in_turn(self, asked: Sequence[Asked]) -> list[PGresult]:
        """Run statements one after another, with one trip; the first that fails is the last that is run."""
        bound = [self._bound(statement, values) for statement, values in asked]
        beginning, self._beginning = self._beginning, ()
        self._wire.enter_pipeline_mode()
        try:
            for command in beginning:
                self._wire.send_query_params(command.encode(), None)
            for one in bound:
                if one.name:
                    self._wire.send_query_prepared(one.name, one.values, one.formats)
                else:
                    self._wire.send_query_params(one.text, one.values, one.types, one.formats)
            self._wire.pipeline_sync()
            answers = self._answers()
            self._wire.exit_pipeline_mode()
        except BaseException:
            self._wire.finish()  # what was not read would be taken for the next statement's answer
            raise
        return [self._checked(answer) for answer in answers][len(beginning):]

    def _answers(self) -> list[PGresult]:
        """Send what was not sent yet, and read to the end of its answers."""
        answers: list[PGresult] = []
        while True:
            self._wait()
            answer = self._wire.get_result()  # None stands behind each statement's answer
            if answer is not None and answer.status == ExecStatus.PIPELINE_SYNC:
                return answers
            if answer is not None:
                answers.append(answer)
            elif self._is_lost:
                raise OperationalError("The connection was lost.")

    def _wait(self) -> None:
        """Wait for an answer without Python's lock, which the library keeps while it waits for one itself."""
        while self._wire.flush():
            select.select([self._wire.socket], [self._wire.socket], [])
            self._wire.consume_input()
        while self._wire.is_busy():
            self._answering.poll()
            self._wire.consume_input()

    def columns(self, answer: PGresult) -> list[str]:
        """Return the names of an answer's columns; nothing where the statement has no rows."""
        return [(answer.fname(n) or b"").decode() for n in range(answer.nfields)]

    def rows(self, answer: PGresult, made: Callable[[Sequence[Any]], R]) -> list[R]:
        """Return the rows of an answer, each made of a sequence of its columns."""
        self._adapters.set_pgresult(answer)
        return self._adapters.load_rows(0, answer.ntuples, made)

    def _bound(self, statement: str, values: Sequence[object]) -> _Bound:
        dumped = self._adapters.dump_sequence(values, [PyFormat.AUTO] * len(values))
        types, formats = self._adapters.types or (), self._adapters.formats
        return _Bound(statement.encode(), self._name(statement, types), dumped, types, formats)

    def _name(self, statement: str, types: tuple[int, ...]) -> bytes:
        """Return a statement's name, empty where it did not come often enough; see that not too many have one."""
        known = self._known.setdefault((statement, types), _Known())
        self._known.move_to_end((statement, types))
        if len(self._known) > PREPARED_MOST:
            self._forget(self._known.popitem(last=False)[1])
        known.times += 1
        if not known.name and known.times > PREPARED_AFTER:
            self._named += 1
            name = b"straight_%d" % self._named
            self._checked(self._wire.prepare(name, statement.encode(), types))
            known.name = name
        return known.name

    def _forget(self, known: _Known) -> None:
        if known.name:
            self._checked(self._wire.exec_(b"DEALLOCATE " + known.name))

    @property
    def _is_lost(self) -> bool:
        return self._wire.status == ConnStatus.BAD

    def _checked(self, answer: PGresult) -> PGresult:
        if answer.status in _DONE:
            return answer
        if self._is_lost:
            raise OperationalError("The connection was lost.")  # which no code in the answer says
        raise error_from_result(answer)
