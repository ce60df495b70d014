"""Pages for people, rendered by the server and living by server-sent events; nothing is loaded from elsewhere."""

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount
from starlette.staticfiles import StaticFiles

from sheepfold.farm.farm import Farm
from sheepfold.model.errors import NotFound
from sheepfold.web import (
    changes,
    flock,
    home,
    job,
    live,
    machines,
    media,
    order,
    owner,
    people,
    program,
    shots,
    sign,
    teams,
    webhooks,
)
from sheepfold.web.frame import ANYONE, HERE, Visit, page_route

_GROUPS = (home, job, flock, shots, changes, order, sign, machines, program, people, webhooks, teams, owner, media,
           live)


def routes(farm: Farm) -> list[BaseRoute]:
    """Return the routes of the pages."""
    pages = [route for group in _GROUPS for route in group.routes(farm)]
    return [*pages, Mount("/static", StaticFiles(directory=HERE / "static"))]


def nowhere(farm: Farm) -> Callable[[Request, Exception], Awaitable[Response]]:
    """Return what answers where there is nothing: a page to browsers, a word to programs."""
    page = page_route(farm, "/", _nowhere, ANYONE).endpoint

    async def answer(request: Request, _error: Exception) -> Response:
        if "text/html" not in request.headers.get("accept", ""):
            return PlainTextResponse("Not Found", 404)
        found: Response = await page(request)
        return found

    return answer


async def _nowhere(_visit: Visit) -> Response:
    raise NotFound("There is no such page on this farm.")
