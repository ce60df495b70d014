"""Pages for people, rendered by the server and living by server-sent events; nothing is loaded from elsewhere."""

from starlette.routing import BaseRoute, Mount
from starlette.staticfiles import StaticFiles

from sheepfold.farm.farm import Farm
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
from sheepfold.web.frame import HERE

_GROUPS = (home, job, flock, shots, changes, order, sign, machines, program, people, webhooks, teams, owner, media,
           live)


def routes(farm: Farm) -> list[BaseRoute]:
    """Return the routes of the pages."""
    pages = [route for group in _GROUPS for route in group.routes(farm)]
    return [*pages, Mount("/static", StaticFiles(directory=HERE / "static"))]
