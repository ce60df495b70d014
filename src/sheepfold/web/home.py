"""Home: what the farm does now, as a wall of finishing pictures; and the list of all jobs."""

from starlette.responses import Response
from starlette.routing import BaseRoute

from sheepfold.farm import people, views
from sheepfold.farm.farm import Farm
from sheepfold.model.jobs import JobId
from sheepfold.web.frame import MEMBER, VISITOR, Visit, checked_id, on_thread, page_route
from sheepfold.web.sign import begin_page

JOBS_AT_HOME = 8
JOBS_ON_A_PAGE = 24


def routes(farm: Farm) -> list[BaseRoute]:
    """Return the routes of home."""
    return [
        page_route(farm, "/", _home, VISITOR),
        page_route(farm, "/fragments/now", _now, VISITOR),
        page_route(farm, "/fragments/jobs/{job_id}", _card, VISITOR),
        page_route(farm, "/jobs", _jobs, VISITOR),
        page_route(farm, "/mine", _mine, MEMBER),
    ]


async def _home(visit: Visit) -> Response:
    home = await on_thread(views.view_home, visit.farm, visit.viewer, JOBS_AT_HOME)
    is_orphan = await on_thread(people.needs_owner, visit.farm)
    if is_orphan and not home.cards:
        return begin_page(visit)
    return visit.page("home.html", home=home, is_orphan=is_orphan)


async def _now(visit: Visit) -> Response:
    home = await on_thread(views.view_home, visit.farm, visit.viewer, 0)
    return visit.page("now.html", home=home)


async def _card(visit: Visit) -> Response:
    card = await on_thread(views.view_card, visit.farm, JobId(visit.id("job_id")))
    return visit.page("card.html", card=card)


async def _jobs(visit: Visit) -> Response:
    return await _list(visit, "All jobs", None)


async def _mine(visit: Visit) -> Response:
    return await _list(visit, "My jobs", visit.account.id)


async def _list(visit: Visit, head: str, of: int | None) -> Response:
    asked = visit.request.query_params.get("before")
    before = None if asked is None else JobId(checked_id(asked))
    cards = await on_thread(views.list_cards, visit.farm, visit.viewer, JOBS_ON_A_PAGE + 1, before, of)
    shown = cards[:JOBS_ON_A_PAGE]
    older = shown[-1].job.id if len(cards) > JOBS_ON_A_PAGE else None
    return visit.page("jobs.html", head=head, cards=shown, older=older)
