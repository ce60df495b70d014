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


# what stays: a job's own events but for votes, which have no end; reports of problems; and the newest of all, whose id
# readers go on from
EVENTS = Pile("events", "at", """
    (task_id IS NOT NULL AND what <> 'problem reported' OR what = 'vote cast')
    AND at < :until AND id < (SELECT max(id) FROM events)
    AND NOT EXISTS (SELECT 1 FROM jobs j WHERE j.id = events.job_id AND (j.ended_at IS NULL OR j.ended_at >= :until))
""")
# tries that came to nothing, of jobs that ended long ago; the newest stays, so that its id is not given out again
LEASES = Pile("leases", "granted_at", """
    state <> 'active' AND granted_at < :until AND id < (SELECT max(id) FROM leases)
    AND NOT EXISTS (SELECT 1 FROM results r WHERE r.lease_id = leases.id)
    AND EXISTS (SELECT 1 FROM tasks t JOIN jobs j ON j.id = t.job_id
                WHERE t.id = leases.task_id AND j.ended_at < :until)
""")
CHORES = Pile("chores", "queued_at", "state = 'done' AND queued_at < :until")
SESSIONS = Pile("sessions", "opened_at", """
    last_seen_at < :until AND NOT EXISTS (SELECT 1 FROM leases l WHERE l.session_id = sessions.id)
""")
_OF_MACHINES = ("leases", "results", "sessions", "machine_keys", "factories", "browsers", "screens", "refusals")
# whoever speaks Electric Sheep's wire is a machine; what came once, made nothing and was not seen again, is none
MACHINES = Pile("machines", "created_at", f"""
    last_seen_at < :until AND suspended_at IS NULL AND id < (SELECT max(id) FROM machines)
    AND {" AND ".join(f"NOT EXISTS (SELECT 1 FROM {table} n WHERE n.machine_id = machines.id)"
                      for table in _OF_MACHINES)}
""")  # noqa: S608 -- made of constants
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
