"""What rows tell of the clock that wrote them: the newest moment, and until when the clock is doubted."""

from sqlalchemy import text

from sheepfold.store.database import Tx

_NEWEST = text("SELECT at FROM events ORDER BY id DESC LIMIT 1")
_DOUBTED = text("SELECT until_at FROM pauses WHERE what = 'doubted clock'")
_DOUBT = text("""
    INSERT INTO pauses (what, until_at) VALUES ('doubted clock', :until_at)
    ON CONFLICT (what) DO UPDATE SET until_at = excluded.until_at
""")


def newest_moment(tx: Tx) -> int | None:
    """Return when something happened last; None where nothing ever has."""
    at: int | None = tx.execute(_NEWEST).scalar_one_or_none()
    return at


def doubted_until(tx: Tx) -> int:
    """Return until when the clock is doubted, by that clock; 0 where it never was."""
    return int(tx.execute(_DOUBTED).scalar_one_or_none() or 0)


def doubt(tx: Tx, until_at: int) -> None:
    """Have the clock doubted until a time."""
    tx.execute(_DOUBT, {"until_at": until_at})
