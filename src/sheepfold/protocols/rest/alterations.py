"""What customers change of their jobs: priority, privacy, more frames, a frame or film anew, links that show one."""


from fastapi import APIRouter, Request

from sheepfold.farm import sight
from sheepfold.farm.browse import view_job
from sheepfold.farm.extending import extend_job
from sheepfold.farm.remaking import remake
from sheepfold.farm.repeating import render_again
from sheepfold.farm.retention import keep_job
from sheepfold.farm.views import prioritise
from sheepfold.model.jobs import JobId
from sheepfold.protocols.opening import opened
from sheepfold.protocols.rest import wire
from sheepfold.protocols.rest.callers import CancelerHere, CustomerHere, FarmHere
from sheepfold.protocols.rest.making import MakingRoute
from sheepfold.protocols.rest.paths import JobInPath
from sheepfold.protocols.rest.sight import SEEN
from sheepfold.protocols.uploads import base_url

router = APIRouter(tags=["jobs"], route_class=MakingRoute, dependencies=SEEN)


@router.patch("/jobs/{job_id}", summary="Change a job")
def change_job(farm: FarmHere, account: CancelerHere, job_id: JobInPath, asked: wire.JobChange) -> wire.JobSummary:
    """Change the priority of a running job, hide a job from others (`private`) and show it again, or keep its pictures
    for ever (`kept`), whatever the farm clears, and no longer than others'; 410 where they are cleared already.
    """
    job = view_job(farm, JobId(job_id)).job
    if asked.private is not None:
        job = sight.set_private(farm, account, job.id, is_private=asked.private)
    if asked.kept is not None:
        job = keep_job(farm, account, job.id, is_kept=asked.kept)
    if asked.priority is not None:
        job = prioritise(farm, account, job.id, asked.priority)
    return wire.JobSummary.of(job)


@router.post("/jobs/{job_id}/frames", summary="Add frames to a job")
async def add_frames(
    request: Request, farm: FarmHere, account: CustomerHere, job_id: JobInPath, asked: wire.MoreFrames
) -> wire.JobSummary:
    """Add frames to a job, running or done; those that it has already stay. Only some kinds can: `blender` can."""
    return wire.JobSummary.of(await opened(request, extend_job, farm, account, JobId(job_id), asked.frames))


@router.post("/jobs/{job_id}/again", summary="Render a frame once more")
def add_again(farm: FarmHere, account: CustomerHere, job_id: JobInPath, asked: wire.FrameAgain) -> wire.JobSummary:
    """Open a frame that is done or has failed anew, with all its parts or one; what it has stays shown, and paid."""
    return wire.JobSummary.of(render_again(farm, account, JobId(job_id), asked.frame, asked.part))


@router.post("/jobs/{job_id}/remake", summary="Make what was given up")
def add_remake(farm: FarmHere, account: CancelerHere, job_id: JobInPath) -> wire.Remade:
    """Have the film and the previews made after all that the farm gave up, once what hindered them is seen to."""
    return wire.Remade(chores=remake(farm, account, JobId(job_id)))


@router.post("/jobs/{job_id}/shares", status_code=201, summary="Make a link to a job")
def add_share(request: Request, farm: FarmHere, account: CancelerHere, job_id: JobInPath) -> wire.ShareMade:
    """Make a link by which whoever has it sees a job, also a private one; it is shown only now."""
    token = sight.share_job(farm, account, JobId(job_id))
    return wire.ShareMade(token=token, link=f"{base_url(request, farm)}/shared/{token}")


@router.delete("/jobs/{job_id}/shares", summary="Revoke a job's links")
def remove_shares(farm: FarmHere, account: CancelerHere, job_id: JobInPath) -> wire.SharesRevoked:
    """Have all links to a job show nothing any more."""
    return wire.SharesRevoked(revoked=sight.revoke_shares(farm, account, JobId(job_id)))
