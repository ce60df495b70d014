"""Who names a blob, and which blobs nobody needs any more: what retention marks, and what the sweep may drop.

A blob that is cleared keeps its row, since results go on naming it; its bytes are gone, or will be at the next sweep.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from sqlalchemy import TextClause, text

from sheepfold.model.jobs import JobId
from sheepfold.model.tasks import TaskId
from sheepfold.store.database import Tx


def _named(table: str, column: str, also: str = "") -> str:
    """Return the question whether a table names a blob `b`, to be answered by its index of that column.

    PostgreSQL would gather all names of a large table first; where a limit stands it looks for each blob by itself.
    """
    return f"EXISTS (SELECT 1 FROM {table} WHERE {column} = b.digest{also} LIMIT 1 OFFSET 0)"  # noqa: S608 -- constants


# who names a blob `b`, by what it is there for
_NAMES = {
    "inputs": (_named("job_inputs", "digest"), _named("tasks", "input"), _named("archives", "digest")),
    "originals": (_named("results", "digest"),),
    "previews": (_named("previews", "digest"), _named("thumbnails", "digest"), _named("thumbnails", "source")),
    "products": (_named("products", "digest"),),
    "logs": (_named("leases", "log"),),
    "renderers": (_named("renderers few", "few.digest"),),
}
UNNAMED = "unnamed"
SORTS = (*_NAMES, UNNAMED)
"""What blobs are there for; one that serves several ends counts for the first."""
_SORT = ("CASE " + " ".join(f"WHEN {' OR '.join(names)} THEN '{sort}'" for sort, names in _NAMES.items())
         + f" ELSE '{UNNAMED}' END")
_KEPT = " AND j.cleared_at IS NULL"
_OF_TASK = "n JOIN tasks t ON t.id = n.task_id JOIN jobs j ON j.id = t.job_id"
# who needs the bytes of a blob `b`: whatever is not cleared; genomes of sheep breed on, and previews, products and
# thumbnails are needed as long as their rows are there
NEEDED = " OR ".join((
    _named("job_inputs n JOIN jobs j ON j.id = n.job_id", "n.digest",
           " AND (j.cleared_at IS NULL OR EXISTS (SELECT 1 FROM sheep s WHERE s.job_id = j.id))"),
    _named("tasks n JOIN jobs j ON j.id = n.job_id", "n.input", _KEPT),
    _named("archives n JOIN jobs j ON j.id = n.job_id", "n.digest", _KEPT),
    _named(f"results {_OF_TASK}", "n.digest", _KEPT),
    _named(f"leases {_OF_TASK}", "n.log", " AND j.emptied_at IS NULL"),
    _named("previews", "digest"),
    _named("thumbnails", "digest"),
    _named("products", "digest"),
    _named("renderers few", "few.digest"),
))


def _on_both(query: str) -> Mapping[str, TextClause]:
    """Return a query that has a list `[:name]` as each database wants lists."""
    sqlite, postgresql = "IN (SELECT value FROM json_each(:names))", "= ANY(:names)"
    return {"sqlite": text(query.replace("IN [:names]", sqlite)),
            "postgresql": text(query.replace("IN [:names]", postgresql))}  # fmt: skip


def _listed(tx: Tx, names: Sequence[str | int]) -> str | list[str | int]:
    """Return a list as a value that the queries of `_on_both` take."""
    return json.dumps(names) if tx.dialect.name == "sqlite" else list(names)


# while it is locked nobody names it: whoever wants to waits, and finds it marked or gone
_LOCK = text("SELECT digest FROM blobs WHERE digest = ANY(:names) ORDER BY digest FOR UPDATE")
_SOME = " FROM blobs b WHERE b.digest IN [:names] AND "
_LYING = _on_both("SELECT b.digest" + _SOME + f"b.cleared_at IS NULL AND ({NEEDED})")
_THERE = _on_both("SELECT b.digest" + _SOME + "b.cleared_at IS NULL")
_ROWLESS = f""" AS b WHERE NOT EXISTS (SELECT 1 FROM blobs k WHERE k.digest = b.digest)
    AND ({" OR ".join(chain(*_NAMES.values()))})
