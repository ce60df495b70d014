"""Problem reports: what people find wrong with a picture and no inspection does, such as a menu that is there twice."""

from collections import defaultdict
from collections.abc import Mapping

from sheepfold.farm.farm import Farm
from sheepfold.model.accounts import Account
from sheepfold.model.errors import BadInput, Conflict
from sheepfold.model.events import Event, What
from sheepfold.model.jobs import JobId
from sheepfold.model.lifecycle import picture_of
from sheepfold.model.tasks import TaskId
from sheepfold.store import events as event_rows
from sheepfold.store import tasks as task_rows
from sheepfold.store.database import Tx

LONGEST = 500
MOST = 100
"""How many reports a job takes."""


class BadReport(BadInput):
    """A report says nothing, or too much."""


def report_problem(farm: Farm, account: Account, task_id: TaskId, text: str) -> JobId:
    """Write down what somebody finds wrong with a task's picture, in its story; returns the task's job.

    Raises UnknownTask, BadReport for a text that is empty, not printable or longer than LONGEST characters, and
    Conflict where there is no picture yet, or the job has MOST reports already.
    """
    said = text.strip()
    if not said or len(said) > LONGEST or not said.isprintable():
        raise BadReport(f"Say what is wrong in 1 to {LONGEST} printable characters.")

    def report(tx: Tx) -> JobId:
        task = task_rows.load(tx, task_id, lock=False)
        if picture_of(task) is None:
            raise Conflict(f"Task {task_id} has no picture yet.")
        if len(event_rows.of_job(tx, task.job_id, What.PROBLEM_REPORTED)) >= MOST:
            raise Conflict(f"Job {task.job_id} has {MOST} reports already.")
        told = {"account": account.name, "text": said}
        event_rows.add(tx, [Event(What.PROBLEM_REPORTED, task.job_id, task_id, told)], farm.now())
        return task.job_id

    return farm.db.write(report)


def problems_of(farm: Farm, job_id: JobId) -> Mapping[TaskId, list[Event]]:
    """Return what was reported of a job's pictures, by task, the oldest first."""
    found: dict[TaskId, list[Event]] = defaultdict(list)
    for event in farm.db.read(lambda tx: event_rows.of_job(tx, job_id, What.PROBLEM_REPORTED)):
        if event.task_id is not None:
            found[event.task_id].append(event)
    return found
