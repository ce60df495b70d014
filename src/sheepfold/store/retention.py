"""Which jobs retention may clear, and the marks that say that it did."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, text

from sheepfold.model.jobs import JobId
from sheepfold.store.database import Tx
from sheepfold.store.flock import LIVING, LOST
from sheepfold.store.schema import CLEARABLE, EMPTIABLE


@dataclass(frozen=True, slots=True)
class Due:
    """A job that may be cleared, or emptied if it `is_cleared`, the oldest first."""

    job_id: JobId
    title: str
    kind: str
    account: str
    ended_at: int
    is_cleared: bool


# never touched: what is being put together, pictures that later ones are held against, and the living flock
_SPARED = f"""
    EXISTS (SELECT 1 FROM chores c WHERE c.job_id = j.id AND c.state = 'queued')
    OR EXISTS (SELECT 1 FROM baselines a WHERE a.job_id = j.id)
    OR EXISTS (SELECT 1 FROM sheep s WHERE s.job_id = j.id AND s.retired_at IS NULL AND NOT {LOST}
               AND s.generation >= coalesce({LIVING}, 0))
"""  # noqa: S608 -- constants
# by the partial indexes ix_jobs_clearable and ix_jobs_emptiable
_CLEARABLE = f"j.{CLEARABLE.replace(' AND ', ' AND j.')} AND NOT ({_SPARED})"
_EMPTIABLE = f"j.{EMPTIABLE.replace(' AND ', ' AND j.')} AND NOT ({_SPARED})"
_JOB = """
    SELECT j.id, j.title, j.kind, a.name AS account, j.ended_at, j.cleared_at IS NOT NULL AS is_cleared
    FROM jobs j JOIN accounts a ON a.id = j.account_id
"""
_OLDEST = " ORDER BY j.ended_at, j.id LIMIT :limit"
# a job was not ended before it was ordered, except by a clock that was behind, or ordered by one that was ahead
_DUE = text(f"{_JOB} WHERE {_CLEARABLE} AND j.ended_at <= :until"
            f" AND (j.created_at <= :until OR j.created_at > :now) {_OLDEST}")
_CLEARED = text(f"{_JOB} WHERE {_EMPTIABLE} {_OLDEST}")
# with all that spares a job, so that somebody who keeps it or renders a frame anew is not overrun
_CLEAR = text(f"UPDATE jobs AS j SET cleared_at = :now WHERE j.id = :job_id AND {_CLEARABLE}")  # noqa: S608 -- constants
_EMPTY = text(f"UPDATE jobs AS j SET emptied_at = :now WHERE j.id = :job_id AND {_EMPTIABLE}")  # noqa: S608 -- constants
_KEEP = text("UPDATE jobs SET kept_at = :at WHERE id = :job_id AND cleared_at IS NULL")
_KEPT = text("SELECT count(*) FROM jobs WHERE kept_at IS NOT NULL")


def due(tx: Tx, until: int, now: int, limit: int) -> list[Due]:
    """Return jobs whose originals may be cleared, of those that ended by a time, the oldest first."""
    return [_due(row) for row in tx.execute(_DUE, {"until": until, "now": now, "limit": limit})]


def emptiable(tx: Tx, limit: int) -> list[Due]:
    """Return cleared jobs whose films and previews may be cleared too, the oldest first."""
    return [_due(row) for row in tx.execute(_CLEARED, {"limit": limit})]


def clear(tx: Tx, job_id: JobId, now: int) -> bool:
    """Mark that a job's originals are gone; False where it runs again, is kept, or was marked already."""
    return tx.execute(_CLEAR, {"job_id": job_id, "now": now}).rowcount > 0


def empty(tx: Tx, job_id: JobId, now: int) -> bool:
    """Mark that a cleared job's films and previews are gone; False where it was marked already."""
    return tx.execute(_EMPTY, {"job_id": job_id, "now": now}).rowcount > 0


def keep(tx: Tx, job_id: JobId, at: int | None) -> bool:
    """Mark that a job is kept for ever, or with None no longer than others; False where it is cleared already."""
    return tx.execute(_KEEP, {"job_id": job_id, "at": at}).rowcount > 0


def count_kept(tx: Tx) -> int:
    """Return how many jobs are kept for ever."""
    return int(tx.execute(_KEPT).scalar_one())


# both read it and hold it, so that whoever clears and whoever pauses are never in one moment
_HOLD = text("""
    INSERT INTO pauses (what, until_at) VALUES ('clearing', 0)
    ON CONFLICT (what) DO UPDATE SET until_at = pauses.until_at RETURNING until_at
""")
_PAUSE = text("""
    INSERT INTO pauses (what, until_at) VALUES ('clearing', :until_at)
    ON CONFLICT (what) DO UPDATE SET until_at = excluded.until_at
""")


def paused_until(tx: Tx) -> int:
    """Return until when nothing is cleared; nobody pauses it before this transaction has ended."""
    return int(tx.execute(_HOLD).scalar_one())


def pause(tx: Tx, until_at: int) -> None:
    """Have nothing cleared before a time."""
    tx.execute(_PAUSE, {"until_at": until_at})


def _due(row: Row[Any]) -> Due:
    return Due(JobId(row.id), row.title, row.kind, row.account, row.ended_at, bool(row.is_cleared))
