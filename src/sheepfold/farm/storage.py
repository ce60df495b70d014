"""What lies on the farm's disk by what it is there for, counted by the house piece by piece and shown to the owner."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial

from sheepfold.farm.farm import Farm
from sheepfold.model.accounts import Account, Role
from sheepfold.model.errors import Forbidden
from sheepfold.store import chores as chore_rows
from sheepfold.store import clearing
from sheepfold.store import retention as retention_rows
from sheepfold.store.clearing import SORTS, Pile
from sheepfold.store.database import Tx
from sheepfold.store.retention import Due

COUNT_PERIOD_S = 600
AT_A_TIME = 5000
"""How many blobs are counted in one step: some tens of milliseconds."""
SHOWN = 20
DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class Storage:
    """What is kept, what retention is told, how many jobs it clears now and never, and which it clears next."""

    piles: tuple[Pile, ...]
    counted_at: int
    limit_bytes: int
    keep_days: int
    clearing: int
    kept_jobs: int
    next: tuple[Due, ...]

    @property
    def size_bytes(self) -> int:
        """Return the bytes of all piles together."""
        return sum(pile.size_bytes for pile in self.piles)

    @property
    def blobs(self) -> int:
        """Return how many blobs all piles have."""
        return sum(pile.blobs for pile in self.piles)

    @property
    def is_off(self) -> bool:
        """Say whether everything is kept for ever."""
        return not self.keep_days and not self.limit_bytes

    def clears_at(self, due: Due) -> int | None:
        """Return when a job's time is over; None where only the lack of room can end it, as that of a cleared one."""
        return due.ended_at + self.keep_days * DAY_S if self.keep_days and not due.is_cleared else None


class Count:
    """A count of all blobs under way; each step counts some, the last one writes down what was found."""

    def __init__(self, farm: Farm) -> None:
        self._farm = farm
        self._after = ""
        self._blobs: Counter[str] = Counter()
        self._sizes: Counter[str] = Counter()

    def step(self) -> bool:
        """Count some more; True when all are counted."""
        piles, last = self._farm.db.look(partial(clearing.count_piles, after=self._after, limit=AT_A_TIME))
        self._blobs.update({pile.sort: pile.blobs for pile in piles})
        self._sizes.update({pile.sort: pile.size_bytes for pile in piles})
        if last is not None:
            self._after = last
            return False
        found = [Pile(sort, self._blobs[sort], self._sizes[sort]) for sort in SORTS]
        self._farm.db.write(lambda tx: clearing.set_piles(tx, found, self._farm.now()))
        return True


def count_all(farm: Farm) -> None:
    """Count all blobs now; on a large farm that takes a while."""
    count = Count(farm)
    while not count.step():
        pass


def view_storage(farm: Farm) -> Storage:
    """Return what lies on the disk, as counted within the last minutes, and what is cleared next."""
    settings = farm.settings

    def read(tx: Tx) -> Storage | None:
        piles, counted_at = clearing.piles_of(tx)
        if counted_at is None:
            return None
        return Storage(tuple(piles), counted_at, settings.storage_limit_bytes, settings.keep_days,
                       chore_rows.count_clearing(tx), retention_rows.count_kept(tx), tuple(_next(farm, tx)))

    found = farm.db.read(read)
    if found is None:
        count_all(farm)
        found = farm.db.read(read)
    assert found is not None  # it was counted above
    return found


def read_storage(farm: Farm, account: Account) -> Storage:
    """Return `view_storage` to the owner; raises Forbidden."""
    if account.role is not Role.OWNER:
        raise Forbidden("What lies on the farm's disk is for its owner.")
    return view_storage(farm)


def _next(farm: Farm, tx: Tx) -> Iterable[Due]:
    """Return the jobs to be cleared next, or else those to be emptied, for which only a ceiling is a reason."""
    keep_days, limit_bytes = farm.settings.keep_days, farm.settings.storage_limit_bytes
    now = farm.now()
    waiting = retention_rows.due(tx, now, now, SHOWN) if keep_days or limit_bytes else ()
    return waiting or (retention_rows.emptiable(tx, SHOWN) if limit_bytes else ())
