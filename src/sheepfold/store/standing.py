"""Figures over many rows that a client shows: what a session earned, how much work there is, who is connected."""

from dataclasses import dataclass

from sqlalchemy import text

from sheepfold.model.credit import Millipoints
from sheepfold.model.machines import MachineId, SessionId
from sheepfold.store.database import Tx


@dataclass(frozen=True, slots=True)
class RunningWork:
    """The running jobs of a kind: how many, how many tasks they lack, and how many have a task to give."""

    jobs: int
    tasks_open: int
    jobs_with_openings: int


# by ix_leases_session_id, then uq_results_lease_id_digest, then uq_ledger_result_id
_EARNED = text("""
    SELECT coalesce(sum(g.millipoints), 0) FROM leases l
    JOIN results r ON r.lease_id = l.id JOIN ledger g ON g.result_id = r.id WHERE l.session_id = :session_id
""")
_RUNNING = text("""
    SELECT count(*) AS jobs, coalesce(sum(tasks_total - tasks_done - tasks_failed), 0) AS tasks_open,
           coalesce(sum(CASE WHEN EXISTS (SELECT 1 FROM tasks t WHERE t.job_id = j.id AND t.openings > 0)
                             THEN 1 ELSE 0 END), 0) AS with_openings
    FROM jobs j WHERE state = 'running' AND kind = :kind
""")
_HEARD_OF = text("SELECT count(*) FROM machines WHERE last_seen_at >= :since")
# by ix_results_machine_id_id
_LAST_PICTURE = text("""
    SELECT digest, media_type FROM results WHERE machine_id = :machine_id AND verdict = 'valid' ORDER BY id DESC LIMIT 1
""")


def earned_in_session(tx: Tx, session_id: SessionId) -> Millipoints:
    """Return what the leases of a session have earned."""
    return Millipoints(int(tx.execute(_EARNED, {"session_id": session_id}).scalar_one()))


def running_work(tx: Tx, kind: str) -> RunningWork:
    """Count the running jobs of a kind and what they lack."""
    row = tx.execute(_RUNNING, {"kind": kind}).one()
    return RunningWork(int(row.jobs), int(row.tasks_open), int(row.with_openings))


def machines_heard_of(tx: Tx, since: int) -> int:
    """Count the machines that were heard of since a time."""
    return int(tx.execute(_HEARD_OF, {"since": since}).scalar_one())


def last_picture(tx: Tx, machine_id: MachineId) -> tuple[str, str] | None:
    """Return the digest and media type of a machine's newest valid picture, None where it made none."""
    row = tx.execute(_LAST_PICTURE, {"machine_id": machine_id}).one_or_none()
    return None if row is None else (row.digest, row.media_type)
