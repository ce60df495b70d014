"""Rows of jobs: what was ordered, with its inputs and its counts of tasks."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import insert, or_, select, text

from sheepfold.model.accounts import AccountId
from sheepfold.model.errors import UnknownJob
from sheepfold.model.flock import SheepId
from sheepfold.model.jobs import Job, JobId, JobState, Progress, Terms
from sheepfold.model.tasks import TaskId
from sheepfold.store import schema
from sheepfold.store.database import Question, Tx
from sheepfold.store.teams import seen_in_team


@dataclass(frozen=True, slots=True)
class NewTask:
    """A task as it is ordered: which lane it queues in, what it costs, and the blob made for it alone."""

    frame: int
    part: int
    lane_id: int
    cost_ms: int
    input: str | None


def add_job(tx: Tx, job: Job) -> JobId:
    """Add a job with its inputs' names; its own id is ignored, the new one returned."""
    values = {
        "account_id": job.account_id,
        "kind": job.kind,
        "title": job.title,
        "spec": json.dumps(job.spec, sort_keys=True),
        "priority": job.terms.priority,
        "quorum": job.terms.quorum,
        "max_attempts": job.terms.max_attempts,
        "state": job.state,
        "private_at": job.private_at,
        "tasks_total": job.progress.total,
        "created_at": job.created_at,
    }
    job_id = JobId(tx.execute(insert(schema.jobs).values(values).returning(schema.jobs.c.id)).scalar_one())
    if job.inputs:
        rows = [{"job_id": job_id, "name": name, "digest": digest} for name, digest in job.inputs.items()]
        tx.execute(insert(schema.job_inputs), rows)
    return job_id


def add_tasks(tx: Tx, job_id: JobId, openings: int, tasks: Iterable[NewTask]) -> None:
    """Add a job's tasks, each with as many openings as the job's quorum asks for."""
    rows = [
        {"job_id": job_id, "lane_id": task.lane_id, "frame": task.frame, "part": task.part, "state": "open",
         "openings": openings, "cost_ms": task.cost_ms, "input": task.input}
        for task in tasks
    ]
    tx.execute(insert(schema.tasks), rows)


# with its inputs in one statement, since both a claim and a result read it
_COLUMNS = """
    j.id, j.account_id, j.kind, j.title, j.spec, j.revision, j.priority, j.quorum, j.max_attempts, j.state,
    j.private_at, j.tasks_total, j.tasks_done, j.tasks_failed, j.created_at, j.ended_at, j.kept_at, j.cleared_at,
    j.emptied_at, ({inputs}) AS inputs
"""
JOB_COLUMNS = {
    "sqlite": _COLUMNS.format(
        inputs="SELECT json_group_object(i.name, i.digest) FROM job_inputs i WHERE i.job_id = j.id"),
    "postgresql": _COLUMNS.format(
        inputs="SELECT CAST(json_object_agg(i.name, i.digest) AS text) FROM job_inputs i WHERE i.job_id = j.id"),
}
"""What `job_in` reads of a table `jobs j`."""
_JOB_OF = {dialect: text(f"SELECT {columns} FROM jobs j WHERE j.id = :job_id")  # noqa: S608 -- made of constants
           for dialect, columns in JOB_COLUMNS.items()}
_JOB_OF_SHEEP = {dialect: text(query.text.replace(
    "id = :job_id", "id = (SELECT job_id FROM sheep WHERE generation = :generation AND number = :number)"))
    for dialect, query in _JOB_OF.items()}
_JOB_OF_TASK = {dialect: text(query.text.replace("id = :job_id", "id = (SELECT job_id FROM tasks WHERE id = :task_id)"))
                for dialect, query in _JOB_OF.items()}
_INPUTS = text("SELECT name, digest FROM job_inputs WHERE job_id = :job_id")


def job_of(tx: Tx, job_id: JobId) -> Job:
    """Return a job whole; raises UnknownJob."""
    return job_among(tx.execute(*job_asked(tx, job_id)).all(), job_id)


def job_asked(tx: Tx, job_id: JobId) -> Question:
    """Return the question that `job_among` reads the answer of, to be asked along with others."""
    return _JOB_OF[tx.dialect.name], {"job_id": job_id}


def job_of_task_asked(tx: Tx, task_id: TaskId) -> Question:
    """Return the question for the job of a task."""
    return _JOB_OF_TASK[tx.dialect.name], {"task_id": task_id}


def job_among(rows: Sequence[Any], job_id: JobId) -> Job:
    """Return the job that the only row tells of; raises UnknownJob where there is no row."""
    if not rows:
        raise UnknownJob(f"There is no job {job_id}.")
    return job_in(rows[0])


def job_in(row: Any) -> Job:  # noqa: ANN401 -- a row
    """Return the job that a row tells of, in JOB_COLUMNS."""
    return _job(row, json.loads(row.inputs or "{}"))


def find_job_of_sheep(tx: Tx, sheep_id: SheepId) -> Job | None:
    """Return the job that a sheep is, or None."""
    values = {"generation": sheep_id.generation, "number": sheep_id.number}
    row = tx.execute(_JOB_OF_SHEEP[tx.dialect.name], values).one_or_none()
    return None if row is None else job_in(row)


