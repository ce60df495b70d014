"""Rows with a time that a clock which was ahead has written: whether there are any, and what it becomes."""

from dataclasses import dataclass

from sqlalchemy import text

from sheepfold.store.database import Tx


@dataclass(frozen=True, slots=True)
class Sort:
    """Rows of one sort, by the column of their time: those that wait for it to be over."""

    table: str
    column: str
    which: str = "1 = 1"
    """Which of them, where `:at` is what the time becomes."""


BACKUPS = Sort("backups", "heard_at", "ended_at IS NULL")
# both walk the partial index ix_hook_deliveries_waiting
NEW_DELIVERIES = Sort("hook_deliveries", "next_at", "next_at IS NOT NULL AND attempts = 0")
FAILED_DELIVERIES = Sort("hook_deliveries", "next_at", "next_at IS NOT NULL AND attempts > 0")
REFUSALS = Sort("refusals", "until_at")
BROWSERS = Sort("browsers", "failed_at")
# not those that somebody paused at that time or later: what is suspended before its account's own pause may be let out
# by it, a quarantine too
MACHINES = Sort("machines", "suspended_at", """
    NOT EXISTS (SELECT 1 FROM audit a WHERE a.about = machines.name AND a.what = 'pause machine' AND a.at >= :at)
""")


def is_any_behind(tx: Tx, sort: Sort, until: int, at: int) -> bool:
    """Say whether there are rows of a sort whose time is later than `until`, to become `at`."""
    query = f"SELECT 1 FROM {sort.table} WHERE {_behind(sort)} LIMIT 1"  # noqa: S608 -- made of constants
    return tx.execute(text(query), {"until": until, "at": at}).first() is not None


def mend(tx: Tx, sort: Sort, until: int, at: int) -> int:
    """Have the time of such rows become `at`; returns how many there were."""
    query = f"UPDATE {sort.table} SET {sort.column} = :at WHERE {_behind(sort)}"  # noqa: S608 -- made of constants
    return tx.execute(text(query), {"until": until, "at": at}).rowcount


def _behind(sort: Sort) -> str:
    return f"{sort.column} > :until AND {sort.which}"
