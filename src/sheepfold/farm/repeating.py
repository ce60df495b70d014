"""Repeating: a frame that is done or has failed is rendered once more; what it has stays shown and paid meanwhile."""

from sheepfold.farm.farm import Farm
from sheepfold.farm.retention import check_there
from sheepfold.farm.rights import check_may_order, own_job
from sheepfold.farm.settlement import settle
from sheepfold.model import lifecycle
from sheepfold.model.accounts import Account
from sheepfold.model.errors import Conflict, JobEnded, UnknownTask
from sheepfold.model.jobs import Job, JobId, JobState
from sheepfold.model.tasks import Task, TaskId, TaskState
from sheepfold.store import tasks as task_rows
from sheepfold.store.database import Tx


def render_again(farm: Farm, account: Account, job_id: JobId, frame: int, part: int | None = None) -> Job:
    """Open a frame of a job of this account anew, or of any as the owner: all its parts, or the one named.

    The job runs again until the frame has ended again, and what is made of it is then made anew. Raises UnknownJob,
    Forbidden, JobEnded for a canceled job, Cleared for one without pictures, UnknownTask, and Conflict where the
    frame is being made already.
    """

    def reopen(tx: Tx) -> Job:
        renewable_job(tx, account, job_id)
        now = farm.now()
        tasks = [task_rows.load(tx, task_id, lock=True) for task_id in _tasks_at(tx, job_id, frame, part)]
        ended = [task for task in tasks if task.state is not TaskState.OPEN]
        if not ended:
            raise Conflict(f"Frame {frame} of job {job_id} is being made already.")
        for task in ended:
            settle(tx, task, lifecycle.reopen(task, now), now, {"reason": f"{account.name} wants it anew."})
        return renewable_job(tx, account, job_id)  # once more, now that its row is ours: it may be canceled or cleared

    return farm.db.write(reopen)


def render_task_again(farm: Farm, account: Account, task_id: TaskId) -> Task:
    """Open one task anew; returns it. Raises as `render_again`."""
    task = farm.db.read(lambda tx: task_rows.load(tx, task_id, lock=False))
    render_again(farm, account, task.job_id, task.frame, task.part)
    return task


def renewable_job(tx: Tx, account: Account, job_id: JobId) -> Job:
    """Return a job that an account may have more of rendered; raises UnknownJob, Forbidden, JobEnded, Cleared."""
    job = own_job(tx, account, job_id)
    check_may_order(account)
    if job.state is JobState.CANCELED:
        raise JobEnded(f"Job {job_id} was canceled; order its frames anew.")
    check_there(job)
    return job


def _tasks_at(tx: Tx, job_id: JobId, frame: int, part: int | None) -> list[TaskId]:
    if part is not None:
        return [task_rows.find_task(tx, job_id, frame, part)]
    found = task_rows.tasks_of_frame(tx, job_id, frame)
    if not found:
        raise UnknownTask(f"Job {job_id} has no frame {frame}.")
    return found
