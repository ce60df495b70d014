"""Forgetting: rows that only told of what is long over go, some at each step.

Accounts, jobs, tasks, results with their leases, and credit stay for good: they say who made which picture, when, and
what became of it. The blow-by-blow of a task goes with time (its events, and leases that came to nothing), and so do
chores that are done, refusals that are over, sessions of nobody and machines that were never more than a name.
"""

from collections.abc import Iterator
from functools import partial

from sheepfold.farm.farm import Farm
from sheepfold.farm.storage import DAY_S
from sheepfold.store import refusals
from sheepfold.store.forgetting import (
    CHORES,
    EVENTS,
    LEASES,
    MACHINES,
    SESSIONS,
    TICKETS,
    WEB_SESSIONS,
    Pile,
    forget,
    look,
)

ROWS_AT_A_TIME = 1000
CHORE_DAYS = 7
SESSION_DAYS = 60
"""Longer than a person stays signed in, and than a machine is away without beginning anew."""


def forget_old_rows(farm: Farm) -> int:
    """Forget all that is old; returns how many rows there were."""
    return sum(forget_in_steps(farm))


def forget_in_steps(farm: Farm) -> Iterator[int]:
    """Forget what `forget_old_rows` does, among some rows at each step; gives how many were forgotten in it."""
    days = {EVENTS: farm.settings.keep_events_days, LEASES: farm.settings.keep_events_days, CHORES: CHORE_DAYS,
            SESSIONS: SESSION_DAYS, MACHINES: SESSION_DAYS, WEB_SESSIONS: SESSION_DAYS, TICKETS: SESSION_DAYS}
    yield from _forget_refusals(farm)
    for pile, kept_days in days.items():
        if kept_days:
            yield from _forget_in(farm, pile, farm.now() - kept_days * DAY_S)


def _forget_refusals(farm: Farm) -> Iterator[int]:
    while farm.db.read(lambda tx: refusals.are_over(tx, farm.now())):
        yield farm.db.write(lambda tx: refusals.forget(tx, farm.now(), ROWS_AT_A_TIME))


def _forget_in(farm: Farm, pile: Pile, until: int) -> Iterator[int]:
    """Walk the rows of one sort. Where none may go nothing is written: an idle farm leaves its disk in peace."""
    after = 0
    while True:
        found = farm.db.look(partial(look, pile=pile, after=after, limit=ROWS_AT_A_TIME, until=until))
        if found.last is None:
            return
        if found.over:
            yield farm.db.write(partial(forget, pile=pile, after=after, last=found.last, until=until))
        else:
            yield 0
        after = found.last
