"""Boards of who has earned most, people and teams: looked up anew the more seldom, the longer the ledger is."""

import threading
import time
from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from sheepfold.store import ledger as ledger_rows
from sheepfold.store import people as people_rows
from sheepfold.store import teams as team_rows
from sheepfold.store.database import Database, Tx
from sheepfold.store.paging import Place

ROWS_A_SECOND = 20_000
"""For each so many pictures that were paid a board is good for a second, since it sums them all: a small farm's is of
this moment, one of a million pictures up to 50 s old."""

T = TypeVar("T")


class Board(Generic[T]):
    """A whole board, of which pages are cut. `look` reads it in the order of `place_of`: most earned first, then ids.

    One caller at a time looks for a new one, and others take the old, if that is not of this moment anyway.
    """

    def __init__(self, db: Database, look: Callable[[Tx], Sequence[T]], place_of: Callable[[T], Place],
                 clock: Callable[[], float]) -> None:
        self._db = db
        self._look = look
        self._place_of = place_of
        self._clock = clock
        self._lock = threading.Lock()
        self._known: Sequence[T] = ()
        self._good_s = 0
        self._good_until = 0.0

    def page(self, limit: int, after: Place | None = None) -> list[T]:
        """Return some of those who earned most, from a place on."""
        known = self._newest()
        if after is None:
            return list(known[:limit])
        begin = bisect_right(known, _falling(after), key=lambda one: _falling(self._place_of(one)))
        return list(known[begin:begin + limit])

    def _newest(self) -> Sequence[T]:
        if self._good_s and (self._clock() < self._good_until or self._lock.locked()):
            return self._known
        with self._lock:
            paid, self._known = self._db.read(lambda tx: (ledger_rows.newest_id(tx), self._look(tx)))
            self._good_s = paid // ROWS_A_SECOND
            self._good_until = self._clock() + self._good_s
            return self._known


def _falling(place: Place) -> Place:
    earned, id_ = place
    return -earned, id_


class Boards:
    """The boards of a farm."""

    def __init__(self, db: Database, clock: Callable[[], float] = time.monotonic) -> None:
        self.earners = Board(db, people_rows.list_earners, lambda one: (one.earned, one.account_id), clock)
        self.teams = Board(db, team_rows.list_teams, lambda one: (one.earned, one.id), clock)
