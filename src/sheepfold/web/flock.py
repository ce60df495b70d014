"""The flock: a wall of looping sheep, each sheep's page with votes, and a player that walks loops and edges."""

import json

from starlette.responses import Response
from starlette.routing import BaseRoute

from sheepfold.farm import flock, views
from sheepfold.farm.farm import Farm
from sheepfold.model.accounts import Role
from sheepfold.model.flock import SheepId
from sheepfold.web.frame import MEMBER, VISITOR, Visit, on_thread, page_route, whole

FILM = "film.mp4"


def routes(farm: Farm) -> list[BaseRoute]:
    """Return the routes of the flock."""
    return [
        page_route(farm, "/flock", _flock, VISITOR),
        page_route(farm, "/flock/player", _player, VISITOR),
        page_route(farm, "/flock/{generation}/{number}", _sheep, VISITOR),
        page_route(farm, "/flock/{generation}/{number}/vote", _vote, MEMBER, "POST"),
        page_route(farm, "/flock/{generation}/{number}/retire", _retire, MEMBER, "POST"),
    ]


async def _flock(visit: Visit) -> Response:
    found = await on_thread(views.view_flock, visit.farm, FILM)
    best = sorted(found.sheep, key=lambda one: (-one.sheep.rating, one.sheep.id.number))
    return visit.page("flock.html", generation=found.generation, filmed=best)


async def _player(visit: Visit) -> Response:
    found = await on_thread(views.view_flock, visit.farm, FILM)
    ways = [{"number": one.sheep.id.number, "first": one.sheep.first, "last": one.sheep.last,
             "page": f"/flock/{one.sheep.id.generation}/{one.sheep.id.number}",
             "film": f"/products/{one.sheep.job_id}/{FILM}"} for one in found.sheep]
    return visit.page("player.html", ways=json.dumps(ways), count=len(ways))


async def _sheep(visit: Visit) -> Response:
    page = await on_thread(views.view_sheep, visit.farm, _id(visit))
    job = page.card.job
    may_retire = visit.visitor is not None and (
        visit.account.id == job.account_id or visit.account.role is Role.OWNER
    )
    return visit.page("sheep.html", page=page, sheep=page.sheep, may_retire=may_retire and page.retired_at is None)


async def _vote(visit: Visit) -> Response:
    sheep = _id(visit)
    value = whole(await visit.form(), "value")
    await on_thread(flock.vote_as, visit.farm, visit.account, sheep.number, value, sheep.generation)
    return visit.go(f"/flock/{sheep.generation}/{sheep.number}", "voted")


async def _retire(visit: Visit) -> Response:
    sheep = _id(visit)
    await on_thread(flock.retire_sheep, visit.farm, visit.account, sheep)
    return visit.go(f"/flock/{sheep.generation}/{sheep.number}", "retired")


def _id(visit: Visit) -> SheepId:
    return SheepId(visit.id("generation"), visit.id("number"))
