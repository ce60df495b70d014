"""Orders as their rows tell of them, for whoever knows what an order of a kind must have."""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from sqlalchemy import text

from sheepfold.model.jobs import JobId
from sheepfold.store.database import Tx


@dataclass(frozen=True, slots=True)
class OrderRow:
    """An order: its kind, its spec as it is written, the names of its inputs, and what else was noted of it."""

    job_id: JobId
    kind: str
    spec: str
    inputs: AbstractSet[str]
    has_visit: bool
    has_sheep: bool


# by the primary keys, and by uq_sheep_job_id
_ORDERS = text("""
    SELECT j.id, j.kind, j.spec, EXISTS (SELECT 1 FROM visits v WHERE v.job_id = j.id) AS has_visit,
           EXISTS (SELECT 1 FROM sheep s WHERE s.job_id = j.id) AS has_sheep
    FROM jobs j WHERE j.id > :after ORDER BY j.id LIMIT :limit
""")
_INPUTS = text("SELECT job_id, name FROM job_inputs WHERE job_id > :after AND job_id <= :last")


def orders_after(tx: Tx, after: JobId, limit: int) -> list[OrderRow]:
    """Return some orders behind an id."""
    rows = tx.execute(_ORDERS, {"after": after, "limit": limit}).all()
    if not rows:
        return []
    inputs = {(row.job_id, row.name) for row in tx.execute(_INPUTS, {"after": after, "last": rows[-1].id})}
    return [OrderRow(JobId(row.id), row.kind, row.spec, {name for job_id, name in inputs if job_id == row.id},
                     bool(row.has_visit), bool(row.has_sheep)) for row in rows]
