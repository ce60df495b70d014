"""The claim: the one statement of the farm that must stay fast with ten million open tasks and ten thousand jobs.

Tasks hang in lanes (needs, account, priority). A claim takes the best lane, the claimant's own first, then by
priority, then by the least virtual time, and that lane's first task with an opening; both are walks of a partial
index. A lane where nothing is found is marked as drained and left out until a task of it opens again. Each claim
moves its lane's virtual time on by the task's cost over the account's weight, which is fair sharing; the weight of who
has points to spend counts more.

SQLite has one writer, whose claims come one after another and look into one lane after another. On PostgreSQL claims
come together, and each is one statement: among lanes of equal rank it takes the best that no other claim holds just
then, so that claims that come together serve different accounts and wait for nobody. Where all are held it takes what
it finds there, and only appends the charge, for the house to fold in once a second.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from sqlalchemy import TextClause, text

from sheepfold.model.accounts import AccountId
from sheepfold.model.events import Event, What
from sheepfold.model.jobs import Job, JobId
from sheepfold.model.machines import MachineId, SessionId
from sheepfold.model.tasks import LeaseId, TaskId
from sheepfold.store import events as event_rows
from sheepfold.store.database import Tx
from sheepfold.store.jobs import JOB_COLUMNS, job_in, job_of
from sheepfold.store.leases import REQUEST

NEWEST = 64
"""Among so many newest leases of a machine that of a request is looked for, whose answer was lost just now."""
BLANK_PAUSE_S = 120
"""For so long a machine leaves a task, of which it made a blank picture, to others, who may confirm it."""
LANES_AT_A_TIME = {"sqlite": 8, "postgresql": 32}
"""How many lanes a claim looks into before it asks for the next best; on PostgreSQL more than claims come at once."""
VIRTUAL_SCALE = 100
"""Virtual time is cost times this over the account's weight, which is 100 by default: then they are the same."""


@dataclass(frozen=True, slots=True)
class Claimant:
    """Who asks for work: a machine, whom its work is booked on, over which protocol and session, for how long.

    It gets nothing where it was suspended at `suspended_since` or later.
    """

    machine_id: MachineId
    account_id: AccountId
    protocol: str
    session_id: SessionId | None
    term_s: int
    suspended_since: int = 0
    figures: Mapping[str, Any] = field(default_factory=dict)
    """What its client told with its request, which is kept with the lease."""


@dataclass(frozen=True, slots=True)
class Granted:
    """A lease that was just granted, and the place of its task in the job with the digest of its own input."""

    lease_id: LeaseId
    task_id: TaskId
    job: Job
    deadline_at: int
    frame: int
    part: int
    input: str | None


@dataclass(frozen=True, slots=True)
class _Lane:
    id: int
    weight: int


def claim(tx: Tx, claimant: Claimant, needs_ids: tuple[int, ...], now: int) -> Granted | None:
    """Grant a lease on the best task whose needs are among these, and tell of it; None where there is none to grant."""
    if not needs_ids:
        return None
    return (_claim_at_once if tx.dialect.name == "postgresql" else _claim_by_lanes)(tx, claimant, needs_ids, now)


def granted_before(tx: Tx, machine_id: MachineId, request: str) -> Granted | None:
    """Return the lease that a machine's request was granted lately and that is active still; None where there is none.

    `request` is what the client called it, kept as the figure REQUEST.
    """
    for row in tx.execute(_NEWEST, {"machine_id": machine_id, "newest": NEWEST}):
        if json.loads(row.figures).get(REQUEST) == request:
            return Granted(LeaseId(row.id), TaskId(row.task_id), job_of(tx, JobId(row.job_id)), row.deadline_at,
                           row.frame, row.part, row.input)
    return None


def _claim_by_lanes(tx: Tx, claimant: Claimant, needs_ids: tuple[int, ...], now: int) -> Granted | None:
    seen: list[int] = [0]
    while lanes := _best_lanes(tx, claimant, needs_ids, seen):
        for lane in lanes:
            granted = _claim_in(tx, claimant, lane, now)
            if granted is not None:
                return granted
            seen.append(lane.id)
    return None


