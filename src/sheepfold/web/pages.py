"""Pages for people, rendered by the server and living by server-sent events; nothing is loaded from elsewhere."""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from sheepfold.farm import browse
from sheepfold.farm.browse import JobView
from sheepfold.farm.chores import PREVIEW_WIDTH
from sheepfold.farm.farm import Farm
from sheepfold.model.errors import NotFound, Unavailable
from sheepfold.model.jobs import JobId
from sheepfold.model.tasks import TaskId
from sheepfold.protocols.uploads import file_response
from sheepfold.web import live

JOBS_SHOWN = 24
_HERE = Path(__file__).parent
_templates = Environment(loader=FileSystemLoader(_HERE / "templates"), autoescape=True, undefined=StrictUndefined,
                         trim_blocks=True, lstrip_blocks=True)
HEADERS = {
    "Content-Security-Policy": "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}
_Answer = Callable[[Farm, Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Sheet:
    """All jobs as the contact sheet shows them, and the event up to which it is true."""

    views: tuple[JobView, ...]
    newest_event: int


def routes(farm: Farm) -> list[BaseRoute]:
    """Return the routes of the pages."""

    def route(path: str, answer: _Answer) -> Route:
        return Route(path, partial(_guarded, farm, answer), methods=["GET"])

    return [
        route("/", _contact_sheet),
        route("/fragments/jobs/{job_id}", _job_fragment),
        route("/previews/{task_id}.jpg", _preview),
        route("/pictures/{task_id}", _picture),
        route("/products/{job_id}/{name}", _product),
        *live.routes(farm),
        Mount("/static", StaticFiles(directory=_HERE / "static")),
    ]


async def _guarded(farm: Farm, answer: _Answer, request: Request) -> Response:
    try:
        return await answer(farm, request)
    except NotFound as error:
        return HTMLResponse(_render("missing.html", head="Not here", reason=str(error)), 404, HEADERS)
    except Unavailable as error:
        page = _render("missing.html", head="Not now", reason=str(error))
        return HTMLResponse(page, 503, HEADERS | {"Retry-After": "60"})


async def _contact_sheet(farm: Farm, _: Request) -> Response:
    sheet = await run_in_threadpool(_sheet, farm)
    return HTMLResponse(_render("sheet.html", sheet=sheet), headers=HEADERS)


def _sheet(farm: Farm) -> Sheet:
    newest = browse.newest_event_id(farm)
    return Sheet(tuple(browse.view_job(farm, job.id) for job in browse.list_jobs(farm, JOBS_SHOWN)), newest)


async def _job_fragment(farm: Farm, request: Request) -> Response:
    view = await run_in_threadpool(browse.view_job, farm, JobId(_id(request, "job_id")))
    return HTMLResponse(_render("job.html", view=view), headers=HEADERS)


async def _preview(farm: Farm, request: Request) -> Response:
    task_id = TaskId(_id(request, "task_id"))
    preview = await run_in_threadpool(browse.open_preview, farm, task_id, PREVIEW_WIDTH)
    return file_response(preview, "image/jpeg")


async def _picture(farm: Farm, request: Request) -> Response:
    media_type, picture = await run_in_threadpool(browse.open_picture, farm, TaskId(_id(request, "task_id")))
    return file_response(picture, media_type)


async def _product(farm: Farm, request: Request) -> Response:
    job_id = JobId(_id(request, "job_id"))
    media_type, product = await run_in_threadpool(browse.open_product, farm, job_id, request.path_params["name"])
    return file_response(product, media_type)


def _id(request: Request, name: str) -> int:
    """Return an id of the path; raises NotFound for what is none, or one that no database could hold."""
    text: str = request.path_params[name]
    if not re.fullmatch(r"[0-9]{1,18}", text):
        raise NotFound
    return int(text)


def _render(template: str, **values: object) -> str:
    return _templates.get_template(template).render(**values)
