"""What changed on a page since its pictures were accepted, over the wire."""

from typing import Annotated

from fastapi import APIRouter, Path

from sheepfold.farm import baselines
from sheepfold.farm.baselines import Changes
from sheepfold.model.jobs import JobId
from sheepfold.protocols.rest import wire
from sheepfold.protocols.rest.bodies import JsonRoute
from sheepfold.protocols.rest.callers import CancelerHere, FarmHere
from sheepfold.protocols.rest.change_wire import ChangesOut, ViewOut
from sheepfold.protocols.rest.sight import SEEN

router = APIRouter(tags=["jobs"], route_class=JsonRoute, dependencies=SEEN)
JobInPath = Annotated[int, Path(ge=0, le=wire.MOST_ID, description="The job's id.")]


@router.get("/jobs/{job_id}/changes", summary="See what changed on a page")
def get_changes(farm: FarmHere, job_id: JobInPath) -> ChangesOut:
    """See how a job's pictures differ from the accepted ones; 404 where its order names no baseline."""
    return changes_out(baselines.changes_of(farm, JobId(job_id)))


@router.post("/jobs/{job_id}/accept", summary="Accept a job's pictures")
def accept(farm: FarmHere, account: CancelerHere, job_id: JobInPath) -> ChangesOut:
    """Accept a done job's pictures: later ones of the same baseline are held against them."""
    baselines.accept(farm, account, JobId(job_id))
    return changes_out(baselines.changes_of(farm, JobId(job_id)))


def changes_out(found: Changes) -> ChangesOut:
    """Write what has changed for the wire."""
    return ChangesOut(job=found.job.id, baseline=found.baseline, accepted=found.is_accepted,
                      views=[ViewOut.model_validate(view) for view in found.views])
