"""A job's page: live progress, frames that load when they come into sight, their stories, film, cancel, priority."""

import re
from functools import partial
from typing import Any

from starlette.concurrency import iterate_in_threadpool
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute

from sheepfold.farm import browse, frames, sight, views
from sheepfold.farm.extending import can_extend, extend_job
from sheepfold.farm.farm import Farm
from sheepfold.farm.orders import cancel_job
from sheepfold.farm.problems import report_problem
from sheepfold.farm.repeating import render_task_again
from sheepfold.farm.retention import keep_job
from sheepfold.farm.views import Card
from sheepfold.model.accounts import Role
from sheepfold.model.errors import MalformedMessage
from sheepfold.model.jobs import Job, JobId, JobState
from sheepfold.model.lifecycle import picture_of
from sheepfold.model.tasks import TaskId, TaskState
from sheepfold.protocols.opening import opened
from sheepfold.protocols.uploads import base_url
from sheepfold.protocols.visitors import shares_of
from sheepfold.web.frame import (
    ANYONE,
    MEMBER,
    VISITOR,
    Visit,
    checked_id,
    on_thread,
    page_route,
    remember_shares,
    whole,
)
from sheepfold.web.media import SHOWN

MOST_TILES = 200


def routes(farm: Farm) -> list[BaseRoute]:
    """Return the routes of jobs."""
    return [
        page_route(farm, "/jobs/{job_id}", _job, VISITOR),
        page_route(farm, "/jobs/{job_id}/head", _head, VISITOR),
        page_route(farm, "/jobs/{job_id}/frames/{frame}.{part}", _piece, VISITOR),
        page_route(farm, "/jobs/{job_id}/tiles", _tiles, VISITOR),
        page_route(farm, "/jobs/{job_id}/frames.zip", _zip, VISITOR),
        page_route(farm, "/jobs/{job_id}/cancel", _cancel, MEMBER, "POST"),
        page_route(farm, "/jobs/{job_id}/priority", _priority, MEMBER, "POST"),
        page_route(farm, "/jobs/{job_id}/more", _more, MEMBER, "POST"),
        page_route(farm, "/jobs/{job_id}/private", _private, MEMBER, "POST"),
        page_route(farm, "/jobs/{job_id}/keep", _keep, MEMBER, "POST"),
        page_route(farm, "/jobs/{job_id}/team", _team, MEMBER, "POST"),
        page_route(farm, "/jobs/{job_id}/share", _share, MEMBER, "POST"),
        page_route(farm, "/jobs/{job_id}/unshare", _unshare, MEMBER, "POST"),
        page_route(farm, "/tasks/{task_id}/again", _again, MEMBER, "POST"),
        page_route(farm, "/tasks/{task_id}/problem", _problem, MEMBER, "POST"),
        page_route(farm, "/shared/{token}", _shared, ANYONE),
        page_route(farm, "/tasks/{task_id}", _task, VISITOR),
    ]


async def _job(visit: Visit) -> Response:
    return await _show(visit, "")


async def _show(visit: Visit, link: str) -> Response:
    """Answer with a job's page; `link` is one to it that was made just now."""
    job_id = JobId(visit.id("job_id"))
    page = await on_thread(views.view_job_page, visit.farm, job_id)
    remarks = await on_thread(browse.remarks_on, visit.farm, page.card.job)
    return visit.page("job.html", card=page.card, pieces=page.pieces, newest_event=page.newest_event, remarks=remarks,
                      link=link, **await _hand(visit, page.card))


async def _head(visit: Visit) -> Response:
    card = await on_thread(views.view_card, visit.farm, JobId(visit.id("job_id")))
    return visit.page("job-head.html", card=card, **await _hand(visit, card))


async def _piece(visit: Visit) -> Response:
    job_id, place = JobId(visit.id("job_id")), (visit.id("frame"), visit.id("part"))
    tasks = await on_thread(views.view_piece, visit.farm, job_id, place)
    return visit.page("frames.html", tasks=tasks, job_id=job_id)


async def _tiles(visit: Visit) -> Response:
    asked = visit.request.query_params.get("ids", "")
    if not re.fullmatch(r"[0-9,]*", asked, re.ASCII):
        raise MalformedMessage("ids are numbers with commas between them.")
    ids = [TaskId(checked_id(text)) for text in asked.split(",") if text][:MOST_TILES]
    tasks = await on_thread(views.view_tasks, visit.farm, JobId(visit.id("job_id")), ids)
    return visit.page("tiles.html", tasks=tasks)


async def _zip(visit: Visit) -> Response:
    job_id = JobId(visit.id("job_id"))
    found = await on_thread(frames.list_frames, visit.farm, job_id)
    headers = {"Content-Disposition": f'attachment; filename="job-{job_id}.zip"', "X-Content-Type-Options": "nosniff"}
    return StreamingResponse(iterate_in_threadpool(frames.zipped(visit.farm, found)), 200, headers, "application/zip")


