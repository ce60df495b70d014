"""Rows that are forgotten by age, some at a time: what only told of what is over, and nothing else hangs on."""

from dataclasses import dataclass

from sqlalchemy import text

from sheepfold.store.database import Tx


@dataclass(frozen=True, slots=True)
class Pile:
    """Rows of one sort. They are walked by their ids, which are in the order of the times in `begun`."""

    table: str
    begun: str
    over: str
    """Which of them may go, of those begun before `:until`."""


# what stays: a job's own events, reports of problems, and the newest of all, whose id readers go on from
EVENTS = Pile("events", "at", """
    task_id IS NOT NULL AND at < :until AND what <> 'problem reported' AND id < (SELECT max(id) FROM events)
    AND NOT EXISTS (SELECT 1 FROM jobs j WHERE j.id = events.job_id AND (j.ended_at IS NULL OR j.ended_at >= :until))
""")
CHORES = Pile("chores", "queued_at", "state = 'done' AND queued_at < :until")
SESSIONS = Pile("sessions", "opened_at", """
    last_seen_at < :until AND NOT EXISTS (SELECT 1 FROM leases l WHERE l.session_id = sessions.id)
""")
WEB_SESSIONS = Pile("web_sessions", "opened_at", "last_seen_at < :until")
TICKETS = Pile("tickets", "made_at", "expires_at < :until")


@dataclass(frozen=True, slots=True)
class Look:
    """What some rows are like: which is their last, None where there are none behind, and how many of them may go."""

    last: int | None
    over: int


def look(tx: Tx, pile: Pile, after: int, limit: int, until: int) -> Look:
    """Look at some rows behind a place, those begun before a time."""
    found = tx.execute(text(f"""
        SELECT max(id) AS last, min({pile.begun}) AS oldest, count(CASE WHEN {pile.over} THEN 1 END) AS over
        FROM (SELECT * FROM {pile.table} WHERE id > :after ORDER BY id LIMIT :limit) AS {pile.table}
    """), {"after": after, "limit": limit, "until": until}).one()  # noqa: S608 -- made of constants
    if found.last is None or found.oldest >= until:
        return Look(None, 0)
    return Look(found.last, found.over)


def forget(tx: Tx, pile: Pile, after: int, last: int, until: int) -> int:
    """Forget which of the rows between two places may go; returns how many."""
    query = f"DELETE FROM {pile.table} WHERE id > :after AND id <= :last AND {pile.over}"  # noqa: S608 -- of constants
    return tx.execute(text(query), {"after": after, "last": last, "until": until}).rowcount
