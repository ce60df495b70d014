"""Which sets of needs a machine's abilities satisfy, remembered between claims."""

import threading
from collections import OrderedDict

from sheepfold.model.matching import Abilities, satisfies
from sheepfold.store import lanes as lane_rows
from sheepfold.store.database import Database

REMEMBERED = 4096
"""How many different abilities are remembered; a farm's machines have some dozens, a cheater can make up any number."""


class NeedsIndex:
    """The farm's sets of needs, and for each abilities met so far the ids that they satisfy."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._lock = threading.Lock()
        self._newest = -1
        self._satisfied: OrderedDict[Abilities, tuple[int, ...]] = OrderedDict()

    def satisfied_by(self, abilities: Abilities) -> tuple[int, ...]:
        """Return the ids of all needs that these abilities satisfy.

        New needs come with an order, of this server or another one: that nothing was added is one look at an index.
        """
        newest = self._db.look(lane_rows.newest_needs_id)
        with self._lock:
            if newest != self._newest:
                self._satisfied.clear()
                self._newest = newest
            if (known := self._satisfied.get(abilities)) is not None:
                self._satisfied.move_to_end(abilities)
                return known
        found = tuple(row.id for row in self._db.look(lane_rows.all_needs) if satisfies(abilities, row.needs))
        with self._lock:
            self._satisfied[abilities] = found
            if len(self._satisfied) > REMEMBERED:
                self._satisfied.popitem(last=False)
        return found
