"""The database's invariants as queries: each finds rows that contradict each other, and none should."""

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import text

from sheepfold.model.lifecycle import openings, transition
from sheepfold.model.tasks import TaskId
from sheepfold.store import tasks as task_rows
from sheepfold.store.database import Tx

SHOWN = 20
"""How many rows of one kind are named; more would not help anybody."""


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
    "no chore was given up": """
        SELECT 'chore ' || c.id || ' (' || c.what || ' of job ' || c.job_id || '): ' || c.reason
        FROM chores c WHERE c.state = 'failed'
    """,
}
_ALL = [(invariant, text(query + f" LIMIT {SHOWN}")) for invariant, query in _CONTRADICTIONS.items()]
_TASKS_AFTER = text("SELECT id, openings FROM tasks WHERE id > :after ORDER BY id LIMIT :limit")


def contradictions(tx: Tx, now: int) -> Iterator[Finding]:
    """Find rows that contradict each other."""
    for invariant, query in _ALL:
        for row in tx.execute(query, {"now": now} if ":now" in query.text else {}):
            yield Finding(invariant, str(row[0]))


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