"""  # noqa: S608 -- made of constants
_UNKNOWN = {
    "sqlite": text("SELECT b.digest FROM (SELECT value AS digest FROM json_each(:names))" + _ROWLESS),  # noqa: S608
    "postgresql": text("SELECT b.digest FROM (SELECT unnest(CAST(:names AS text[])) AS digest)" + _ROWLESS),  # noqa: S608
}
_UNNEEDED = _on_both("SELECT b.digest, " + _SORT + " AS sort" + _SOME + f"NOT ({NEEDED})")
# what was kept since the last count is in no pile yet; all piles are counted at once
_PILED = _on_both("SELECT b.digest, b.size_bytes, " + _SORT + " AS sort" + _SOME + "b.cleared_at IS NULL"  # noqa: S608 -- constants
                  " AND b.kept_at <= (SELECT counted_at FROM storage WHERE sort = 'unnamed')")
_MARK = _on_both("UPDATE blobs SET cleared_at = :now WHERE cleared_at IS NULL AND digest IN [:names]")
_FORGET = _on_both("DELETE FROM blobs WHERE digest IN [:names]")


@dataclass(frozen=True, slots=True)
class Pile:
    """Some blobs that are there for one end: how many, and their bytes."""

    sort: str
    blobs: int
    size_bytes: int


def needed_of(tx: Tx, digests: Sequence[str]) -> set[str]:
    """Return which of these blobs somebody needs; a look without locks, by which most are passed over."""
    return {str(row.digest) for row in tx.execute(_LYING[tx.dialect.name], {"names": _listed(tx, digests)})}


def lying_of(tx: Tx, digests: Sequence[str]) -> set[str]:
    """Return which of these blobs have their bytes, as their rows say, needed or not."""
    return {str(row.digest) for row in tx.execute(_THERE[tx.dialect.name], {"names": _listed(tx, digests)})}


def unknown_of(tx: Tx, digests: Sequence[str]) -> set[str]:
    """Return which of these blobs are named though no row knows them: some mishap took it, and not the bytes."""
    return {str(row.digest) for row in tx.execute(_UNKNOWN[tx.dialect.name], {"names": _listed(tx, digests)})}


def let_go(tx: Tx, digests: Iterable[str], now: int, unname: Callable[[], object] = lambda: None) -> list[str]:
    """Mark those of these blobs that nobody needs, and forget those that nothing even names; returns them.

    Rows that name some of them go by `unname`: each blob is taken off the pile that it was counted in before. Their
    bytes may be dropped once this is committed, unless they were kept again meanwhile.
    """
    sort, names = tx.dialect.name, sorted(set(digests))
    wanted = {"names": _listed(tx, names)}
    if sort == "postgresql":
        tx.execute(_LOCK, wanted)
    before = _piled(tx, names)
    unname()
    rows = tx.execute(_UNNEEDED[sort], wanted).all()
    tx.execute(_FORGET[sort], {"names": _listed(tx, [row.digest for row in rows if row.sort == UNNAMED])})
    tx.execute(_MARK[sort], {"names": _listed(tx, [row.digest for row in rows if row.sort != UNNAMED]), "now": now})
    _move(tx, before, _piled(tx, sorted(before.keys() - {row.digest for row in rows})))
    return [str(row.digest) for row in rows]


def _piled(tx: Tx, names: Sequence[str]) -> dict[str, Pile]:
    """Return the pile that each of these blobs makes by itself, of those that lie there and were counted."""
    rows = tx.execute(_PILED[tx.dialect.name], {"names": _listed(tx, names)})
    return {str(row.digest): Pile(row.sort, 1, row.size_bytes) for row in rows}


def _move(tx: Tx, before: Mapping[str, Pile], after: Mapping[str, Pile]) -> None:
    """Change the piles by what some blobs were and what they are; in one order, so that nobody waits in a circle."""
    blobs, sizes = Counter[str](), Counter[str]()
    for piles, sign in ((before, -1), (after, 1)):
        for pile in piles.values():
            blobs[pile.sort] += sign
            sizes[pile.sort] += sign * pile.size_bytes
    for sort in SORTS:
        if blobs[sort] or sizes[sort]:
            tx.execute(_CHANGE_PILE, {"sort": sort, "blobs": blobs[sort], "size_bytes": sizes[sort]})


# a job's tasks in pieces, by uq_tasks_job_id_frame_part; what they name by their own indexes
_PIECE = text("""
    SELECT id FROM tasks WHERE job_id = :job_id AND (frame, part) > (
        coalesce((SELECT frame FROM tasks WHERE id = :after), -2147483648),
        coalesce((SELECT part FROM tasks WHERE id = :after), 0))
    ORDER BY frame, part LIMIT :limit
""")
_OF_TASKS = _on_both("""
    SELECT digest FROM results WHERE task_id IN [:names]
    UNION SELECT input FROM tasks WHERE id IN [:names] AND input IS NOT NULL
    UNION SELECT log FROM leases WHERE task_id IN [:names] AND log IS NOT NULL