async def _cancel(visit: Visit) -> Response:
    job_id = JobId(visit.id("job_id"))
    await on_thread(cancel_job, visit.farm, visit.account, job_id)
    return visit.go(f"/jobs/{job_id}", "canceled")


async def _priority(visit: Visit) -> Response:
    job_id = JobId(visit.id("job_id"))
    priority = whole(await visit.form(), "priority")
    await on_thread(views.prioritise, visit.farm, visit.account, job_id, priority)
    return visit.go(f"/jobs/{job_id}", "priority")


async def _more(visit: Visit) -> Response:
    job_id = JobId(visit.id("job_id"))
    await opened(visit.request, extend_job, visit.farm, visit.account, job_id, (await visit.form()).get("frames", ""))
    return visit.go(f"/jobs/{job_id}", "added")


async def _private(visit: Visit) -> Response:
    job_id = JobId(visit.id("job_id"))
    is_private = (await visit.form()).get("private") == "yes"
    await on_thread(partial(sight.set_private, is_private=is_private), visit.farm, visit.account, job_id)
    return visit.go(f"/jobs/{job_id}", "private" if is_private else "shown")


async def _team(visit: Visit) -> Response:
    job_id = JobId(visit.id("job_id"))
    is_shown = (await visit.form()).get("team") == "yes"
    await on_thread(partial(sight.show_to_team, is_shown=is_shown), visit.farm, visit.account, job_id)
    return visit.go(f"/jobs/{job_id}", "saved")


async def _keep(visit: Visit) -> Response:
    job_id = JobId(visit.id("job_id"))
    is_kept = (await visit.form()).get("keep") == "yes"
    await on_thread(partial(keep_job, is_kept=is_kept), visit.farm, visit.account, job_id)
    return visit.go(f"/jobs/{job_id}", "kept" if is_kept else "unkept")


async def _share(visit: Visit) -> Response:
    token = await on_thread(sight.share_job, visit.farm, visit.account, JobId(visit.id("job_id")))
    return await _show(visit, f"{base_url(visit.request, visit.farm)}/shared/{token}")


async def _unshare(visit: Visit) -> Response:
    job_id = JobId(visit.id("job_id"))
    await on_thread(sight.revoke_shares, visit.farm, visit.account, job_id)
    return visit.go(f"/jobs/{job_id}", "unshared")


async def _shared(visit: Visit) -> Response:
    """Remember a link in this browser, and go to the job that it shows."""
    token: str = visit.request.path_params["token"]
    job_id = await on_thread(sight.shared_job, visit.farm, token)
    others = [one for one in shares_of(visit.request) if one != token]
    return remember_shares(visit, visit.go(f"/jobs/{job_id}"), [token, *others])


async def _again(visit: Visit) -> Response:
    task_id = TaskId(visit.id("task_id"))
    await on_thread(render_task_again, visit.farm, visit.account, task_id)
    return visit.go(f"/tasks/{task_id}")


async def _problem(visit: Visit) -> Response:
    task_id, text = TaskId(visit.id("task_id")), (await visit.form()).get("text", "")
    await on_thread(report_problem, visit.farm, visit.account, task_id, text)
    return visit.go(f"/tasks/{task_id}", "reported")


async def _task(visit: Visit) -> Response:
    story = await on_thread(browse.story, visit.farm, TaskId(visit.id("task_id")))
    task = story.task
    before, after = await on_thread(views.neighbours, visit.farm, task.job_id, (task.frame, task.part))
    valid = picture_of(task)
    return visit.page("task.html", story=story, task=task, before=before, after=after, valid=valid,
                      is_shown=valid is not None and valid.media_type in SHOWN and story.job.cleared_at is None,
                      may_repeat=_may_repeat(task.state, story.job) and _may_change(visit, story.job),
                      machines={lease.lease_id: lease.machine for lease in story.leases})


async def _hand(visit: Visit, card: Card) -> dict[str, Any]:
    """Return what the page of a job may offer to who looks."""
    may_change = _may_change(visit, card.job)
    shares = await on_thread(sight.count_shares, visit.farm, card.job.id) if may_change else 0
    private = may_change and card.job.private_at is not None
    team = await on_thread(sight.team_of_job, visit.farm, card.job) if private else None
    is_living = card.job.state is not JobState.CANCELED and card.job.cleared_at is None
    return {"may_change": may_change, "shares": shares, "team": team,
            "may_extend": is_living and can_extend(card.job.kind)}


def _may_repeat(state: TaskState, job: Job) -> bool:
    return state in {TaskState.DONE, TaskState.FAILED} and job.cleared_at is None


def _may_change(visit: Visit, job: Job) -> bool:
    if visit.visitor is None:
        return False
    return visit.account.id == job.account_id or visit.account.role is Role.OWNER
