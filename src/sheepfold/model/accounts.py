"""Accounts: the people of a farm, their roles, and the names that they and their machines may bear."""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import NewType

from sheepfold.model.errors import InvalidName

AccountId = NewType("AccountId", int)

ANONYMOUS = "anonymous"
"""The account that work is booked on when its maker gave no name, or one that cannot be verified."""

SHEPHERD = "flock"
"""The account that orders what the flock breeds. Nobody can sign in to it."""

GONE = "gone-"
"""What the names begin with that the farm gives to accounts and machines which are forgotten."""

_NAME = re.compile(r"[a-z][a-z0-9_-]{0,47}")


class Role(StrEnum):
    """What an account may do; each role may do what the ones before it may."""

    VOLUNTEER = "volunteer"
    ARTIST = "artist"
    OWNER = "owner"

    def covers(self, other: "Role") -> bool:
        """Say whether this role may do all that `other` may."""
        order = list(Role)
        return order.index(self) >= order.index(other)


class Scope(StrEnum):
    """What a key opens: rendering alone, ordering too, or also the account, its keys, and for an owner the farm."""

    WORK = "work"
    ORDER = "order"
    MANAGE = "manage"

    def covers(self, other: "Scope") -> bool:
        """Say whether this scope opens all that `other` opens."""
        order = list(Scope)
        return order.index(self) >= order.index(other)


@dataclass(frozen=True, slots=True)
class Account:
    """A person, or the anonymous one. `weight` is the share of the farm that their jobs get against others'."""

    id: AccountId
    name: str
    role: Role
    weight: int = 100


def checked_name(name: str) -> str:
    """Return a name of an account or a machine as it is stored, in small letters; raises InvalidName.

    A factory of Browsershots stands in the URL of a redirect, hence the narrow alphabet (protocol note, section 4.5).
    """
    small = name.strip().lower()
    if not _NAME.fullmatch(small):
        raise InvalidName(
            f"A name begins with a letter and holds at most 48 small letters, digits, '-' and '_'; found {name[:60]!r}."
        )
    return small


def chosen_name(name: str) -> str:
    """Return a name for a new account or machine as `checked_name` does; the farm's own are InvalidName.

    These are SHEPHERD, and all that begin with GONE.
    """
    checked = checked_name(name)
    if checked == SHEPHERD:
        raise InvalidName(f"The name {checked!r} is the farm's own, for the orders of its flock.")
    if checked.startswith(GONE):
        raise InvalidName(f"Names that begin with {GONE!r} are the farm's own, for what it forgets; found {checked!r}.")
    return checked
