"""Repeating: a frame that is done or has failed is rendered once more; what it has stays shown and paid meanwhile."""

from sheepfold.farm.farm import Farm
from sheepfold.farm.settlement import settle
from sheepfold.model import lifecycle
from sheepfold.model.accounts import Account, Role
from sheepfold.model.errors import Conflict, Forbidden, JobEnded, UnknownTask
from sheepfold.model.jobs import Job, JobId, JobState
from sheepfold.model.tasks import Task, TaskId, TaskState
from sheepfold.store import jobs as job_rows
from sheepfold.store import tasks as task_rows
from sheepfold.store.database import Tx


def render_again(farm: Farm, account: Account, job_id: JobId, frame: int, part: int | None = None) -> Job:
    """Open a frame of a job of this account anew, or of any as the owner: all its parts, or the one named.

    The job runs again until the frame has ended again, and what is made of it is then made anew. Raises UnknownJob,
    Forbidden, JobEnded for a canceled job, UnknownTask, and Conflict where the frame is being made already.
    """

    def reopen(tx: Tx) -> Job:
        job = job_rows.job_of(tx, job_id)
        _check(account, job)
        now = farm.now()
        tasks = [task_rows.load(tx, task_id, lock=True) for task_id in _tasks_at(tx, job_id, frame, part)]
        ended = [task for task in tasks if task.state is not TaskState.OPEN]
        if not ended:
            raise Conflict(f"Frame {frame} of job {job_id} is being made already.")
        for task in ended:
            settle(tx, task, lifecycle.reopen(task, now), now, {"reason": f"{account.name} wants it anew."})
        return job_rows.job_of(tx, job_id)

    return farm.db.write(reopen)


def render_task_again(farm: Farm, account: Account, task_id: TaskId) -> Task:
    """Open one task anew; returns it. Raises as `render_again`."""
    task = farm.db.read(lambda tx: task_rows.load(tx, task_id, lock=False))
    render_again(farm, account, task.job_id, task.frame, task.part)
    return task


def _check(account: Account, job: Job) -> None:
    if job.account_id != account.id and account.role is not Role.OWNER:
        raise Forbidden(f"Job {job.id} belongs to another account.")
    if not account.role.covers(Role.ARTIST):
        raise Forbidden(f"{account.name} is a {account.role} and may not order.")
    if job.state is JobState.CANCELED:
        raise JobEnded(f"Job {job.id} was canceled; order its frames anew.")


def _tasks_at(tx: Tx, job_id: JobId, frame: int, part: int | None) -> list[TaskId]:
    if part is not None:
        return [task_rows.find_task(tx, job_id, frame, part)]
    found = task_rows.tasks_of_frame(tx, job_id, frame)
    if not found:
        raise UnknownTask(f"Job {job_id} has no frame {frame}.")
    return found
