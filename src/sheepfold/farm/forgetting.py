"""Forgetting: rows that only told of what is long over go, some at each step.

Accounts, jobs, tasks, leases, results and credit stay for good: they say who made which picture, when, and what became
of it. The blow-by-blow of a task's events goes with time, and so do chores that are done and sessions of nobody.
"""

from collections.abc import Iterator
from functools import partial

from sheepfold.farm.farm import Farm
from sheepfold.farm.storage import DAY_S
from sheepfold.store.forgetting import CHORES, EVENTS, SESSIONS, TICKETS, WEB_SESSIONS, Pile, forget, look

ROWS_AT_A_TIME = 1000
CHORE_DAYS = 7
SESSION_DAYS = 60
"""Longer than a person stays signed in, and than a machine is away without beginning anew."""


def forget_old_rows(farm: Farm) -> int:
    """Forget all that is old; returns how many rows there were."""
    return sum(forget_in_steps(farm))


def forget_in_steps(farm: Farm) -> Iterator[int]:
    """Forget what `forget_old_rows` does, among some rows at each step; gives how many were forgotten in it."""
    days = {EVENTS: farm.settings.keep_events_days, CHORES: CHORE_DAYS, SESSIONS: SESSION_DAYS,
            WEB_SESSIONS: SESSION_DAYS, TICKETS: SESSION_DAYS}
    for pile, kept_days in days.items():
        if kept_days:
            yield from _forget_in(farm, pile, farm.now() - kept_days * DAY_S)


def _forget_in(farm: Farm, pile: Pile, until: int) -> Iterator[int]:
    """Walk the rows of one sort. Where none may go nothing is written: an idle farm leaves its disk in peace."""
    after = 0
    while True:
        found = farm.db.read(partial(look, pile=pile, after=after, limit=ROWS_AT_A_TIME, until=until))
        if found.last is None:
            return
        if found.over:
            yield farm.db.write(partial(forget, pile=pile, after=after, last=found.last, until=until))
        else:
            yield 0
        after = found.last
