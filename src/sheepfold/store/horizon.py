"""How far the events are whole: up to an id below which no transaction can bring another one any more.

PostgreSQL gives ids when rows are inserted and shows rows when their transaction commits: a lower id may be seen after
a higher one. Whoever inserts holds a lock on the table from before the id is given until the row is seen; so, of the
ids seen before a look at these locks, all are known as soon as those who held one then have ended. Writers pay nothing
for it (docs/decisions/0008-event-feed.md).
"""

import threading
import time

from sqlalchemy import text

from sheepfold.store import events
from sheepfold.store.database import Database, Tx

LOOKS = 10
LOOK_PERIOD_S = 0.005
"""How long one waits for transactions at work; they take some milliseconds, and the next to ask goes on waiting."""
LITTLE = 1000
"""How many events are told again to readers of a server that began while a transaction did not end."""

_WRITERS = text("""
    SELECT virtualtransaction FROM pg_locks
    WHERE locktype = 'relation' AND relation = 'events'::regclass AND mode = 'RowExclusiveLock'
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
""")


class Horizon:
    """The horizon of a database's events, for all threads of a server."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._has_writers = not db.url.startswith("sqlite")  # whose one writer commits ids in order
        self._lock = threading.Lock()
        self._id = 0
        self._next = 0
        self._awaited: frozenset[str] = frozenset()
        """Who was writing when `_next` was the newest id."""

    def from_now(self) -> int:
        """Return the id behind which everything is told that happens from now on, perhaps with a little of the past."""
        return self.reach() or max(0, self._db.look(events.newest_id) - LITTLE)

    def reach(self) -> int:
        """Return the id up to which all events are there, 0 while none is known; it never goes back."""
        if not self._has_writers:
            return self._db.look(events.newest_id)
        if self._lock.acquire(blocking=False):
            try:
                self._advance()
            finally:
                self._lock.release()
        else:
            with self._lock:  # somebody has just asked for all
                pass
        return self._id

    def _advance(self) -> None:
        """Wait for who was writing at the last look, then for who is now; not for long, the next call goes on."""
        if self._have_ended():
            newest = self._db.look(events.newest_id)  # before the look at the writers: who comes later has higher ids
            self._awaited, self._next = self._db.look(_writers), newest
            self._have_ended()

    def _have_ended(self) -> bool:
        """Say whether those who are awaited have ended, by now or soon; then the horizon has moved."""
        for _ in range(LOOKS):
            if not self._awaited:
                self._id = self._next
                return True
            time.sleep(LOOK_PERIOD_S)
            self._awaited &= self._db.look(_writers)
        return False


def _writers(tx: Tx) -> frozenset[str]:
    return frozenset(row.virtualtransaction for row in tx.execute(_WRITERS))
