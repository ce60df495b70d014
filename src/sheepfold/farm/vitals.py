"""A farm's vital signs: whether it can do its work, and how much of that there is."""

import threading
import time
from collections import Counter
from dataclasses import dataclass

from sheepfold.blobs.spool import Digest
from sheepfold.farm.chores import is_house_kept
from sheepfold.farm.farm import Farm
from sheepfold.model.errors import StoreUnavailable
from sheepfold.store import vitals as vital_rows
from sheepfold.store.database import Tx
from sheepfold.store.vitals import Place, Standing

ALIVE_S = 20 * 60
"""A machine is alive that was heard of so long ago: the most silent wire tells clients to come within 17 minutes."""
REMEMBERED_S = 5.0
"""How long what was counted is good enough, however often it is asked for."""
BLOBS_REMEMBERED_S = 300.0
"""The same of the size of all blobs, which takes a walk through their rows."""
_NO_BLOB = Digest("0" * 64)


def missing(farm: Farm) -> list[str]:
    """Say in sentences what a farm lacks for its work; nothing where it is ready."""
    found = []
    try:
        farm.db.look(vital_rows.place)
    except StoreUnavailable as error:
        found.append(str(error))
    try:
        farm.blobs.exists(_NO_BLOB)
    except StoreUnavailable as error:
        found.append(str(error))
    if farm.settings.ready_needs_house and not is_house_kept(farm):
        found.append("Nobody keeps house: leases do not expire, and no previews and films are made.")
    return found


@dataclass(frozen=True, slots=True)
class Health:
    """What the farm lacks, in sentences, and what there is of jobs, machines, leases and chores."""

    at: int
    lacks: tuple[str, ...]
    standing: Standing


def view_health(farm: Farm) -> Health:
    """Return how the farm stands, for its owner; raises StoreUnavailable."""
    now = farm.now()
    return Health(now, tuple(missing(farm)), farm.db.read(lambda tx: vital_rows.standing(tx, now - ALIVE_S)))


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read of a farm; the counts of claims, results and millipoints begin with the first reading."""

    at: int
    standing: Standing
    blob_bytes: int
    claims: Counter[str]
    results: Counter[str]
    millipoints: int


class Gauge:
    """Reads a farm for its monitoring, at most once in REMEMBERED_S.

    Of the tables that only grow each row is counted once, by its id. What is counted is what had been begun by the
    reading before: of two transactions the one with the smaller id may end last.
    """

    def __init__(self, farm: Farm) -> None:
        self._farm = farm
        self._lock = threading.Lock()
        self._counted: Place | None = None
        self._begun: Place | None = None
        self._last: Reading | None = None
        self._good_until = 0.0
        self._blobs: tuple[float, int] = (0.0, 0)

    def read(self) -> Reading:
        """Return how the farm stands; raises StoreUnavailable."""
        with self._lock:
            if self._last is None or time.monotonic() >= self._good_until:
                self._last = self._farm.db.read(self._read)
                self._good_until = time.monotonic() + REMEMBERED_S
            return self._last

    def _read(self, tx: Tx) -> Reading:
        now, place = self._farm.now(), vital_rows.place(tx)
        counted, begun = self._counted or place, self._begun or place
        deeds = vital_rows.deeds(tx, counted, begun)
        last = self._last
        reading = Reading(
            at=now,
            standing=vital_rows.standing(tx, now - ALIVE_S),
            blob_bytes=self._blob_bytes(tx),
            claims=Counter(deeds.claims) + (last.claims if last else Counter()),
            results=Counter(deeds.results) + (last.results if last else Counter()),
            millipoints=deeds.millipoints + (last.millipoints if last else 0),
        )
        self._counted, self._begun = begun, place
        return reading

    def _blob_bytes(self, tx: Tx) -> int:
        good_until, size = self._blobs
        if time.monotonic() >= good_until:
            size = vital_rows.blob_bytes(tx)
            self._blobs = time.monotonic() + BLOBS_REMEMBERED_S, size
        return size