def inputs_of(tx: Tx, job_id: JobId) -> dict[str, str]:
    """Return the digests of a job's inputs by name."""
    return {row.name: row.digest for row in tx.execute(_INPUTS, {"job_id": job_id})}


def list_jobs(tx: Tx, limit: int, before: JobId | None = None, account_id: AccountId | None = None,
              seen_by: AccountId | None = None) -> list[Job]:
    """Return the newest jobs without their inputs, those before an id where one is given, of one account or of all.

    `seen_by` leaves out the private jobs of others that its team does not see; 0 is a visitor, to whom all are others.
    """
    query = select(schema.jobs).order_by(schema.jobs.c.id.desc()).limit(limit)
    if before is not None:
        query = query.where(schema.jobs.c.id < before)
    if account_id is not None:
        query = query.where(schema.jobs.c.account_id == account_id)
    if seen_by is not None:
        mine = or_(schema.jobs.c.account_id == seen_by, schema.jobs.c.id.in_(seen_in_team(seen_by)))
        query = query.where(or_(schema.jobs.c.private_at.is_(None), mine))
    return [_job(row, {}) for row in tx.execute(query)]


# by pk_job_inputs, pk_jobs
_REPLACE = text("UPDATE job_inputs SET digest = :digest WHERE job_id = :job_id AND name = :name")
_REVISE = text("UPDATE jobs SET revision = revision + 1 WHERE id = :job_id RETURNING revision")


def replace_input(tx: Tx, job_id: JobId, name: str, digest: str) -> int:
    """Have a job's input be another blob, which must be named before; returns the job's new revision."""
    tx.execute(_REPLACE, {"job_id": job_id, "name": name, "digest": digest})
    return int(tx.execute(_REVISE, {"job_id": job_id}).scalar_one())


# by pk_jobs
_COUNT = text("""
    UPDATE jobs SET tasks_done = tasks_done + :done, tasks_failed = tasks_failed + :failed WHERE id = :job_id
    RETURNING tasks_total, tasks_done, tasks_failed
""")
# divides by 0 where none would be left
_COUNT_SOME_OF_MANY = text("""
    UPDATE jobs SET tasks_done = tasks_done + :done, tasks_failed = tasks_failed + :failed
    WHERE id = :job_id AND 1 / greatest(0, tasks_total - tasks_done - tasks_failed - :done - :failed) >= 0
""")
_REOPEN = text("UPDATE jobs SET state = 'running', ended_at = NULL WHERE id = :job_id AND state IN ('done', 'failed')")
_END = text("UPDATE jobs SET state = :state, ended_at = :now WHERE id = :job_id AND state = 'running'")


def count_ended(tx: Tx, job_id: JobId, *, done: int, failed: int, left: int = 0) -> Progress | None:
    """Count tasks that ended; returns how far the job has come with them.

    Where more than these were `left` just now, PostgreSQL counts them as it commits, and this returns None; if they
    have become the last ones meanwhile, that fails, and the transaction runs again (`postgres._TRY_AGAIN`).
    """
    if left > done + failed and tx.dialect.name == "postgresql":
        tx.later(_COUNT_SOME_OF_MANY, {"job_id": job_id, "done": done, "failed": failed})
        return None
    row = tx.together(_COUNT, {"job_id": job_id, "done": done, "failed": failed}).one()
    return Progress(row.tasks_total, row.tasks_done, row.tasks_failed)


def end_job(tx: Tx, job_id: JobId, state: JobState, now: int) -> bool:
    """End a running job; False when it had ended already."""
    return tx.execute(_END, {"job_id": job_id, "state": state, "now": now}).rowcount > 0


# where the job is still as it was when the new frames were found
_EXTEND = text("""
    UPDATE jobs SET spec = :spec, tasks_total = tasks_total + :count
    WHERE id = :job_id AND tasks_total = :known AND revision = :revision
""")


def extend_job(tx: Tx, job: Job, count: int, known: int) -> bool:
    """Write the spec of a job that gets more tasks; False where it has not the tasks, or the revision, it had."""
    values = {"job_id": job.id, "spec": json.dumps(job.spec, sort_keys=True), "count": count, "known": known,
              "revision": job.revision}
    return tx.execute(_EXTEND, values).rowcount > 0


def reopen_job(tx: Tx, job_id: JobId) -> bool:
    """Have an ended job run again, since a task of it is open again; False where it runs already, or was canceled."""
    return tx.execute(_REOPEN, {"job_id": job_id}).rowcount > 0


def _job(row: Any, inputs: Mapping[str, str]) -> Job:  # noqa: ANN401
    return Job(
        id=JobId(row.id),
        account_id=AccountId(row.account_id),
        kind=row.kind,
        title=row.title,
        spec=json.loads(row.spec),
        terms=Terms(row.priority, row.quorum, row.max_attempts),
        state=JobState(row.state),
        created_at=row.created_at,
        ended_at=row.ended_at,
        revision=row.revision,
        private_at=row.private_at,
        kept_at=row.kept_at,
        cleared_at=row.cleared_at,
        emptied_at=row.emptied_at,
        progress=Progress(row.tasks_total, row.tasks_done, row.tasks_failed),
        inputs=inputs,
    )
