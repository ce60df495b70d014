"""A farm's folder as seen by an account: the one that is named, or else its first owner, who is at the console."""

from functools import cached_property

from sheepfold.farm.accounts import find_customer
from sheepfold.farm.farm import Farm
from sheepfold.model.accounts import Account


class FolderHands:
    """A farm that is opened here; what no account is named for is done by the console."""

    def __init__(self, farm: Farm, account_name: str = "") -> None:
        self._farm = farm
        self._account_name = account_name

    @cached_property
    def _account(self) -> Account:
        return find_customer(self._farm, self._account_name)

    @property
    def _by(self) -> Account | None:
        """Return who changes what is not their own: an account that is named, or None for the console."""
        return self._account if self._account_name else None
