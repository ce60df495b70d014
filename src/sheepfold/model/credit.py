"""Points: what a valid result earns its maker and takes from the account whose job it is; a ledger, never a counter.

A machine earns its minutes times its power. The minutes are the server's own, from the lease, or from the machine's
last upload if that was later, to the upload: so an hour of a machine counts once, however many leases it holds. The
power is what its newest pictures were expected to cost over the minutes that they took. Nothing that a client claims
goes in.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import NewType

Millipoints = NewType("Millipoints", int)

BOUND = 4
"""How far a picture's pay, and its weight in a machine's power, may be off what is usual, up or down."""
MEASURABLE_S = 10
"""A span of whole seconds says something from here on; a shorter one is mostly rounding."""
FAVOUR = 4
"""How many times its share of the farm an account gets for its own jobs while it has points to spend."""


@dataclass(frozen=True, slots=True)
class Effort:
    """A picture as work: what it is expected to cost, in ms of a reference core from 1 on, and the seconds it took."""

    cost_ms: int
    taken_s: int = 0


@dataclass(frozen=True, slots=True)
class Purse:
    """What an account's machines have earned in all, and what its jobs have cost it."""

    earned: Millipoints
    spent: Millipoints

    @property
    def balance(self) -> Millipoints:
        """Return what is left to spend; less than 0 where others have given more than they were given."""
        return Millipoints(self.earned - self.spent)


def power(efforts: Sequence[Effort]) -> float | None:
    """Return how many reference cores a machine is worth by its newest pictures; None while too little is known.

    A pause makes a picture look slow: it counts for no more than `BOUND` times what is usual for the machine.
    """
    usual = median(effort.taken_s / effort.cost_ms for effort in efforts) if efforts else 0.0
    bound = BOUND * usual or float("inf")
    taken_s = sum(min(effort.taken_s, bound * effort.cost_ms) for effort in efforts)
    if taken_s < MEASURABLE_S:
        return None
    return sum(effort.cost_ms for effort in efforts) / 1000 / taken_s


def earned(effort: Effort, machine_power: float | None = None) -> Millipoints:
    """Return what a valid picture earns: its machine's seconds times its power, a point for a reference core's second.

    Within `BOUND` of the cost that was expected, which is what it earns where time or power are not known.
    """
    cost = effort.cost_ms
    if machine_power is None or effort.taken_s < MEASURABLE_S:
        return Millipoints(cost)
    return Millipoints(max(1, cost // BOUND, min(cost * BOUND, round(effort.taken_s * 1000 * machine_power))))


def favour(purse: Purse) -> int:
    """Return how many times its share an account gets: more while it has points to spend."""
    return FAVOUR if purse.balance > 0 else 1
