"""Rows of the flock: sheep by generation and number, and the votes on them."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, text

from sheepfold.model.accounts import AccountId
from sheepfold.model.errors import UnknownSheep
from sheepfold.model.evolution import Member
from sheepfold.model.flock import Sheep, SheepId, next_id
from sheepfold.model.jobs import JobId
from sheepfold.store.database import Tx


@dataclass(frozen=True, slots=True)
class FilmedSheep:
    """A sheep that can be played: when its film was made, and that film's exact size in bytes and digest."""

    sheep: Sheep
    made_at: int
    size_bytes: int
    digest: str


LIVING = """(
    SELECT b.generation FROM sheep b WHERE EXISTS (SELECT 1 FROM products p WHERE p.job_id = b.job_id)
    ORDER BY b.generation DESC, b.number DESC LIMIT 1)
"""
"""The living generation: the newest of which there is something to see, null before that. By pk_sheep from its end."""

LOST = """(
    j.state <> 'running' AND NOT EXISTS (SELECT 1 FROM products q WHERE q.job_id = j.id)
    AND NOT EXISTS (SELECT 1 FROM chores d WHERE d.job_id = j.id AND d.state = 'queued'))
"""
"""Of a sheep's job `j`: it has ended, and there will be nothing to see of it. By pk_products and ix_chores_waiting."""

_LIVES = text(f"SELECT {LIVING} AS generation")
_NEWEST = text("SELECT generation, number FROM sheep ORDER BY generation DESC, number DESC LIMIT 1")
_ADD = text("""
    INSERT INTO sheep (generation, number, job_id, first, last) VALUES (:generation, :number, :job_id, :first, :last)
""")
_SHEEP = """
    SELECT s.generation, s.number, s.job_id, s.first, s.last,
           coalesce((SELECT sum(v.value) FROM votes v WHERE v.job_id = s.job_id), 0) AS rating
    FROM sheep s
"""
_BY_ID = text(_SHEEP + " WHERE s.generation = :generation AND s.number = :number")
_BY_JOB = text(_SHEEP + " WHERE s.job_id = :job_id")
_FILMED = text("""
    SELECT s.generation, s.number, s.job_id, s.first, s.last, p.made_at, b.size_bytes, p.digest,
           coalesce((SELECT sum(v.value) FROM votes v WHERE v.job_id = s.job_id), 0) AS rating
    FROM sheep s JOIN products p ON p.job_id = s.job_id AND p.name = :film JOIN blobs b ON b.digest = p.digest
    WHERE s.generation = :generation AND s.retired_at IS NULL ORDER BY s.number
""")
_LIVING = text(f"""
    SELECT s.generation, s.number, s.job_id, s.first, s.last, {LOST} AS is_lost,
           j.state = 'running' AND j.account_id = :shepherd AS is_rendering,
           EXISTS (SELECT 1 FROM products p WHERE p.job_id = s.job_id AND p.name = :film) AS is_filmed,
           coalesce((SELECT sum(v.value) FROM votes v WHERE v.job_id = s.job_id), 0) AS rating
    FROM sheep s JOIN jobs j ON j.id = s.job_id
    WHERE s.generation = :generation AND s.retired_at IS NULL ORDER BY s.number
""")  # noqa: S608 -- made of constants
_EDGES = text(_SHEEP + """
    WHERE s.generation = :generation AND s.number <> :number AND :number IN (s.first, s.last) AND s.retired_at IS NULL
    ORDER BY s.number
""")
_RETIRE = text("UPDATE sheep SET retired_at = :now WHERE job_id = :job_id AND retired_at IS NULL")
_ADD_PARENT = text("INSERT INTO parents (job_id, parent_id) VALUES (:job_id, :parent_id)")
_PARENTS = text(_SHEEP + " JOIN parents f ON f.parent_id = s.job_id WHERE f.job_id = :job_id ORDER BY s.number")
_CHILDREN = text(_SHEEP + " JOIN parents f ON f.job_id = s.job_id WHERE f.parent_id = :job_id ORDER BY s.number")
_VOTE = text("""
    INSERT INTO votes (job_id, voter, value, cast_at) VALUES (:job_id, :voter, :value, :now)
    ON CONFLICT (job_id, voter) DO UPDATE SET value = excluded.value, cast_at = excluded.cast_at
    WHERE votes.value <> excluded.value
""")
# by pk_votes
_WITHDRAW = text("DELETE FROM votes WHERE job_id = :job_id AND voter = :voter")
_VOTE_OF = text("SELECT value FROM votes WHERE job_id = :job_id AND voter = :voter")
_VOTES = text("""
    SELECT coalesce(sum(CASE WHEN value > 0 THEN 1 ELSE 0 END), 0) AS liked,
           coalesce(sum(CASE WHEN value < 0 THEN 1 ELSE 0 END), 0) AS disliked
    FROM votes WHERE job_id = :job_id
""")
_RETIRED_AT = text("SELECT retired_at FROM sheep WHERE job_id = :job_id")
_LOCK = text("LOCK TABLE sheep IN SHARE ROW EXCLUSIVE MODE")


