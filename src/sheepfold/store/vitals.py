"""What a farm's monitoring asks: counts of what is, and how much happened between two rows of a table."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import text

from sheepfold.store.database import Tx


@dataclass(frozen=True, slots=True)
class Standing:
    """How much there is now; `oldest_running_at` is None where no job runs, the mappings are by state or protocol."""

    jobs: Mapping[str, int]
    open_tasks: int
    oldest_running_at: int | None
    leases: Mapping[str, int]
    machines: Mapping[str, int]
    chores: int


@dataclass(frozen=True, slots=True)
class Place:
    """The newest rows of the tables that only grow."""

    lease_id: int
    event_id: int
    ledger_id: int


@dataclass(frozen=True, slots=True)
class Deeds:
    """What happened between two places: claims by protocol, results by verdict, and millipoints paid."""

    claims: Mapping[str, int]
    results: Mapping[str, int]
    millipoints: int


# both by ix_jobs_state; tasks are counted by their jobs, which keep that count: a farm has a thousand times fewer
_RUNNING = text("""
    SELECT coalesce(sum(tasks_total - tasks_done - tasks_failed), 0) AS waiting, min(created_at) AS oldest_at
    FROM jobs WHERE state = 'running'
""")
_JOBS = text("SELECT state, count(*) AS jobs FROM jobs GROUP BY state")
_LEASES = text("SELECT protocol, count(*) AS n FROM leases WHERE state = 'active' GROUP BY protocol")
_MACHINES = text("""
    SELECT alive.protocol, count(*) AS n FROM (
        SELECT protocol, machine_id FROM leases WHERE state = 'active'
        UNION SELECT protocol, machine_id FROM sessions WHERE ended_at IS NULL AND last_seen_at >= :since
    ) AS alive GROUP BY alive.protocol
""")
_CHORES = text("SELECT count(*) FROM chores WHERE state = 'queued'")
_BLOBS = text("SELECT coalesce(sum(size_bytes), 0) FROM blobs WHERE cleared_at IS NULL")
_PLACE = text("""
    SELECT (SELECT coalesce(max(id), 0) FROM leases) AS lease_id,
           (SELECT coalesce(max(id), 0) FROM events) AS event_id,
           (SELECT coalesce(max(id), 0) FROM ledger) AS ledger_id
""")
_CLAIMS = text("SELECT protocol, count(*) AS n FROM leases WHERE id > :after AND id <= :until GROUP BY protocol")
_RESULTS = text("""
    SELECT what, count(*) AS n FROM events
    WHERE id > :after AND id <= :until AND what IN ('result valid', 'result invalid') GROUP BY what
""")
_PAID = text("SELECT coalesce(sum(millipoints), 0) FROM ledger WHERE id > :after AND id <= :until")


def standing(tx: Tx, alive_since: int) -> Standing:
    """Count what there is; a machine is alive that holds a lease, or whose session was heard of since a time."""
    running = tx.execute(_RUNNING).one()
    return Standing(
        jobs={row.state: row.jobs for row in tx.execute(_JOBS)},
        open_tasks=int(running.waiting),
        oldest_running_at=running.oldest_at,
        leases={row.protocol: row.n for row in tx.execute(_LEASES)},
        machines={row.protocol: row.n for row in tx.execute(_MACHINES, {"since": alive_since})},
        chores=int(tx.execute(_CHORES).scalar_one()),
    )


def blob_bytes(tx: Tx) -> int:
    """Return the size of all blobs together; reads all of their rows."""
    return int(tx.execute(_BLOBS).scalar_one())


def place(tx: Tx) -> Place:
    """Return the newest rows."""
    row = tx.execute(_PLACE).one()
    return Place(row.lease_id, row.event_id, row.ledger_id)


def deeds(tx: Tx, after: Place, until: Place) -> Deeds:
    """Count what happened after a place, up to another."""
    claims = tx.execute(_CLAIMS, {"after": after.lease_id, "until": until.lease_id})
    results = tx.execute(_RESULTS, {"after": after.event_id, "until": until.event_id})
    paid = tx.execute(_PAID, {"after": after.ledger_id, "until": until.ledger_id})
    return Deeds(
        claims={row.protocol: row.n for row in claims},
        results={row.what.removeprefix("result "): row.n for row in results},
        millipoints=int(paid.scalar_one()),
    )
