"""What changed on a page since its pictures were accepted: before, now, the difference, and a button to accept."""

from starlette.responses import Response
from starlette.routing import BaseRoute

from sheepfold.farm import baselines, browse
from sheepfold.farm.farm import Farm
from sheepfold.model.accounts import Role
from sheepfold.model.jobs import JobId
from sheepfold.web.frame import MEMBER, VISITOR, Visit, on_thread, page_route


def routes(farm: Farm) -> list[BaseRoute]:
    """Return the routes of changes."""
    return [
        page_route(farm, "/shots/{job_id}/changes", _changes, VISITOR),
        page_route(farm, "/shots/{job_id}/accept", _accept, MEMBER, "POST"),
    ]


async def _changes(visit: Visit) -> Response:
    job_id = JobId(visit.id("job_id"))
    found = await on_thread(baselines.changes_of, visit.farm, job_id)
    may_accept = visit.visitor is not None and (
        visit.account.id == found.job.account_id or visit.account.role is Role.OWNER
    )
    now = await on_thread(_tasks_by_frame, visit.farm, job_id)
    before = {} if found.baseline is None else await on_thread(_tasks_by_frame, visit.farm, found.baseline)
    return visit.page("changes.html", found=found, now_tasks=now, before_tasks=before, may_accept=may_accept)


async def _accept(visit: Visit) -> Response:
    job_id = JobId(visit.id("job_id"))
    await on_thread(baselines.accept, visit.farm, visit.account, job_id)
    return visit.go(f"/shots/{job_id}/changes", "accepted")


def _tasks_by_frame(farm: Farm, job_id: JobId) -> dict[int, int]:
    return {task.frame: task.id for task in browse.view_job(farm, job_id).tasks}
