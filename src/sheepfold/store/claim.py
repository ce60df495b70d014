"""The claim: the one statement of the farm that must stay fast with a million open tasks and a thousand jobs.

Tasks hang in lanes (needs, account, priority). A claim takes the best lane, the claimant's own first, then by
priority, then by the least virtual time, and that lane's first task with an opening; both are walks of a partial
index. A lane where nothing is found is marked as drained and left out until a task of it opens again. Each claim
moves its lane's virtual time on by the task's cost over the account's weight, which is fair sharing; the weight of who
has points to spend counts more. On PostgreSQL a lane that another claim just holds is not waited for: the charge is
appended instead, and the house folds it in once a second.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sqlalchemy import TextClause, text

from sheepfold.model.accounts import AccountId
from sheepfold.model.jobs import JobId
from sheepfold.model.machines import MachineId, SessionId
from sheepfold.model.tasks import LeaseId, TaskId
from sheepfold.store.database import Tx

LANES_AT_A_TIME = 8
VIRTUAL_SCALE = 100
"""Virtual time is cost times this over the account's weight, which is 100 by default: then they are the same."""


@dataclass(frozen=True, slots=True)
class Claimant:
    """Who asks for work: a machine, whom its work is booked on, over which protocol and session, for how long."""

    machine_id: MachineId
    account_id: AccountId
    protocol: str
    session_id: SessionId | None
    term_s: int


@dataclass(frozen=True, slots=True)
class Granted:
    """A lease that was just granted, and the place of its task in the job with the digest of its own input."""

    lease_id: LeaseId
    task_id: TaskId
    job_id: JobId
    deadline_at: int
    frame: int
    part: int
    input: str | None


@dataclass(frozen=True, slots=True)
class _Lane:
    id: int
    weight: int


def claim(tx: Tx, claimant: Claimant, needs_ids: tuple[int, ...], now: int) -> Granted | None:
    """Grant a lease on the best task whose needs are among these; None where none has an opening for this machine."""
    seen: list[int] = [0]
    while needs_ids and (lanes := _best_lanes(tx, claimant.account_id, needs_ids, seen)):
        for lane in lanes:
            granted = _claim_in(tx, claimant, lane, now)
            if granted is not None:
                return granted
            seen.append(lane.id)
    return None


def _claim_in(tx: Tx, claimant: Claimant, lane: _Lane, now: int) -> Granted | None:
    values = {"lane_id": lane.id, "weight": max(1, lane.weight), "machine_id": claimant.machine_id,
              "account_id": claimant.account_id, "session_id": claimant.session_id, "protocol": claimant.protocol,
              "now": now, "deadline_at": now + claimant.term_s}
    row = tx.execute(_FIRST_TASK[tx.dialect.name], values).one_or_none()
    if row is None:
        tx.execute(_DRAIN_OF[tx.dialect.name], {"lane_id": lane.id, "now": now})
        return None
    lease_id = row.lease_id if tx.dialect.name == "postgresql" else _grant(tx, row, values)
    return Granted(LeaseId(lease_id), TaskId(row.id), JobId(row.job_id), now + claimant.term_s, row.frame, row.part,
                   row.input)


