"""Who sees what over the wire: a caller with the links they hold; hidden jobs answer as if there were none."""

from typing import Annotated

from fastapi import Depends, Header, Request

from sheepfold.farm import sight
from sheepfold.farm.sight import Viewer
from sheepfold.model.errors import NotFound
from sheepfold.model.jobs import JobId
from sheepfold.model.tasks import TaskId
from sheepfold.protocols.rest.callers import CallerHere, FarmHere
from sheepfold.protocols.rest.paths import id_of

ShareInHeader = Annotated[str, Header(pattern=r"^[A-Za-z0-9_-]{0,64}$", description="The token of a link to a job.")]


async def viewer_of(caller: CallerHere, x_share: ShareInHeader = "") -> Viewer:
    """Return who looks: an account, and the link that came with the request."""
    return Viewer(caller.account, (x_share,) if x_share else ())


ViewerHere = Annotated[Viewer, Depends(viewer_of)]


def check_sight(request: Request, farm: FarmHere, viewer: ViewerHere) -> None:
    """Raise UnknownJob, UnknownTask where the path names what this caller may not see; NotFound where it names none."""
    asked = request.path_params
    if "job_id" in asked:
        sight.check_job(farm, viewer, JobId(_named(asked["job_id"])))
    if "task_id" in asked:
        sight.check_task(farm, viewer, TaskId(_named(asked["task_id"])))


def _named(text: str) -> int:
    try:
        return id_of(text)
    except ValueError as error:
        raise NotFound from error


SEEN = [Depends(check_sight)]
"""The dependencies of a router whose paths name jobs or tasks."""
