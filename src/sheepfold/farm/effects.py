"""Effects: what an order of some kinds means to the farm beside its tasks; whoever adds a kind may add a row here."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from sheepfold.farm.farm import Farm
from sheepfold.farm.flock import check_sheep, join_flock
from sheepfold.farm.visits import check_visit, note_visit
from sheepfold.kinds.seam import Spec
from sheepfold.model.accounts import Account
from sheepfold.model.jobs import Job
from sheepfold.store.database import Tx


class Check(Protocol):
    """Look at an order before anything of it is kept; raises InvalidSpec or Forbidden with a sentence."""

    def __call__(self, farm: Farm, account: Account, spec: Spec, *, is_private: bool) -> None:
        """Check the order."""
        ...


@dataclass(frozen=True, slots=True)
class Effect:
    """What is checked before an order is taken, and what is noted in the transaction that takes it."""

    check: Check
    note: Callable[[Tx, Job], None]


EFFECTS: dict[str, Effect] = {
    "flame": Effect(check_sheep, join_flock),
    "screenshot": Effect(check_visit, note_visit),
}
