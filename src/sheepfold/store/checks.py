"""The database's invariants as queries: each finds rows that contradict each other, and none should."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import text

from sheepfold.model.credit import BOUND
from sheepfold.model.lifecycle import openings, transition
from sheepfold.model.tasks import TaskId
from sheepfold.store import tasks as task_rows
from sheepfold.store.clearing import NEEDED
from sheepfold.store.database import Tx

SHOWN = 20
"""How many rows of one kind are named; more would not help anybody."""
DEAD_ROWS = 50_000
"""So many dead rows are noise; more of them than living ones means that autovacuum does not keep up, or is off."""
LONGEST_WAIT_S = 86_400
WAL_BYTES = 2**30
"""A log that is larger is held back by something: a reader that never ends, a replica that is gone."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that should not be: which invariant, and what breaks it."""

    invariant: str
    what: str


_CONTRADICTIONS = {
    "a valid result is paid once": """
        SELECT 'result ' || r.id FROM results r LEFT JOIN ledger g ON g.result_id = r.id
        WHERE r.verdict = 'valid' AND g.id IS NULL
    """,
    "only valid results are paid": """
        SELECT 'result ' || r.id FROM ledger g JOIN results r ON r.id = g.result_id WHERE r.verdict <> 'valid'
    """,
    "the account whose job it is pays": """
        SELECT 'result ' || g.result_id FROM ledger g JOIN jobs j ON j.id = g.job_id WHERE g.payer_id <> j.account_id
    """,
    "no payment is far from what its picture was expected to cost": f"""
        SELECT 'result ' || result_id FROM ledger
        WHERE millipoints > cost_ms * {BOUND} OR millipoints < cost_ms / {BOUND} OR taken_s < 0
    """,  # noqa: S608 -- a constant
    "a job's counts are those of its tasks": """
        SELECT 'job ' || j.id FROM jobs j JOIN tasks t ON t.job_id = j.id
        GROUP BY j.id, j.tasks_total, j.tasks_done, j.tasks_failed
        HAVING j.tasks_total <> count(*)
            OR j.tasks_done <> sum(CASE WHEN t.state = 'done' THEN 1 ELSE 0 END)
            OR j.tasks_failed <> sum(CASE WHEN t.state IN ('failed', 'canceled') THEN 1 ELSE 0 END)
    """,
    "a job runs exactly while a task of it is open": """
        SELECT 'job ' || j.id FROM jobs j
        WHERE (j.state = 'running') <> EXISTS (SELECT 1 FROM tasks t WHERE t.job_id = j.id AND t.state = 'open')
    """,
    "a done task has a valid result": """
        SELECT 'task ' || t.id FROM tasks t
        WHERE t.state = 'done'
          AND NOT EXISTS (SELECT 1 FROM results r WHERE r.task_id = t.id AND r.verdict = 'valid')
    """,
    "a lane with an opening is awake": """
        SELECT 'lane ' || l.id FROM lanes l
        WHERE l.drained_at IS NOT NULL
          AND EXISTS (SELECT 1 FROM tasks t WHERE t.lane_id = l.id AND t.openings > 0)
    """,
    "a machine that submitted holds its lease no more": """
        SELECT 'lease ' || l.id FROM leases l JOIN results r ON r.lease_id = l.id WHERE l.state = 'active'
    """,
    "no lease is active long after its deadline": """
        SELECT 'lease ' || l.id FROM leases l WHERE l.state = 'active' AND l.deadline_at < :now - 60
    """,
    "no file that is needed is cleared": """
        SELECT 'blob ' || b.digest FROM blobs b WHERE b.cleared_at IS NOT NULL AND ({needed})
    """,
    "no chore was given up": """
        SELECT 'chore ' || c.id || ' (' || c.what || ' of job ' || c.job_id || '): ' || c.reason
        FROM chores c WHERE c.state = 'failed'
    """,
    "no chore waits for a day": f"""
        SELECT 'chore ' || c.id || ' (' || c.what || ' of job ' || c.job_id || ')'
        FROM chores c WHERE c.state = 'queued' AND c.queued_at < :now - {LONGEST_WAIT_S}
    """,  # noqa: S608 -- a constant
}
_ALL = [(invariant, text(query.replace("{needed}", NEEDED) + f" LIMIT {SHOWN}"))
        for invariant, query in _CONTRADICTIONS.items()]
_TASKS_AFTER = text("SELECT id, openings FROM tasks WHERE id > :after ORDER BY id LIMIT :limit")


def contradictions(tx: Tx, now: int) -> Iterator[Finding]:
    """Find rows that contradict each other."""
    for invariant, query in _ALL:
        for row in tx.execute(query, {"now": now} if ":now" in query.text else {}):
            yield Finding(invariant, str(row[0]))


# rows that nobody vacuums, transactions that nobody ends, logs that a replica which is gone still holds back
_STRAINS = {
    "PostgreSQL vacuums what churns": f"""
        SELECT relname || ' has ' || n_dead_tup || ' dead rows beside ' || n_live_tup || ' living ones'
        FROM pg_stat_user_tables WHERE n_dead_tup > {DEAD_ROWS} AND n_dead_tup > n_live_tup
    """,  # noqa: S608 -- made of constants
    "no transaction stays open for long": """
        SELECT 'process ' || pid || ' has had one open for ' || round(extract(epoch FROM now() - xact_start)) || ' s'
        FROM pg_stat_activity WHERE datname = current_database() AND now() - xact_start > interval '15 minutes'
    """,
    "PostgreSQL's log does not pile up": f"""
        SELECT 'replication slot ' || slot_name || ' holds back '
               || pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn) / 1048576 || ' MiB'
        FROM pg_replication_slots WHERE pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn) > {WAL_BYTES}
    """,  # noqa: S608 -- made of constants
}
_FILES = text("PRAGMA database_list")


def strains(tx: Tx) -> Iterator[Finding]:
    """Find what wears a database out over time, though no row is wrong yet."""
    if tx.dialect.name == "postgresql":
        for invariant, query in _STRAINS.items():
            for row in tx.execute(text(query)):
                yield Finding(invariant, str(row[0]))
        return
    for row in tx.execute(_FILES):
        log = Path(f"{row.file}-wal")
        if row.file and log.exists() and log.stat().st_size > WAL_BYTES:
            yield Finding("SQLite's log does not pile up", f"{log.name} has {log.stat().st_size // 2**20} MiB")


def wrong_tasks(tx: Tx, after: TaskId, limit: int) -> tuple[list[Finding], TaskId | None]:
    """Compare tasks after an id with what the rules say of them; returns the last id, None at the end."""
    rows = tx.execute(_TASKS_AFTER, {"after": after, "limit": limit}).all()
    findings = []
    for row in rows:
        task = task_rows.load(tx, TaskId(row.id), lock=False)
        if row.openings != openings(task):
            found = f"task {task.id} has {row.openings}, the rule says {openings(task)}"
            findings.append(Finding("openings are what the rule says", found))
        if transition(task, 0) != task:
            findings.append(Finding("a task is as its rules leave it", f"task {task.id}"))
    return findings, TaskId(rows[-1].id) if rows else None
