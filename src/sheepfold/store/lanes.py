"""Rows of needs and lanes: where tasks queue, and how lanes wake, drain and are charged."""

from dataclasses import dataclass

from sqlalchemy import select, text

from sheepfold.model.accounts import AccountId
from sheepfold.model.matching import Needs
from sheepfold.model.tasks import TaskId
from sheepfold.store import schema
from sheepfold.store.database import Tx


@dataclass(frozen=True, slots=True)
class NeedsRow:
    """A set of needs and its number."""

    id: int
    needs: Needs


def all_needs(tx: Tx) -> list[NeedsRow]:
    """Return every set of needs that a task ever had; some dozens in a farm."""
    rows = tx.execute(select(*schema.needs.c["id", "canonical"]).order_by(schema.needs.c.id))
    return [NeedsRow(row.id, Needs.from_canonical(row.canonical)) for row in rows]


_ADD_NEEDS = text("INSERT INTO needs (canonical) VALUES (:canonical) ON CONFLICT DO NOTHING")
_NEEDS_ID = text("SELECT id FROM needs WHERE canonical = :canonical")
_ADD_LANE = text("""
    INSERT INTO lanes (needs_id, account_id, priority, virtual_time, drained_at)
    VALUES (:needs_id, :account_id, :priority, 0, 0)
    ON CONFLICT DO NOTHING
""")
_LANE_ID = text("""
    SELECT id FROM lanes WHERE needs_id = :needs_id AND account_id = :account_id AND priority = :priority
""")


def ensure_lane(tx: Tx, needs: Needs, account_id: AccountId, priority: int) -> int:
    """Return the lane for tasks of these needs, account and priority, made where there was none; a new one sleeps."""
    canonical = {"canonical": needs.canonical()}
    tx.execute(_ADD_NEEDS, canonical)
    lane = {"needs_id": tx.execute(_NEEDS_ID, canonical).scalar_one(), "account_id": account_id, "priority": priority}
    tx.execute(_ADD_LANE, lane)
    return int(tx.execute(_LANE_ID, lane).scalar_one())


# a lane that wakes starts where the others are: it has saved nothing up while it slept
_WAKE = """
    UPDATE lanes SET drained_at = NULL, virtual_time = {larger}(
        virtual_time, coalesce((SELECT min(o.virtual_time) FROM lanes o WHERE o.drained_at IS NULL), 0))
    WHERE id = :lane_id AND drained_at IS NOT NULL
"""
_WAKE_OF = {"sqlite": text(_WAKE.format(larger="max")), "postgresql": text(_WAKE.format(larger="greatest"))}
_LANE_OF_TASK = text("SELECT lane_id FROM tasks WHERE id = :task_id")


def wake_lane(tx: Tx, lane_id: int) -> None:
    """Let claims look into a lane again."""
    tx.execute(_WAKE_OF[tx.dialect.name], {"lane_id": lane_id})


def wake_lane_of(tx: Tx, task_id: TaskId) -> None:
    """Let claims look into the lane of a task that has an opening again."""
    wake_lane(tx, tx.execute(_LANE_OF_TASK, {"task_id": task_id}).scalar_one())


_UNTIDY = text("""
    SELECT EXISTS (SELECT 1 FROM lane_charges) OR EXISTS (
        SELECT 1 FROM lanes l WHERE l.drained_at IS NOT NULL
          AND EXISTS (SELECT 1 FROM tasks t WHERE t.lane_id = l.id AND t.openings > 0))
""")
_FOLD = text("""
    WITH gone AS (DELETE FROM lane_charges RETURNING lane_id, charge),
         sums AS (SELECT lane_id, sum(charge) AS charge FROM gone GROUP BY lane_id)
    UPDATE lanes SET virtual_time = virtual_time + sums.charge FROM sums WHERE lanes.id = sums.lane_id
""")
_WAKE_FORGOTTEN = text("""
    UPDATE lanes SET drained_at = NULL WHERE drained_at IS NOT NULL
      AND EXISTS (SELECT 1 FROM tasks t WHERE t.lane_id = lanes.id AND t.openings > 0)
""")


def is_untidy(tx: Tx) -> bool:
    """Say whether claims have charged lanes since the last fold, or a lane sleeps though a task of it is open."""
    return bool(tx.execute(_UNTIDY).scalar_one())


def tidy(tx: Tx) -> int:
    """Add up what claims have charged to lanes, and wake forgotten ones; returns how many woke.

    On SQLite claims charge their lane at once, and there is nothing to add up.
    """
    if tx.dialect.name == "postgresql":
        tx.execute(_FOLD)
    return tx.execute(_WAKE_FORGOTTEN).rowcount


# none is ever removed; the greatest id would not tell of one that was added earlier and committed later
_COUNT_NEEDS = text("SELECT count(*) FROM needs")


def count_needs(tx: Tx) -> int:
    """Return how many sets of needs there are."""
    return int(tx.execute(_COUNT_NEEDS).scalar_one())
