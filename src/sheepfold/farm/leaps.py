"""Leaps of the clock: while it may be wrong, nothing is dropped for its age."""

import logging
import math

from sheepfold.farm.farm import Farm
from sheepfold.farm.retention import GUARD_S

LEAP_S = 60
"""By how much a clock that is put right little by little does not go wrong between two looks."""

_log = logging.getLogger(__name__)


class Leaps:
    """The farm's clock, held against the time that went by."""

    def __init__(self, farm: Farm) -> None:
        self._farm = farm
        self._ahead_s = farm.now() - farm.elapsed()
        self._doubted_until = -math.inf

    def is_clock_doubted(self) -> bool:
        """Look at the clock, and say whether it has leapt within GUARD_S: what was kept before seems older than it is.

        Whoever is about to name bytes has done so by then, and whoever set the clock may have set it right again.
        """
        elapsed, ahead_s = self._farm.elapsed(), self._farm.now() - self._farm.elapsed()
        leap_s, self._ahead_s = ahead_s - self._ahead_s, ahead_s
        if abs(leap_s) > LEAP_S:
            _log.warning("clock_leapt_s=%d", leap_s)
            self._doubted_until = elapsed + GUARD_S
        return elapsed < self._doubted_until
