"""Extending: more frames of a job that was ordered, whether it still runs or is done."""

from dataclasses import replace

from sheepfold.blobs.spool import Digest
from sheepfold.farm.farm import Farm
from sheepfold.farm.orders import queue_tasks
from sheepfold.farm.passing import passing_folder
from sheepfold.farm.repeating import renewable_job
from sheepfold.kinds.registry import module_of, optional_module_of
from sheepfold.kinds.seam import Spec, TaskDraft
from sheepfold.model.accounts import Account
from sheepfold.model.errors import Conflict, InvalidSpec
from sheepfold.model.events import Event, What
from sheepfold.model.jobs import Job, JobId
from sheepfold.store import events as event_rows
from sheepfold.store import jobs as job_rows
from sheepfold.store import tasks as task_rows
from sheepfold.store.database import Tx


def can_extend(kind: str) -> bool:
    """Say whether jobs of a kind can get more frames."""
    return optional_module_of(kind, "extend") is not None


def extend_job(farm: Farm, account: Account, job_id: JobId, frames: str) -> Job:
    """Add frames to a job of this account, or to any as the owner; those that it has already stay as they are.

    A job that has ended runs again, and what is made of it is made anew. `frames` is written as the kind's orders
    write it. Raises UnknownJob, Forbidden, JobEnded for a canceled job, Cleared for one whose pictures are gone,
    InvalidSpec with a sentence for the artist, Conflict where somebody else extended it or replaced its input in the
    same moment, and StoreUnavailable where the disk is full.
    """
    job = farm.db.read(lambda tx: renewable_job(tx, account, job_id))
    module = optional_module_of(job.kind, "extend")
    if module is None:
        raise InvalidSpec(f"The frames of a {job.kind} are all that it can have; order another one.")
    spec: Spec = module.extend(job.spec, frames)
    with passing_folder(farm, "extend") as folder:
        inputs = {name: farm.blobs.local_path(Digest(digest), folder) for name, digest in job.inputs.items()}
        drafts = module_of(job.kind, "split").split(spec, inputs, folder)
    return farm.db.write(lambda tx: _extended(tx, account, replace(job, spec=spec), drafts, farm.now()))


def _extended(tx: Tx, account: Account, wanted: Job, drafts: list[TaskDraft], now: int) -> Job:
    known = {(task.frame, task.part) for task in task_rows.rows_of_job(tx, wanted.id)}
    new = [draft for draft in drafts if (draft.frame, draft.part) not in known]
    if not new:
        raise InvalidSpec("The job has all of these frames already.")
    renewable_job(tx, account, wanted.id)
    if not job_rows.extend_job(tx, wanted, len(new), len(known)):
        raise Conflict("Somebody else changed this job in the same moment; look at it, and try again.")
    queue_tasks(tx, job_rows.job_of(tx, wanted.id), ((draft, None) for draft in new))
    events = [Event(What.JOB_REOPENED, wanted.id)] if job_rows.reopen_job(tx, wanted.id) else []
    events.append(Event(What.JOB_EXTENDED, wanted.id, None, {"frames": len(new), "account": account.name}))
    event_rows.add(tx, events, now)
    return renewable_job(tx, account, wanted.id)  # once more, now that its row is ours: it may have been cleared