def newest_id(tx: Tx) -> SheepId | None:
    """Return the id that was given last, or None before the first sheep."""
    row = tx.execute(_NEWEST).one_or_none()
    return None if row is None else SheepId(row.generation, row.number)


def living_generation(tx: Tx) -> int | None:
    """Return the newest generation of which something was made, or None before the first film."""
    generation: int | None = tx.execute(_LIVES).scalar_one()
    return generation


def add_loop(tx: Tx, job_id: JobId) -> Sheep:
    """Put a job into the flock as a loop, under the next id."""
    sheep_id = next_in_line(tx)
    return _add(tx, Sheep(sheep_id, job_id, sheep_id.number, sheep_id.number))


def add_edge(tx: Tx, job_id: JobId, first: int, last: int) -> Sheep:
    """Put a job into the flock as an edge between two keyframes of its generation, under the next id."""
    return _add(tx, Sheep(next_in_line(tx), job_id, first, last))


def next_in_line(tx: Tx) -> SheepId:
    """Return the next id, which nobody else takes before this transaction has ended."""
    if tx.dialect.name == "postgresql":
        tx.execute(_LOCK)
    return next_id(newest_id(tx))


def _add(tx: Tx, sheep: Sheep) -> Sheep:
    tx.execute(_ADD, {"generation": sheep.id.generation, "number": sheep.id.number, "job_id": sheep.job_id,
                      "first": sheep.first, "last": sheep.last})
    return sheep


def sheep_of(tx: Tx, sheep_id: SheepId) -> Sheep:
    """Return a sheep by its id; raises UnknownSheep."""
    row = tx.execute(_BY_ID, {"generation": sheep_id.generation, "number": sheep_id.number}).one_or_none()
    if row is None:
        raise UnknownSheep(f"There is no sheep {sheep_id.number} in generation {sheep_id.generation}.")
    return _sheep(row)


def find_sheep_of_job(tx: Tx, job_id: JobId) -> Sheep | None:
    """Return the sheep that a job is, or None."""
    row = tx.execute(_BY_JOB, {"job_id": job_id}).one_or_none()
    return None if row is None else _sheep(row)


_LOOP_OF = text(_SHEEP + f"""
    JOIN job_inputs i ON i.job_id = s.job_id AND i.name = 'genome' JOIN jobs j ON j.id = s.job_id
    WHERE i.digest = :digest AND s.generation = :generation AND s.first = s.number AND s.last = s.number
    ORDER BY CASE WHEN s.retired_at IS NULL AND NOT {LOST} THEN 0 ELSE 1 END, s.number DESC
    LIMIT 1
""")


