"""Shots: the pictures of a page in several browsers, side by side, nearer or farther."""

from starlette.responses import Response
from starlette.routing import BaseRoute

from sheepfold.farm import browse, views
from sheepfold.farm.expiry import expiry_of, prolong
from sheepfold.farm.farm import Farm
from sheepfold.farm.problems import problems_of
from sheepfold.kinds.registry import module_of
from sheepfold.model.accounts import Role
from sheepfold.model.errors import NotFound
from sheepfold.model.jobs import Job, JobId, JobState
from sheepfold.web.frame import MEMBER, VISITOR, Visit, checked_id, on_thread, page_route

ON_A_PAGE = 24
ZOOMS = ("far", "middle", "close")


def routes(farm: Farm) -> list[BaseRoute]:
    """Return the routes of screenshots."""
    return [
        page_route(farm, "/shots", _list, VISITOR),
        page_route(farm, "/shots/{job_id}", _side_by_side, VISITOR),
        page_route(farm, "/shots/{job_id}/prolong", _prolong, MEMBER, "POST"),
    ]


async def _list(visit: Visit) -> Response:
    asked = visit.request.query_params.get("before")
    before = None if asked is None else JobId(checked_id(asked))
    cards = await on_thread(views.list_cards_of_kind, visit.farm, "screenshot", ON_A_PAGE + 1, before)
    older = cards[ON_A_PAGE - 1].job.id if len(cards) > ON_A_PAGE else None
    return visit.page("jobs.html", head="Screenshots", cards=cards[:ON_A_PAGE], older=older, to="/shots")


async def _side_by_side(visit: Visit) -> Response:
    view = await on_thread(browse.view_job, visit.farm, JobId(visit.id("job_id")))
    if view.job.kind != "screenshot":
        raise NotFound(f"Job {view.job.id} is no order of screenshots.")
    seen = module_of("screenshot", "spec").views(view.job.spec)
    zoom = visit.request.query_params.get("zoom", "middle")
    shots = [(task, seen[task.frame]) for task in view.tasks if task.frame < len(seen)]
    expires_at = await on_thread(expiry_of, visit.farm, view.job.id) if view.job.state is JobState.RUNNING else None
    problems = await on_thread(problems_of, visit.farm, view.job.id)
    return visit.page("shots.html", problems=problems, view=view,
                      shots=shots, zoom=zoom if zoom in ZOOMS else "middle", zooms=ZOOMS,
                      expires_at=expires_at, may_prolong=_may_prolong(visit, view.job))


async def _prolong(visit: Visit) -> Response:
    job_id = JobId(visit.id("job_id"))
    await on_thread(prolong, visit.farm, visit.account, job_id)
    return visit.go(f"/shots/{job_id}", "prolonged")


def _may_prolong(visit: Visit, job: Job) -> bool:
    """Say whether prolong would let this visitor; it has the last word."""
    if visit.visitor is None:
        return False
    return visit.account.id == job.account_id or visit.account.role is Role.OWNER
