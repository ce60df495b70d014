"""Credit: what a valid result earns, in millipoints; a ledger row each, never a counter."""

from typing import NewType

Millipoints = NewType("Millipoints", int)


def earned(cost_ms: int) -> Millipoints:
    """Return what a valid result of a task earns: one point for a second of a reference core.

    It is drawn from the task's expected cost, which the farm knows, and not from the time that a client claims.
    """
    return Millipoints(max(1, cost_ms))
