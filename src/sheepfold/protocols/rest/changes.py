"""What people ask about pictures of pages: what changed since they were accepted, and what is wrong with one."""


from fastapi import APIRouter

from sheepfold.farm import baselines
from sheepfold.farm.baselines import Changes
from sheepfold.farm.problems import report_problem
from sheepfold.model.jobs import JobId
from sheepfold.model.tasks import TaskId
from sheepfold.protocols.rest.bodies import JsonRoute
from sheepfold.protocols.rest.callers import CancelerHere, FarmHere, KeyHolderHere
from sheepfold.protocols.rest.change_wire import ChangesOut, ProblemReport, ViewOut
from sheepfold.protocols.rest.paths import JobInPath, TaskInPath
from sheepfold.protocols.rest.sight import SEEN

router = APIRouter(tags=["jobs"], route_class=JsonRoute, dependencies=SEEN)


@router.get("/jobs/{job_id}/changes", summary="See what changed on a page")
def get_changes(farm: FarmHere, job_id: JobInPath) -> ChangesOut:
    """See how a job's pictures differ from the accepted ones; 404 where its order names no baseline."""
    return changes_out(baselines.changes_of(farm, JobId(job_id)))


@router.post("/jobs/{job_id}/accept", summary="Accept a job's pictures")
def accept(farm: FarmHere, account: CancelerHere, job_id: JobInPath) -> ChangesOut:
    """Accept a done job's pictures: later ones of the same baseline are held against them."""
    baselines.accept(farm, account, JobId(job_id))
    return changes_out(baselines.changes_of(farm, JobId(job_id)))


@router.post("/tasks/{task_id}/problems", status_code=204, summary="Report a problem")
def add_problem(farm: FarmHere, holder: KeyHolderHere, task_id: TaskInPath, found: ProblemReport) -> None:
    """Say what is wrong with a task's picture; it stands in its story, and beside the picture on the farm's pages."""
    report_problem(farm, holder.account, TaskId(task_id), found.text)


def changes_out(found: Changes) -> ChangesOut:
    """Write what has changed for the wire."""
    return ChangesOut(job=found.job.id, baseline=found.baseline, accepted=found.is_accepted,
                      views=[ViewOut.model_validate(view) for view in found.views])
