"""Leaps of the clock: while it may be wrong, nothing is dropped for its age."""

import logging
import math

from sheepfold.farm.farm import Farm
from sheepfold.farm.retention import GUARD_S
from sheepfold.farm.storage import DAY_S
from sheepfold.store import clock as clock_rows

LEAP_S = 60
"""By how much a clock that is put right little by little does not go wrong between two looks."""
AWAY_S = DAY_S
"""How long nothing may have happened before the house began: a machine often starts with a clock that is wrong, and
nothing is dropped that is younger than a day."""

_log = logging.getLogger(__name__)


class Leaps:
    """The farm's clock, held against the time that went by, and at first against what the database knows."""

    def __init__(self, farm: Farm) -> None:
        self._farm = farm
        self._ahead_s: float | None = None
        self._doubted_until = -math.inf

    def is_clock_doubted(self) -> bool:
        """Look at the clock, and say whether it has leapt within GUARD_S: what was kept before seems older than it is.

        Whoever is about to name bytes has done so by then, and whoever set the clock may have set it right again. Who
        begins anew meanwhile goes on doubting. Raises StoreUnavailable.
        """
        ahead_s = self._farm.now() - self._farm.elapsed()
        if self._ahead_s is None:
            self._begin()
        elif abs(leap_s := ahead_s - self._ahead_s) > LEAP_S:
            _log.warning("clock_leapt_s=%d", leap_s)
            self._doubt()
        self._ahead_s = ahead_s
        return self._farm.elapsed() < self._doubted_until

    def _begin(self) -> None:
        now = self._farm.now()
        newest_at, doubted_until = self._farm.db.read(
            lambda tx: (clock_rows.newest_moment(tx), clock_rows.doubted_until(tx)))  # fmt: skip
        if newest_at is not None and now - newest_at > AWAY_S:
            _log.info("clock=doubted nothing_known_since_s=%d", now - newest_at)
            self._doubt()
        elif doubted_until > now + GUARD_S:  # by a clock that was ahead: else each house to come would doubt anew
            self._doubt()
        elif doubted_until > now:
            self._doubted_until = self._farm.elapsed() + doubted_until - now

    def _doubt(self) -> None:
        self._farm.db.write(lambda tx: clock_rows.doubt(tx, self._farm.now() + GUARD_S))
        self._doubted_until = self._farm.elapsed() + GUARD_S