""")
_OF_JOB = text("SELECT digest FROM job_inputs WHERE job_id = :job_id"
               " UNION SELECT digest FROM archives WHERE job_id = :job_id")
_PREVIEWS = "FROM previews WHERE task_id IN [:names]"
_THUMBNAILS = """
    FROM thumbnails WHERE source IN (SELECT r.digest FROM results r JOIN blobs b ON b.digest = r.digest
                                     WHERE r.task_id IN [:names] AND b.cleared_at IS NOT NULL)
"""
_PRODUCTS = "FROM products WHERE job_id = :job_id"
_MADE = _on_both(" UNION ".join(f"SELECT digest {rows}" for rows in (_PREVIEWS, _THUMBNAILS, _PRODUCTS)))
_DROP_MADE = [_on_both(f"DELETE {rows}") for rows in (_PREVIEWS, _THUMBNAILS, _PRODUCTS)]


def piece_of(tx: Tx, job_id: JobId, after: TaskId | None, limit: int) -> list[TaskId]:
    """Return the tasks of a job that come after one, in the order of frames."""
    rows = tx.execute(_PIECE, {"job_id": job_id, "after": after or 0, "limit": limit})
    return [TaskId(row.id) for row in rows]


def named_by_job(tx: Tx, job_id: JobId) -> list[str]:
    """Return the blobs that a job names by itself: its inputs and its archives."""
    return [str(row.digest) for row in tx.execute(_OF_JOB, {"job_id": job_id})]


def named_by_tasks(tx: Tx, tasks: Sequence[TaskId]) -> list[str]:
    """Return the blobs that tasks name: what they are made of, what they became, and their logs."""
    return [str(row.digest) for row in tx.execute(_OF_TASKS[tx.dialect.name], {"names": _listed(tx, tasks)})]


def made_of(tx: Tx, job_id: JobId, tasks: Sequence[TaskId]) -> list[str]:
    """Return the blobs that a job was made into, and the previews and thumbnails of some of its cleared tasks."""
    rows = tx.execute(_MADE[tx.dialect.name], {"job_id": job_id, "names": _listed(tx, tasks)})
    return [str(row.digest) for row in rows]


def drop_made(tx: Tx, job_id: JobId, tasks: Sequence[TaskId]) -> None:
    """Forget what `made_of` returns: its blobs are perhaps unnamed then."""
    for query in _DROP_MADE:
        tx.execute(query[tx.dialect.name], {"job_id": job_id, "names": _listed(tx, tasks)})


_COUNTED = text(f"""
    SELECT b.digest, b.size_bytes, {_SORT} AS sort FROM blobs b
    WHERE b.digest > :after AND b.cleared_at IS NULL ORDER BY b.digest LIMIT :limit
""")  # noqa: S608 -- of constants
_SET_PILE = text("""
    INSERT INTO storage (sort, blobs, size_bytes, counted_at) VALUES (:sort, :blobs, :size_bytes, :now)
    ON CONFLICT (sort) DO UPDATE
    SET blobs = excluded.blobs, size_bytes = excluded.size_bytes, counted_at = excluded.counted_at
""")
_CHANGE_PILE = text("""
    UPDATE storage SET blobs = blobs + :blobs, size_bytes = size_bytes + :size_bytes WHERE sort = :sort
""")
_PILES = text("SELECT sort, blobs, size_bytes, counted_at FROM storage")


def count_piles(tx: Tx, after: str, limit: int) -> tuple[list[Pile], str | None]:
    """Count some blobs behind a digest by what they are there for; returns the last digest, None at the end."""
    rows = tx.execute(_COUNTED, {"after": after, "limit": limit}).all()
    piles: dict[str, Pile] = {}
    for row in rows:
        so_far = piles.get(row.sort, Pile(row.sort, 0, 0))
        piles[row.sort] = Pile(row.sort, so_far.blobs + 1, so_far.size_bytes + row.size_bytes)
    return list(piles.values()), rows[-1].digest if len(rows) == limit else None


def set_piles(tx: Tx, piles: Iterable[Pile], now: int) -> None:
    """Write down what was counted; what is let go from now on is taken off it."""
    for pile in piles:
        tx.execute(_SET_PILE, {"sort": pile.sort, "blobs": pile.blobs, "size_bytes": pile.size_bytes, "now": now})


def piles_of(tx: Tx) -> tuple[list[Pile], int | None]:
    """Return what was counted last, less what was let go since, and when; None where nobody has counted yet.

    No pile is less than nothing, though a blob may have come to serve another end between the count and its going.
    """
    rows = tx.execute(_PILES).all()
    piles = {row.sort: Pile(row.sort, max(0, row.blobs), max(0, row.size_bytes)) for row in rows}
    counted_at = max((int(row.counted_at) for row in rows), default=None)
    return [piles[sort] for sort in SORTS if sort in piles], counted_at