def _claim_at_once(tx: Tx, claimant: Claimant, needs_ids: tuple[int, ...], now: int) -> Granted | None:
    seen: list[int] = [0]
    while True:
        values = _lanes_values(claimant, needs_ids, seen) | _lease_values(claimant, now)
        row = tx.execute(_at_once_query(len(needs_ids), len(seen)), values).one()
        if row.empty is not None:
            tx.execute(_DRAIN_ALL, {"lanes": row.empty, "now": now})
        if row.lease_id is not None:
            return Granted(LeaseId(row.lease_id), TaskId(row.task_id), _job_in(tx, row), now + claimant.term_s,
                           row.frame, row.part, row.input)
        if row.seen is None:
            return None
        seen += row.seen


def _claim_in(tx: Tx, claimant: Claimant, lane: _Lane, now: int) -> Granted | None:
    values = {"lane_id": lane.id, **_lease_values(claimant, now)}
    row = tx.execute(_FIRST, values).one_or_none()
    if row is None:
        tx.execute(_DRAIN, {"lane_id": lane.id, "now": now})
        return None
    tx.execute(_TAKE, {"task_id": row.id})
    lease_id = tx.execute(_GRANT, {"task_id": row.id, **values}).scalar_one()
    tx.execute(_CHARGE, {"lane_id": lane.id, "charge": max(1, row.cost_ms * VIRTUAL_SCALE // max(1, lane.weight))})
    told = {"lease": lease_id, "machine": claimant.machine_id, "protocol": claimant.protocol}
    event_rows.add(tx, [Event(What.LEASE_GRANTED, JobId(row.job_id), TaskId(row.id), told)], now)
    return Granted(LeaseId(lease_id), TaskId(row.id), job_of(tx, JobId(row.job_id)), now + claimant.term_s, row.frame,
                   row.part, row.input)


def _job_in(tx: Tx, row: Any) -> Job:  # noqa: ANN401 -- a row
    """Return the job of a granted lease; once more where its inputs are all that its task is made of.

    These may have been replaced after the statement began, which sees them as they then were, and before it took the
    task. An input of the task's own is never replaced.
    """
    job = job_in(row)
    return job_of(tx, job.id) if job.inputs and row.input is None else job


def _lease_values(claimant: Claimant, now: int) -> dict[str, Any]:
    return {"machine_id": claimant.machine_id, "account_id": claimant.account_id, "session_id": claimant.session_id,
            "protocol": claimant.protocol, "now": now, "lately": now - BLANK_PAUSE_S,
            "deadline_at": now + claimant.term_s, "figures": json.dumps(dict(claimant.figures), sort_keys=True)}


def _lanes_values(claimant: Claimant, needs_ids: tuple[int, ...], seen: list[int]) -> dict[str, Any]:
    return ({"account_id": claimant.account_id, "machine_id": claimant.machine_id, "since": claimant.suspended_since}
            | {f"needs_{n}": needs_id for n, needs_id in enumerate(needs_ids)}
            | {f"seen_{n}": lane_id for n, lane_id in enumerate(seen)})


def _best_lanes(tx: Tx, claimant: Claimant, needs_ids: tuple[int, ...], seen: list[int]) -> list[_Lane]:
    query = _lanes_text(tx.dialect.name, len(needs_ids), len(seen))
    return [_Lane(row.id, row.weight) for row in tx.execute(query, _lanes_values(claimant, needs_ids, seen))]


@lru_cache(maxsize=256)
def _lanes_text(dialect: str, needs_count: int, seen_count: int) -> TextClause:
    return text(_lanes_query(dialect, needs_count, seen_count))


@lru_cache(maxsize=256)
def _lanes_query(dialect: str, needs_count: int, seen_count: int) -> str:
    """Return the walk over lanes for a number of needs: each by its index to a few candidates, then merged."""
    limit = LANES_AT_A_TIME[dialect]
    seen = ", ".join(f":seen_{n}" for n in range(seen_count))
    # by uq_lanes_needs_id_account_id_priority, then by ix_lanes_open
    own = """SELECT * FROM (SELECT id, account_id, priority, virtual_time, 0 AS turn FROM lanes
             WHERE drained_at IS NULL AND account_id = :account_id AND needs_id = :needs_{n} AND id NOT IN ({seen})
             ORDER BY priority DESC, virtual_time LIMIT {limit}) AS own_{n}"""
    all_ = """SELECT * FROM (SELECT id, account_id, priority, virtual_time, 1 AS turn FROM lanes
              WHERE drained_at IS NULL AND needs_id = :needs_{n} AND id NOT IN ({seen})
              ORDER BY priority DESC, virtual_time LIMIT {limit}) AS all_{n}"""
    walks = [walk.format(n=n, limit=limit, seen=seen) for n in range(needs_count) for walk in (own, all_)]
    return f"""
        SELECT c.id, (SELECT weight * favour FROM accounts WHERE id = c.account_id) AS weight,
               min(c.turn) AS turn, c.priority
        FROM ({" UNION ALL ".join(walks)}) AS c
        WHERE NOT EXISTS (SELECT 1 FROM machines WHERE id = :machine_id AND suspended_at >= :since)
        GROUP BY c.id, c.account_id, c.priority, c.virtual_time
        ORDER BY min(c.turn), c.priority DESC, c.virtual_time LIMIT {limit}
    """  # noqa: S608 -- made of constants and counted parameter names


def plans(tx: Tx, claimant: Claimant, needs_ids: tuple[int, ...]) -> dict[str, list[str]]:
    """Return the database's own plans of what a claim searches; on PostgreSQL of one that is undone."""
    values = _lanes_values(claimant, needs_ids, [0]) | _lease_values(claimant, 0)
    if tx.dialect.name == "postgresql":
        tx.control("SAVEPOINT plans")
        explained = text("EXPLAIN (ANALYZE, COSTS OFF, SUMMARY OFF)" + _at_once_query(len(needs_ids), 1).text)
        found = {"a claim": [str(row[-1]) for row in tx.execute(explained, values)]}
        tx.control("ROLLBACK TO plans")
        return found
    values["lane_id"] = next((lane.id for lane in _best_lanes(tx, claimant, needs_ids, [0])), 0)
    queries = {"the best lanes": _lanes_query("sqlite", len(needs_ids), 1), "a lane's first task": _FIRST.text}
    return {name: [str(row[-1]) for row in tx.execute(text(f"EXPLAIN QUERY PLAN {query}"), values)]
            for name, query in queries.items()}


# by ix_tasks_open; a machine takes no task that it holds already, that waits for others to confirm what it sent (for a
# while, where that was blank), or whose job it refused. The lane is asked for as a range and ordered by: else
# PostgreSQL may walk all tasks by their id. For tables of few rows it plans to walk all that the machine ever sent, for
# each task, or all that there is, or is active, for all tasks: `+ 0`, `|| ''` and the limits keep it from that
_FIRST_OF = """
    SELECT t.id, t.job_id, t.cost_ms, t.frame, t.part, t.input FROM tasks t
    WHERE t.lane_id >= {lane} AND t.lane_id <= {lane} AND t.openings > 0
      AND NOT EXISTS (SELECT 1 FROM leases l
                      WHERE l.task_id = t.id AND l.machine_id + 0 = :machine_id AND l.state || '' = 'active'
                      LIMIT 1 OFFSET 0)
      AND NOT EXISTS (SELECT 1 FROM results r
                      WHERE r.task_id = t.id AND r.machine_id + 0 = :machine_id
                        AND r.verdict = 'pending' AND (r.soundness <> 'blank' OR r.submitted_at > :lately)
                      LIMIT 1 OFFSET 0)
      AND NOT EXISTS (SELECT 1 FROM refusals f
                      WHERE f.machine_id = :machine_id AND f.job_id = t.job_id AND f.until_at > :now
                      LIMIT 1 OFFSET 0)
    ORDER BY t.lane_id, t.id LIMIT 1
"""
_FIRST = text(_FIRST_OF.format(lane=":lane_id"))
_TAKE = text("UPDATE tasks SET openings = openings - 1 WHERE id = :task_id")
_GRANT = text("""
    INSERT INTO leases (task_id, machine_id, account_id, session_id, protocol, state, granted_at, deadline_at, figures)
    VALUES (:task_id, :machine_id, :account_id, :session_id, :protocol, 'active', :now, :deadline_at, :figures)
    RETURNING id
""")
# by ix_leases_machine_id_id
_NEWEST = text("""
    SELECT l.id, l.task_id, t.job_id, l.deadline_at, l.figures, t.frame, t.part, t.input
    FROM (SELECT id, task_id, state, deadline_at, figures FROM leases
          WHERE machine_id = :machine_id ORDER BY id DESC LIMIT :newest) l
    JOIN tasks t ON t.id = l.task_id WHERE l.state = 'active'
""")
_CHARGE = text("UPDATE lanes SET virtual_time = virtual_time + :charge WHERE id = :lane_id")
# only a lane that is empty for everybody: this machine may have been refused what others may take
_IS_EMPTY = "NOT EXISTS (SELECT 1 FROM tasks e WHERE e.lane_id = {lane} AND e.openings > 0)"
_DRAIN_ONE = "UPDATE lanes SET drained_at = :now WHERE id = :lane_id AND "
_DRAIN = text(_DRAIN_ONE + _IS_EMPTY.format(lane=":lane_id"))
# who finds a lane locked leaves it to the other: two that drain several lanes each would wait for one another
_DRAIN_SOME = """
    UPDATE lanes SET drained_at = :now
    WHERE id IN (SELECT id FROM lanes WHERE id = ANY(:lanes) ORDER BY id FOR NO KEY UPDATE SKIP LOCKED) AND
"""
_DRAIN_ALL = text(_DRAIN_SOME + _IS_EMPTY.format(lane="lanes.id"))


@lru_cache(maxsize=256)
def _at_once_query(needs_count: int, seen_count: int) -> TextClause:
    """Return PostgreSQL's whole claim: the best lanes, a task of one of them, its lease, its event, the lane's charge.

    Both tries walk the lanes in their order and end with the first task. The first holds each lane that it looks into,
    and passes over those that another claim holds, among the lanes of the highest rank only: so neither one's own work
    nor a higher priority waits because another claim is at it. `seen` are the lanes where nothing was found, `empty`
    those of them, or before the one that was found, which nobody may find anything in.
    """
    first = f"{_FIRST_OF.format(lane='tries.lane_id')} FOR UPDATE OF t SKIP LOCKED"
    return text(f"""
        WITH best AS MATERIALIZED (
            SELECT *, row_number() OVER () AS place
            FROM ({_lanes_query("postgresql", needs_count, seen_count)}) AS ordered),
        first AS MATERIALIZED (
            SELECT tries.*, t.* FROM (
                SELECT b.id AS lane_id, b.place, b.weight FROM best b
                CROSS JOIN LATERAL (SELECT id FROM lanes WHERE id = b.id FOR NO KEY UPDATE SKIP LOCKED) AS held
                WHERE (b.turn, b.priority) = (SELECT turn, priority FROM best WHERE place = 1)
                UNION ALL
                SELECT id, place, weight FROM best
            ) AS tries CROSS JOIN LATERAL ({first}) AS t LIMIT 1),
        taken AS (UPDATE tasks SET openings = openings - 1 FROM first WHERE tasks.id = first.id),
        granted AS (
            INSERT INTO leases (task_id, machine_id, account_id, session_id, protocol, state, granted_at, deadline_at,
                                figures)
            SELECT id, :machine_id, :account_id, :session_id, :protocol, 'active', :now, :deadline_at, :figures
            FROM first
            RETURNING id AS lease_id, machine_id, protocol),
        told AS (
            INSERT INTO events (at, job_id, task_id, what, detail)
            SELECT :now, job_id, id, '{What.LEASE_GRANTED}', format(
                '{{"lease": %s, "machine": %s, "protocol": %s}}', lease_id, machine_id, to_json(protocol))
            FROM first, granted),
        charge AS (
            SELECT lane_id, greatest(1, cost_ms * {VIRTUAL_SCALE} / greatest(1, weight)) AS charge FROM first),
        charged AS (
            UPDATE lanes SET virtual_time = virtual_time + charge FROM charge
            WHERE id = (SELECT l.id FROM lanes l JOIN charge c ON l.id = c.lane_id
                        FOR NO KEY UPDATE OF l SKIP LOCKED) RETURNING id),
        owed AS (
            INSERT INTO lane_charges (lane_id, charge)
            SELECT lane_id, charge FROM charge WHERE NOT EXISTS (SELECT 1 FROM charged)),
        walked AS (SELECT id FROM best WHERE place < coalesce((SELECT place FROM first), place + 1))
        SELECT granted.lease_id, first.id AS task_id, first.frame, first.part, first.input,
               {JOB_COLUMNS["postgresql"]},
               (SELECT array_agg(id) FROM walked WHERE {_IS_EMPTY.format(lane="walked.id")}) AS empty,
               (SELECT array_agg(id) FROM walked) AS seen
        FROM (SELECT 1) AS always LEFT JOIN (
            first CROSS JOIN granted JOIN jobs j ON j.id = first.job_id) ON TRUE
    """)  # noqa: S608 -- made of constants and counted parameter names
