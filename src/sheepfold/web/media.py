"""Pictures, previews, films and other files of jobs, as pages show them."""

from starlette.responses import Response
from starlette.routing import BaseRoute

from sheepfold.farm import browse
from sheepfold.farm.chores import PREVIEW_WIDTH
from sheepfold.farm.farm import Farm
from sheepfold.model.jobs import JobId
from sheepfold.model.tasks import TaskId
from sheepfold.protocols.rest.files import answer_ranged
from sheepfold.protocols.uploads import answer_file
from sheepfold.web.frame import VISITOR, Visit, on_thread, page_route

SHOWN = frozenset({"image/png", "image/jpeg", "image/webp"})
"""Pictures that a browser may show by itself; everything else is handed out to be saved."""


def routes(farm: Farm) -> list[BaseRoute]:
    """Return the routes of files."""
    return [
        page_route(farm, "/previews/{task_id}.jpg", _preview, VISITOR),
        page_route(farm, "/pictures/{task_id}", _picture, VISITOR),
        page_route(farm, "/products/{job_id}/{name}", _product, VISITOR),
    ]


async def _preview(visit: Visit) -> Response:
    task_id = TaskId(visit.id("task_id"))
    preview = await on_thread(browse.open_preview, visit.farm, task_id, PREVIEW_WIDTH)
    return _cached(answer_file(visit.request, preview, "image/jpeg"))


async def _picture(visit: Visit) -> Response:
    task_id = TaskId(visit.id("task_id"))
    media_type, picture = await on_thread(browse.open_picture, visit.farm, task_id)
    name = "" if media_type in SHOWN else f"task-{task_id}"
    return _cached(answer_file(visit.request, picture, media_type, name))


async def _product(visit: Visit) -> Response:
    name: str = visit.request.path_params["name"]
    job_id = JobId(visit.id("job_id"))
    media_type, product = await on_thread(browse.open_product, visit.farm, job_id, name)
    shown = "" if media_type in SHOWN or media_type.startswith("video/") else name
    return _cached(await answer_ranged(visit.request, visit.farm, product, media_type, shown))


def _cached(answer: Response) -> Response:
    answer.headers["Cache-Control"] = "private, no-cache"
    return answer
