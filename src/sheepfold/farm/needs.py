"""Which sets of needs a machine's abilities satisfy, remembered between claims."""

import threading
import time
from collections import OrderedDict

from sheepfold.model.matching import Abilities, satisfies
from sheepfold.store import lanes as lane_rows
from sheepfold.store.database import Database

NEWS_PERIOD_S = 1.0
"""How long claims that find work do without the needs of newer orders; one that finds none looks for them at once."""
REMEMBERED = 4096
"""How many different abilities are remembered; a farm's machines have some dozens, a cheater can make up any number."""


class NeedsIndex:
    """The farm's sets of needs, and for each abilities met so far the ids that they satisfy."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._lock = threading.Lock()
        self._count = -1
        self._looked_at = -NEWS_PERIOD_S
        self._satisfied: OrderedDict[Abilities, tuple[int, ...]] = OrderedDict()

    def satisfied_by(self, abilities: Abilities) -> tuple[int, ...]:
        """Return the ids of all needs that these abilities satisfy, as they were within the last second."""
        if time.monotonic() - self._looked_at >= NEWS_PERIOD_S:
            self.refresh()
        with self._lock:
            if (known := self._satisfied.get(abilities)) is not None:
                self._satisfied.move_to_end(abilities)
                return known
        count = self._count
        found = tuple(row.id for row in self._db.look(lane_rows.all_needs) if satisfies(abilities, row.needs))
        with self._lock:
            if count == self._count:
                self._satisfied[abilities] = found
            if len(self._satisfied) > REMEMBERED:
                self._satisfied.popitem(last=False)
        return found

    def refresh(self) -> bool:
        """Look whether an order, of this server or another one, has brought new needs; True where it has."""
        looked_at = time.monotonic()
        count = self._db.look(lane_rows.count_needs)
        with self._lock:
            is_new = count != self._count
            if is_new:
                self._satisfied.clear()
                self._count = count
            self._looked_at = looked_at
            return is_new