def find_loop_of(tx: Tx, generation: int, digest: str) -> Sheep | None:
    """Return the newest loop of a generation that was ordered of a genome, by the genome's digest, or None.

    One that has retired or is lost is returned only where there is no other.
    """
    row = tx.execute(_LOOP_OF, {"generation": generation, "digest": digest}).one_or_none()
    return None if row is None else _sheep(row)


def filmed(tx: Tx, generation: int, film: str) -> list[FilmedSheep]:
    """Return a generation's living sheep that have the film of a name."""
    rows = tx.execute(_FILMED, {"generation": generation, "film": film})
    return [FilmedSheep(_sheep(row), row.made_at, row.size_bytes, row.digest) for row in rows]


def living(tx: Tx, generation: int, film: str, shepherd: AccountId | None) -> list[Member]:
    """Return a generation's sheep that have not retired; the film of a name is the one that counts.

    The shepherd's are the flock's own orders.
    """
    rows = tx.execute(_LIVING, {"generation": generation, "film": film, "shepherd": shepherd or 0})
    return [Member(_sheep(row), bool(row.is_rendering), bool(row.is_filmed), bool(row.is_lost)) for row in rows]


def edges_at(tx: Tx, sheep_id: SheepId) -> list[Sheep]:
    """Return the edges that leave a loop or come to it, and have not retired."""
    rows = tx.execute(_EDGES, {"generation": sheep_id.generation, "number": sheep_id.number})
    return [_sheep(row) for row in rows]


def retire(tx: Tx, job_id: JobId, now: int) -> bool:
    """Take a sheep out of the living flock; False where it had retired already."""
    return tx.execute(_RETIRE, {"job_id": job_id, "now": now}).rowcount > 0


def add_parents(tx: Tx, job_id: JobId, parents: Iterable[JobId]) -> None:
    """Write down of which sheep a sheep was bred."""
    for parent_id in parents:
        tx.execute(_ADD_PARENT, {"job_id": job_id, "parent_id": parent_id})


def parents_of(tx: Tx, job_id: JobId) -> list[Sheep]:
    """Return the sheep that a sheep was bred of."""
    return [_sheep(row) for row in tx.execute(_PARENTS, {"job_id": job_id})]


def children_of(tx: Tx, job_id: JobId) -> list[Sheep]:
    """Return the sheep that were bred of a sheep."""
    return [_sheep(row) for row in tx.execute(_CHILDREN, {"job_id": job_id})]


@dataclass(frozen=True, slots=True)
class Votes:
    """How many like a sheep, and how many do not."""

    liked: int
    disliked: int


def votes_on(tx: Tx, job_id: JobId) -> Votes:
    """Return the votes on a sheep."""
    row = tx.execute(_VOTES, {"job_id": job_id}).one()
    return Votes(int(row.liked), int(row.disliked))


def retired_at(tx: Tx, job_id: JobId) -> int | None:
    """Return when a sheep left the living flock, None while it lives there."""
    at: int | None = tx.execute(_RETIRED_AT, {"job_id": job_id}).scalar_one()
    return at


def vote(tx: Tx, job_id: JobId, voter: str, value: int, now: int) -> bool:
    """Count a vote, +1 or -1; a voter's newer vote replaces the older. False where it is the same once more."""
    return tx.execute(_VOTE, {"job_id": job_id, "voter": voter, "value": value, "now": now}).rowcount > 0


def withdraw_vote(tx: Tx, job_id: JobId, voter: str) -> bool:
    """Take back a voter's vote on a sheep; False where there is none."""
    return tx.execute(_WITHDRAW, {"job_id": job_id, "voter": voter}).rowcount > 0


def vote_of(tx: Tx, job_id: JobId, voter: str) -> int | None:
    """Return a voter's vote on a sheep, None where there is none."""
    value: int | None = tx.execute(_VOTE_OF, {"job_id": job_id, "voter": voter}).scalar_one_or_none()
    return value


def _sheep(row: Row[Any]) -> Sheep:
    return Sheep(SheepId(row.generation, row.number), JobId(row.job_id), row.first, row.last, int(row.rating))