def _grant(tx: Tx, task: Any, values: Mapping[str, Any]) -> int:  # noqa: ANN401 -- a row
    """Grant the first task on SQLite, which cannot write more than one table in a statement."""
    tx.execute(_TAKE, {"task_id": task.id})
    lease_id: int = tx.execute(_GRANT, {"task_id": task.id, **values}).scalar_one()
    charge = max(1, task.cost_ms * VIRTUAL_SCALE // values["weight"])
    tx.execute(_CHARGE, {"lane_id": values["lane_id"], "charge": charge})
    return lease_id


def _best_lanes(tx: Tx, account_id: AccountId, needs_ids: tuple[int, ...], seen: list[int]) -> list[_Lane]:
    rows = tx.execute(_lanes_query(len(needs_ids), len(seen)), {"account_id": account_id}
                      | {f"needs_{n}": needs_id for n, needs_id in enumerate(needs_ids)}
                      | {f"seen_{n}": lane_id for n, lane_id in enumerate(seen)})
    return [_Lane(row.id, row.weight) for row in rows]


@lru_cache(maxsize=256)
def _lanes_query(needs_count: int, seen_count: int) -> TextClause:
    """Return the walk over lanes for a number of needs: each by its index to a few candidates, then merged."""
    seen = ", ".join(f":seen_{n}" for n in range(seen_count))
    # by uq_lanes_needs_id_account_id_priority, then by ix_lanes_open
    own = """SELECT * FROM (SELECT id, account_id, priority, virtual_time, 0 AS turn FROM lanes
             WHERE drained_at IS NULL AND account_id = :account_id AND needs_id = :needs_{n} AND id NOT IN ({seen})
             ORDER BY priority DESC, virtual_time LIMIT {limit}) AS own_{n}"""
    all_ = """SELECT * FROM (SELECT id, account_id, priority, virtual_time, 1 AS turn FROM lanes
              WHERE drained_at IS NULL AND needs_id = :needs_{n} AND id NOT IN ({seen})
              ORDER BY priority DESC, virtual_time LIMIT {limit}) AS all_{n}"""
    walks = [walk.format(n=n, limit=LANES_AT_A_TIME, seen=seen) for n in range(needs_count) for walk in (own, all_)]
    return text(f"""
        SELECT c.id, a.weight * a.favour AS weight
        FROM ({" UNION ALL ".join(walks)}) AS c JOIN accounts a ON a.id = c.account_id
        GROUP BY c.id, a.weight, a.favour, c.priority, c.virtual_time
        ORDER BY min(c.turn), c.priority DESC, c.virtual_time LIMIT {LANES_AT_A_TIME}
    """)  # noqa: S608 -- made of constants and counted parameter names


def plans(tx: Tx, claimant: Claimant, needs_ids: tuple[int, ...]) -> dict[str, list[str]]:
    """Return the database's own plans of both searches of a claim, of the lane and of its task; grants nothing."""
    explain = {"sqlite": "EXPLAIN QUERY PLAN", "postgresql": "EXPLAIN (ANALYZE, COSTS OFF, SUMMARY OFF)"}
    values = {"account_id": claimant.account_id, "machine_id": claimant.machine_id, "seen_0": 0, "lane_id": 0,
              "now": 0}
    values |= {f"needs_{n}": needs_id for n, needs_id in enumerate(needs_ids)}
    values["lane_id"] = next((lane.id for lane in _best_lanes(tx, claimant.account_id, needs_ids, [0])), 0)
    queries = {"the best lanes": _lanes_query(len(needs_ids), 1), "a lane's first task": text(_FIRST)}
    return {
        name: [str(row[-1]) for row in tx.execute(text(f"{explain[tx.dialect.name]} {query.text}"), values)]
        for name, query in queries.items()
    }


# by ix_tasks_open; a machine takes no task that it holds already, that waits for others to confirm what it sent, or
# whose job it refused
_FIRST = """
    SELECT t.id, t.job_id, t.cost_ms, t.frame, t.part, t.input FROM tasks t
    WHERE t.lane_id = :lane_id AND t.openings > 0
      AND NOT EXISTS (SELECT 1 FROM leases l
                      WHERE l.task_id = t.id AND l.machine_id = :machine_id AND l.state = 'active')
      AND NOT EXISTS (SELECT 1 FROM results r
                      WHERE r.task_id = t.id AND r.machine_id = :machine_id
                        AND r.verdict = 'pending' AND r.soundness <> 'blank')
      AND NOT EXISTS (SELECT 1 FROM refusals f
                      WHERE f.machine_id = :machine_id AND f.job_id = t.job_id AND f.until_at > :now)
    ORDER BY t.id LIMIT 1
"""
_TAKE = text("UPDATE tasks SET openings = openings - 1 WHERE id = :task_id")
_GRANT = text("""
    INSERT INTO leases (task_id, machine_id, account_id, session_id, protocol, state, granted_at, deadline_at)
    VALUES (:task_id, :machine_id, :account_id, :session_id, :protocol, 'active', :now, :deadline_at)
    RETURNING id
""")
_CHARGE = text("UPDATE lanes SET virtual_time = virtual_time + :charge WHERE id = :lane_id")
# all of it in one statement, since each goes to another process and back: a claim took 2.0 ms, with this 1.6
_FIRST_GRANTED = f"""
    WITH first AS ({_FIRST} FOR UPDATE OF t SKIP LOCKED),
    taken AS (UPDATE tasks SET openings = openings - 1 FROM first WHERE tasks.id = first.id),
    granted AS (
        INSERT INTO leases (task_id, machine_id, account_id, session_id, protocol, state, granted_at, deadline_at)
        SELECT id, :machine_id, :account_id, :session_id, :protocol, 'active', :now, :deadline_at FROM first
        RETURNING id AS lease_id),
    charge AS (SELECT greatest(1, cost_ms * {VIRTUAL_SCALE} / :weight) AS charge FROM first),
    charged AS (
        UPDATE lanes SET virtual_time = virtual_time + charge.charge FROM charge
        WHERE lanes.id = (SELECT id FROM lanes WHERE id = :lane_id FOR NO KEY UPDATE SKIP LOCKED) RETURNING lanes.id),
    owed AS (
        INSERT INTO lane_charges (lane_id, charge)
        SELECT :lane_id, charge FROM charge WHERE NOT EXISTS (SELECT 1 FROM charged))
    SELECT first.*, granted.lease_id FROM first, granted
"""  # noqa: S608 -- made of constants
_FIRST_TASK = {"sqlite": text(_FIRST), "postgresql": text(_FIRST_GRANTED)}
# only a lane that is empty for everybody: this machine may have been refused what others may take
_DRAIN = """
    UPDATE lanes SET drained_at = :now WHERE id = (SELECT id FROM lanes WHERE id = :lane_id {lock})
      AND NOT EXISTS (SELECT 1 FROM tasks WHERE lane_id = :lane_id AND openings > 0)
"""
# who finds a lane locked leaves it to the other: two that drain several lanes each would wait for one another
_DRAIN_OF = {"sqlite": text(_DRAIN.format(lock="")), "postgresql": text(_DRAIN.format(lock="FOR UPDATE SKIP LOCKED"))}
