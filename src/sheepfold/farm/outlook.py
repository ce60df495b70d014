"""What is not looked up each time: figures over very many rows that clients show people, names that never change."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Generic, TypeVar

from sheepfold.model.accounts import AccountId
from sheepfold.model.credit import Millipoints
from sheepfold.model.flock import SheepId
from sheepfold.model.jobs import JobId
from sheepfold.model.machines import SessionId
from sheepfold.store import flock as flock_rows
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

ASIDE = 64
"""So many keys of a question may be looked up at once: whose figures these are need not wait for one another."""

K = TypeVar("K")
V = TypeVar("V")


class Remembered(Generic[K, V]):
    """Answers to a question, one for each of its keys; one caller at a time looks for a key's new one."""

    def __init__(self, look: Callable[[K], V]) -> None:
        self._look = look
        self._turns = [threading.Lock() for _ in range(ASIDE)]
        self._lock = threading.Lock()
        self._known: OrderedDict[K, tuple[V, float]] = OrderedDict()

    def of(self, key: K) -> V:
        """Return the answer, as it was a while ago; while somebody looks for the new one, others get the old one."""
        turn = self._turns[hash(key) % ASIDE]
        known = self._known_of(key)
        if not turn.acquire(blocking=known is None):
            assert known is not None
            return known[0]
        try:
            value, good_until = self._known_of(key) or (None, 0.0)
            began_at = time.monotonic()
            if value is not None and began_at < good_until:
                return value
            fresh = self._look(key)
            ended_at = time.monotonic()
            self._remember(key, fresh, ended_at + SHARE * (ended_at - began_at))
            return fresh
        finally:
            turn.release()

    def _known_of(self, key: K) -> tuple[V, float] | None:
        with self._lock:
            return self._known.get(key)

    def _remember(self, key: K, fresh: V, good_until: float) -> None:
        with self._lock:
            self._known[key] = fresh, good_until
            self._known.move_to_end(key)
            if len(self._known) > REMEMBERED:
                self._known.popitem(last=False)


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

        @lru_cache(maxsize=REMEMBERED)
        def sheep_of(job_id: JobId) -> SheepId | None:
            sheep = db.look(lambda tx: flock_rows.find_sheep_of_job(tx, job_id))
            return None if sheep is None else sheep.id

        self.sheep_of = sheep_of
        """Of a job: which sheep it is, None for one that is none; it is so from its order on, and never changes."""
        self.bustle = Remembered(bustle)
        self.earned_by = Remembered(earned_by)
        self.earned_in = Remembered(earned_in)
