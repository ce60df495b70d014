"""Setbacks of the clock: what it has put off for as long as it was ahead comes in its time once it is right again.

Leases and chores, for which somebody may wait this second, are heeded at each beat of the house; the rest here.
"""

import logging
from dataclasses import dataclass

from sheepfold.farm.farm import Farm
from sheepfold.farm.outstanding import LONGEST_REFUSAL_S
from sheepfold.farm.postman import LONGEST_RETRY_S, TAKEN_S
from sheepfold.farm.retention import HOLD_S
from sheepfold.farm.storage import DAY_S
from sheepfold.model.browsers import BLOCKED_S
from sheepfold.model.trust import UNPROVEN_SUSPENSION_S
from sheepfold.store import setbacks as setback_rows
from sheepfold.store.setbacks import Sort

LOOK_PERIOD_S = 300
"""How often it is looked: some of the tables have no index of their times, and are read whole."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Limit:
    """How far ahead the time of rows may lie, and where those are put that lie further; `mended` is the log's word."""

    rows: Sort
    mended: str
    most_s: int
    then_s: int = 0


# a delivery under way stays its house's own; of a refusal nothing tells how long it was to last, and who cannot render
# a job after a day says so again
_LIMITS = (
    _Limit(setback_rows.BACKUPS, "backups_doubted", HOLD_S),
    _Limit(setback_rows.NEW_DELIVERIES, "deliveries_hastened", TAKEN_S),
    _Limit(setback_rows.FAILED_DELIVERIES, "retries_hastened", 2 * LONGEST_RETRY_S, TAKEN_S),
    _Limit(setback_rows.REFUSALS, "refusals_shortened", LONGEST_REFUSAL_S + DAY_S, DAY_S),
    _Limit(setback_rows.BROWSERS, "blocks_shortened", BLOCKED_S),
    _Limit(setback_rows.MACHINES, "suspensions_shortened", UNPROVEN_SUSPENSION_S),
)


def mend_times(farm: Farm) -> int:
    """Put what lies further ahead than anything is put off where it would lie had the clock been right; returns how
    many rows there were. Where there are none nothing is written.
    """
    return sum(_mend(farm, limit) for limit in _LIMITS)


def _mend(farm: Farm, limit: _Limit) -> int:
    now = farm.now()
    until, at = now + limit.most_s, now + limit.then_s
    if not farm.db.read(lambda tx: setback_rows.is_any_behind(tx, limit.rows, until, at)):
        return 0
    mended = farm.db.write(lambda tx: setback_rows.mend(tx, limit.rows, until, at))
    _log.warning("%s=%d reason=%s", limit.mended, mended, "the clock was set back")
    return mended


class Setbacks:
    """The look for setbacks at each beat of the house, which is taken now and then."""

    def __init__(self, farm: Farm) -> None:
        self._farm = farm
        self._next_look = 0.0

    def step(self) -> None:
        """Look, where it is time to."""
        if self._farm.elapsed() >= self._next_look:
            self._next_look = self._farm.elapsed() + LOOK_PERIOD_S
            mend_times(self._farm)
