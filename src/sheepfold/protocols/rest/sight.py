"""Who sees what over the wire: a caller with the links they hold; hidden jobs answer as if there were none."""

from typing import Annotated

from fastapi import Depends, Header, Request

from sheepfold.farm import sight
from sheepfold.farm.sight import Viewer
from sheepfold.model.jobs import JobId
from sheepfold.model.tasks import TaskId
from sheepfold.protocols.rest import wire
from sheepfold.protocols.rest.callers import CallerHere, FarmHere

ShareInHeader = Annotated[str, Header(pattern=r"^[A-Za-z0-9_-]{0,64}$", description="The token of a link to a job.")]


async def viewer_of(caller: CallerHere, x_share: ShareInHeader = "") -> Viewer:
    """Return who looks: an account, and the link that came with the request."""
    return Viewer(caller.account, (x_share,) if x_share else ())


ViewerHere = Annotated[Viewer, Depends(viewer_of)]


def check_sight(request: Request, farm: FarmHere, viewer: ViewerHere) -> None:
    """Raise UnknownJob, UnknownTask where the path names what this caller may not see."""
    asked = request.path_params
    job, task = str(asked.get("job_id", "")), str(asked.get("task_id", ""))
    if _is_id(job):
        sight.check_job(farm, viewer, JobId(int(job)))
    if _is_id(task):
        sight.check_task(farm, viewer, TaskId(int(task)))


def _is_id(text: str) -> bool:
    """Say whether a part of a path may be an id; the route's own check refuses what is none."""
    return text.isascii() and text.isdecimal() and len(text) < 20 and int(text) <= wire.MOST_ID


SEEN = [Depends(check_sight)]
"""The dependencies of a router whose paths name jobs or tasks."""
