"""Figures over very many rows that clients show people: looked up anew the more seldom, the longer that takes."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from sheepfold.model.accounts import AccountId
from sheepfold.model.credit import Millipoints
from sheepfold.model.machines import SessionId
from sheepfold.store import ledger as ledger_rows
from sheepfold.store import standing as standing_rows
from sheepfold.store.database import Database, Tx
from sheepfold.store.standing import RunningWork

SHARE = 50
"""For so many times as long as it took a figure is good: a small farm's are of this moment, a large one's some seconds
old, and no more than a fiftieth of the time goes into each."""
REMEMBERED = 4096
CONNECTED_S = 1200
"""A machine counts as connected so long after it was heard of: clients are silent for 17 minutes while they render."""

K = TypeVar("K")
V = TypeVar("V")


class Remembered(Generic[K, V]):
    """Answers to a question, one for each of its keys; one caller at a time looks for a new one."""

    def __init__(self, look: Callable[[K], V]) -> None:
        self._look = look
        self._lock = threading.Lock()
        self._known: OrderedDict[K, tuple[V, float]] = OrderedDict()

    def of(self, key: K) -> V:
        """Return the answer, as it was a while ago."""
        with self._lock:
            value, good_until = self._known.get(key, (None, 0.0))
            began_at = time.monotonic()
            if value is not None and began_at < good_until:
                return value
            fresh = self._look(key)
            ended_at = time.monotonic()
            self._known[key] = fresh, ended_at + SHARE * (ended_at - began_at)
            self._known.move_to_end(key)
            if len(self._known) > REMEMBERED:
                self._known.popitem(last=False)
            return fresh


@dataclass(frozen=True, slots=True)
class Bustle:
    """The running work of a kind, and how many machines are connected."""

    work: RunningWork
    machines: int


class Outlook:
    """What clients show of a farm: how busy it is with a kind, what an account has earned, and what a session."""

    def __init__(self, db: Database, now: Callable[[], int]) -> None:
        def bustle(kind: str) -> Bustle:
            def read(tx: Tx) -> Bustle:
                machines = standing_rows.machines_heard_of(tx, now() - CONNECTED_S)
                return Bustle(standing_rows.running_work(tx, kind), machines)

            return db.read(read)

        def earned_by(account_id: AccountId) -> Millipoints:
            return db.look(lambda tx: ledger_rows.purse_of(tx, account_id)).earned

        def earned_in(session_id: SessionId) -> Millipoints:
            return db.look(lambda tx: standing_rows.earned_in_session(tx, session_id))

        self.bustle = Remembered(bustle)
        self.earned_by = Remembered(earned_by)
        self.earned_in = Remembered(earned_in)
