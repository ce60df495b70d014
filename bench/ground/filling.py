"""Farms filled through SQL: orders would take hours for a million tasks, and are not what is measured."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from sqlalchemy import Connection, Engine, create_engine, make_url, text
from sqlalchemy.exc import ProgrammingError

from sheepfold.model.matching import Abilities, Needs, Program
from sheepfold.store import schema

NEEDS = Needs(kind="flame", renderer="flam3")
ABILITIES = Abilities(kinds=frozenset({"flame"}), renderers=frozenset({Program("flam3", "3.1.1")}), memory_mib=8192)
FRAMES_AT_MOST = 2000  # of one flame
COST_MS = 20_000


@dataclass(frozen=True, slots=True)
class Filling:
    """What a farm is filled with: open tasks, spread evenly over jobs, of as many accounts; and machines that ask."""

    tasks: int
    accounts: int
    machines: int
    spec: str
    genome: str
    """The digest of the kept blob that every task has for its input."""
    genome_bytes: int = 0
    jobs: int = 0
    """At least so many; by default one for each account, and more where a job cannot have so many frames."""


_NUMBERS = "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < :count - 1) "
_ACCOUNTS = text(_NUMBERS + """
    INSERT INTO accounts (name, role, created_at) SELECT 'artist' || i, 'artist', 0 FROM n
""")
_MACHINES = text(_NUMBERS + """
    INSERT INTO machines (account_id, name, created_at, last_seen_at)
    SELECT (SELECT id FROM accounts WHERE name = 'anonymous'), 'machine' || i, 0, 0 FROM n
""")
_JOBS = text(_NUMBERS + """
    INSERT INTO jobs (account_id, kind, title, spec, priority, quorum, max_attempts, state, tasks_total, created_at)
    SELECT a.id, 'flame', 'bench', :spec, 0, 1, 5, 'running', (:tasks + :count - 1 - n.i) / :count, 0
    FROM n JOIN accounts a ON a.name = 'artist' || (n.i % :accounts) ORDER BY n.i
""")
_SHEEP = text("INSERT INTO sheep (generation, number, job_id, first, last) SELECT 1, id - 999, id, id - 999, id - 999 "
              "FROM jobs")
_INPUTS = text("INSERT INTO job_inputs (job_id, name, digest) SELECT id, 'genome', :genome FROM jobs")
_LANES = text("""
    INSERT INTO lanes (needs_id, account_id, priority, virtual_time)
    SELECT n.id, a.id, 0, 0 FROM needs n, accounts a WHERE a.name LIKE 'artist%'
""")
# job after job, as orders come; a job's frames lie together
_TASKS = text(_NUMBERS + """
    INSERT INTO tasks (job_id, lane_id, frame, part, state, openings, cost_ms, input)
    SELECT j.id, l.id, n.i, 0, 'open', 1, :cost_ms, :genome
    FROM jobs j JOIN lanes l ON l.account_id = j.account_id CROSS JOIN n WHERE n.i < j.tasks_total
""")


def fill(url: str, filling: Filling) -> None:
    """Fill a farm that was opened before, and is empty, through a connection of our own; 10,000,000 tasks take minutes.

    What was written has reached the disk at the end, so that what is measured next does not wait for it.
    """
    engine = _engine(url)
    with engine.begin() as connection:
        _fill(connection, filling)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for command in _SETTLE[connection.dialect.name]:
            with suppress(ProgrammingError):  # a database of somebody else's may not let us write a checkpoint
                connection.execute(text(command))
    engine.dispose()


def copy_job(url: str, job_id: int, copies: int) -> None:
    """Copy the only job of a farm, with its tasks, so many times."""
    engine = _engine(url)
    jobs, tasks = ([column.name for column in table.columns if column.name not in {"id", "job_id"}]
                   for table in (schema.jobs, schema.tasks))
    with engine.begin() as connection:
        connection.execute(text(f"{_NUMBERS} INSERT INTO jobs ({', '.join(jobs)}) SELECT {', '.join(jobs)} "
                                "FROM jobs, n WHERE id = :job"), {"count": copies, "job": job_id})
        connection.execute(text(f"INSERT INTO tasks (job_id, {', '.join(tasks)}) "
                                f"SELECT j.id, {', '.join(f't.{name}' for name in tasks)} "
                                "FROM tasks t, jobs j WHERE t.job_id = :job AND j.id != :job"), {"job": job_id})
    engine.dispose()


def jobs_of(filling: Filling) -> int:
    """Return how many jobs a filling has."""
    return max(filling.accounts, filling.jobs, -(-filling.tasks // FRAMES_AT_MOST))


def _fill(connection: Connection, filling: Filling) -> None:
    jobs = jobs_of(filling)
    genome = {"genome": filling.genome, "md5": hashlib.md5(usedforsecurity=False).hexdigest(),
              "size": filling.genome_bytes}
    connection.execute(text("INSERT INTO blobs (digest, md5, size_bytes, kept_at) VALUES (:genome, :md5, :size, 0)"),
                       genome)
    connection.execute(text("INSERT INTO needs (canonical) VALUES (:needs)"), {"needs": NEEDS.canonical()})
    connection.execute(_ACCOUNTS, {"count": filling.accounts})
    connection.execute(_MACHINES, {"count": filling.machines})
    connection.execute(_JOBS, {"count": jobs, "accounts": filling.accounts, "spec": filling.spec,
                               "tasks": filling.tasks})
    connection.execute(_SHEEP)
    connection.execute(_INPUTS, genome)
    connection.execute(_LANES)
    with _indexed_afterwards(connection):
        connection.execute(_TASKS, {"count": -(-filling.tasks // jobs), "cost_ms": COST_MS, "genome": filling.genome})


@contextmanager
def _indexed_afterwards(connection: Connection) -> Iterator[None]:
    """Build the indexes of tasks, and check what its rows refer to, once for all rows that come in the block."""
    kind = connection.dialect.name
    if kind == "postgresql":
        connection.execute(text("SET LOCAL maintenance_work_mem = '512MB'"))
    aside = [(row.drop, row.make) for row in connection.execute(text(_ASIDE[kind]))]
    for drop, _ in aside:
        connection.execute(text(drop))
    yield
    for _, make in aside:
        connection.execute(text(make))


_ASIDE = {
    "sqlite": """
        SELECT 'DROP INDEX ' || name AS "drop", sql AS make
        FROM sqlite_master WHERE type = 'index' AND tbl_name = 'tasks' AND sql IS NOT NULL
    """,
    "postgresql": """
        SELECT 'ALTER TABLE tasks DROP CONSTRAINT ' || conname AS drop,
               'ALTER TABLE tasks ADD CONSTRAINT ' || conname || ' ' || pg_get_constraintdef(oid) AS make
        FROM pg_constraint WHERE conrelid = 'tasks'::regclass AND contype IN ('f', 'u')
        UNION ALL
        SELECT 'DROP INDEX ' || indexname, indexdef FROM pg_indexes
        WHERE tablename = 'tasks' AND indexname NOT IN (SELECT conname FROM pg_constraint)
    """,
}
_SETTLE = {"sqlite": ("PRAGMA wal_checkpoint(TRUNCATE)",), "postgresql": ("VACUUM ANALYZE", "CHECKPOINT")}


def _engine(url: str) -> Engine:
    address = make_url(url)
    return create_engine(address.set(drivername="postgresql+psycopg") if "postgresql" in url else address)
