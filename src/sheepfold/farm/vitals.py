"""A farm's vital signs: whether it can do its work, and how much of that there is."""

import fcntl
import logging
import pickle
import threading
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

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

_log = logging.getLogger(__name__)


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
    try:
        farm.spool_folder.stat()
        if farm.settings.ready_needs_house and not is_house_kept(farm):
            found.append("Nobody keeps house: leases do not expire, and no previews and films are made.")
    except OSError as error:
        found.append(f"The farm's data folder {farm.settings.data} cannot be used: {error.strerror}. Perhaps it was"
                     " moved, or its disk is away.")
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


_NOTHING = Reading(0, Standing({}, 0, None, {}, {}, 0), 0, Counter(), Counter(), 0)


@dataclass(frozen=True, slots=True)
class _Known:
    """What was counted up to a place, what had been begun by then, and until when it is good enough (monotonic)."""

    counted: Place
    begun: Place
    reading: Reading
    good_until: float
    blobs_good_until: float


class Gauge:
    """Reads a farm for its monitoring, at most once in REMEMBERED_S.

    Of the tables that only grow each row is counted once, by its id. What is counted is what had been begun by the
    reading before: of two transactions the one with the smaller id may end last. Processes that serve a farm together
    share a file with what was counted, so that no count goes back when another one of them is asked; each counts for
    itself where that cannot be opened.
    """

    def __init__(self, farm: Farm, shared: Path | None = None) -> None:
        self._farm = farm
        self._shared = shared
        self._lock = threading.Lock()
        self._known: _Known | None = None

    def read(self) -> Reading:
        """Return how the farm stands; raises StoreUnavailable."""
        with self._lock:
            try:
                self._known = self._renewed(self._known) if self._shared is None else self._renewed_in(self._shared)
            except OSError as error:
                _log.warning("reading=alone reason=%s", error.strerror)
                self._known = self._renewed(self._known)
            return self._known.reading

    def _renewed_in(self, file: Path) -> _Known:
        """Return what is known, after what stands in a file; raises OSError where that cannot be opened.

        On a full disk it keeps what it has, from which the next reading goes on.
        """
        with file.with_suffix(".lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            written = file.read_bytes() if file.exists() else None
            known = self._renewed(pickle.loads(written) if written else None)  # noqa: S301 -- nobody else may write it
            with suppress(OSError):
                anew = file.with_suffix(".part")
                anew.write_bytes(pickle.dumps(known))
                anew.replace(file)
            return known

    def _renewed(self, known: _Known | None) -> _Known:
        if known is not None and time.monotonic() < known.good_until:
            return known
        return self._farm.db.read(partial(self._read, known))

    def _read(self, known: _Known | None, tx: Tx) -> _Known:
        at, place = self._farm.now(), vital_rows.place(tx)
        known = known or _Known(place, place, _NOTHING, 0.0, 0.0)
        last, deeds = known.reading, vital_rows.deeds(tx, known.counted, known.begun)
        blob_bytes, blobs_good_until = last.blob_bytes, known.blobs_good_until
        if time.monotonic() >= blobs_good_until:
            blob_bytes, blobs_good_until = vital_rows.blob_bytes(tx), time.monotonic() + BLOBS_REMEMBERED_S
        reading = Reading(
            at=at,
            standing=vital_rows.standing(tx, at - ALIVE_S),
            blob_bytes=blob_bytes,
            claims=Counter(deeds.claims) + last.claims,
            results=Counter(deeds.results) + last.results,
            millipoints=deeds.millipoints + last.millipoints,
        )
        return _Known(known.begun, place, reading, time.monotonic() + REMEMBERED_S, blobs_good_until)
