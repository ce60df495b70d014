"""What people ask about jobs and their tasks: order, list, look, cancel, fetch what became of them."""

from contextlib import nullcontext
from typing import Annotated

from fastapi import APIRouter, Header, Path, Query, Request
from starlette.concurrency import iterate_in_threadpool, run_in_threadpool
from starlette.responses import Response, StreamingResponse

from sheepfold.blobs.spool import Spooled
from sheepfold.farm import browse
from sheepfold.farm.browse import JobView, Story
from sheepfold.farm.chores import PREVIEW_WIDTH
from sheepfold.farm.farm import Farm
from sheepfold.farm.frames import list_frames, zipped
from sheepfold.farm.orders import cancel_job, order_job
from sheepfold.farm.replacing import replace_input
from sheepfold.farm.sight import eyes_of
from sheepfold.farm.uploads import uploaded_file
from sheepfold.farm.views import view_piece
from sheepfold.model.accounts import Account
from sheepfold.model.jobs import Job, JobId
from sheepfold.model.tasks import LeaseState, TaskId
from sheepfold.protocols.opening import opened, ordered
from sheepfold.protocols.rest import wire
from sheepfold.protocols.rest.callers import CallerHere, CancelerHere, CustomerHere, FarmHere
from sheepfold.protocols.rest.files import FILE, RANGED_FILE, ZIP, answer_ranged
from sheepfold.protocols.rest.forms import ORDER_FORM, OrderForm, order_form, whole_order
from sheepfold.protocols.rest.page_wire import place, place_of
from sheepfold.protocols.rest.paging import AfterPlace, BeforeId, Limit, cut
from sheepfold.protocols.rest.paths import JobInPath, TaskInPath
from sheepfold.protocols.rest.sight import SEEN, ViewerHere
from sheepfold.protocols.uploads import answer_file, spooled_body

router = APIRouter(tags=["jobs"], dependencies=SEEN)
BEFORE_ALL = (-2**31, 0)
"""A frame and a part before all of a job."""

ProductInPath = Annotated[str, Path(pattern=wire.INPUT_NAME, description="The product's name, such as film.mp4.")]
InputInPath = Annotated[str, Path(pattern=wire.INPUT_NAME, description="The input's name, such as project.")]
KeyInHeader = Annotated[str, Header(pattern=r"^[!-~]{1,200}$", description="A name of this order, yours to choose.")]
_FILE = {
    "requestBody": {
        "required": False,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}


@router.post("/jobs", status_code=201, summary="Order a job", openapi_extra=ORDER_FORM)
async def add_job(
    request: Request, response: Response, farm: FarmHere, account: CustomerHere, idempotency_key: KeyInHeader = ""
) -> wire.JobOrdered:
    """Order a job with its files; the key needs the scope `order`. The order is checked and split before the answer.

    An order that was sent twice is two jobs, unless it came with the same `Idempotency-Key` both times, such as a
    random number: then it is one, and both answers name it. The farm remembers such a key for a week.
    """
    async with order_form(request, farm) as form:
        job = await ordered(request, form.order.kind, _ordered, farm, account, form, idempotency_key)
        remarks = await run_in_threadpool(browse.remarks_on, farm, job)
    response.headers["Location"] = f"{wire.BASE}/jobs/{job.id}"
    return wire.JobOrdered.with_remarks(job, remarks)


def _ordered(farm: Farm, account: Account, form: OrderForm, key: str) -> Job:
    with whole_order(farm, account, form, key) as order:
        return order_job(farm, account, order)


@router.put("/jobs/{job_id}/inputs/{name}", summary="Replace an input", openapi_extra=_FILE)
async def put_input(
    request: Request, farm: FarmHere, account: CustomerHere, job_id: JobInPath, name: InputInPath,
    upload: Annotated[str, Query(pattern=r"^([0-9a-f]{32})?$", description="An upload, instead of a body.")] = "",
) -> wire.JobOrdered:
    """Replace a running job's input by the body, or by an upload: frames that are not done render from the new file.

    It is checked as at the order, and the job's revision rises. Frames that are done stay. Who renders from the old
    file loses the lease, and the old file answers 404 from then on.
    """
    async with spooled_body(request, farm, farm.settings.input_limit_bytes) as spooled:
        return await opened(request, _replaced, farm, account, JobId(job_id), name, upload, spooled)


def _replaced(
    farm: Farm, account: Account, job_id: JobId, name: str, upload: str, spooled: Spooled
) -> wire.JobOrdered:
    with uploaded_file(farm, account, upload) if upload else nullcontext(spooled.path) as path:
        job = replace_input(farm, account, job_id, name, path)
    return wire.JobOrdered.with_remarks(job, browse.remarks_on(farm, job))


@router.get("/jobs/{job_id}/frames.zip", response_class=Response, responses=ZIP, summary="Fetch all frames")
async def get_frames(farm: FarmHere, _: CallerHere, job_id: JobInPath) -> Response:
    """Fetch the frames that a job has so far as one zip, streamed, named by their numbers; 404 while it has none."""
    frames = await run_in_threadpool(list_frames, farm, JobId(job_id))
    headers = {"Content-Disposition": f'attachment; filename="job-{job_id}.zip"'}
    return StreamingResponse(iterate_in_threadpool(zipped(farm, frames)), 200, headers, "application/zip")


@router.get("/jobs", summary="List jobs, the newest first")
def list_jobs(
    farm: FarmHere, viewer: ViewerHere,
    before: BeforeId = None, limit: Limit = 50,
    mine: Annotated[bool, Query(description="Only the caller's own.")] = False,
) -> wire.JobPage:
    """List jobs page by page: the `next` of a page is the `before` of the following one. Others' private ones are not
    in it.
    """
    of = viewer.account.id if mine and viewer.account else None
    jobs = browse.list_jobs(farm, limit + 1, None if before is None else JobId(before), eyes_of(viewer), of)
    page, following = cut(jobs, limit, lambda job: int(job.id))
    return wire.JobPage(jobs=[wire.JobSummary.of(job) for job in page], next=following)


@router.get("/jobs/{job_id}", summary="Look at a job")
def get_job(farm: FarmHere, _: CallerHere, job_id: JobInPath) -> wire.JobDetail:
    """Look at a job with its tasks and what it was made into."""
    return job_detail(browse.view_job(farm, JobId(job_id)))


@router.get("/jobs/{job_id}/tasks", summary="List a job's tasks")
def get_tasks(
    farm: FarmHere, _: CallerHere, job_id: JobInPath, limit: Limit = 200, after: AfterPlace = ""
) -> wire.TaskPage:
    """List a job's tasks in the order of their frames, page by page: a job may have many thousands."""
    return task_page(farm, JobId(job_id), limit, after)


@router.delete("/jobs/{job_id}", summary="Cancel a job")
def delete_job(farm: FarmHere, account: CancelerHere, job_id: JobInPath) -> wire.JobSummary:
    """Cancel one of the account's running jobs, or any as the owner; what is being rendered is still taken and paid."""
    return wire.JobSummary.of(cancel_job(farm, account, JobId(job_id)))


@router.get("/jobs/{job_id}/products/{name}", response_class=Response, responses=RANGED_FILE,
            summary="Fetch a product")
async def get_product(
    request: Request, farm: FarmHere, _: CallerHere, job_id: JobInPath, name: ProductInPath
) -> Response:
    """Fetch what a finished job was made into, whole or a range of it, as players do."""
    media_type, file = await run_in_threadpool(browse.open_product, farm, JobId(job_id), name)
    return await answer_ranged(request, farm, file, media_type, name)


@router.get("/tasks/{task_id}/picture", response_class=Response, responses=FILE, summary="Fetch a task's picture")
async def get_picture(request: Request, farm: FarmHere, _: CallerHere, task_id: TaskInPath) -> Response:
    """Fetch the valid picture of a task; 404 while it has none."""
    media_type, file = await run_in_threadpool(browse.open_picture, farm, TaskId(task_id))
    return answer_file(request, file, media_type)


@router.get("/tasks/{task_id}/preview", response_class=Response, responses=FILE, summary="Fetch a task's preview")
async def get_preview(
    request: Request, farm: FarmHere, _: CallerHere, task_id: TaskInPath,
    width: Annotated[int, Query(ge=1, le=8192, description="Pixels.")] = PREVIEW_WIDTH,
) -> Response:
    """Fetch the small JPEG of a task's picture; 404 until the house has made it."""
    file = await run_in_threadpool(browse.open_preview, farm, TaskId(task_id), width)
    return answer_file(request, file, "image/jpeg")


@router.get("/tasks/{task_id}/story", summary="Read a task's story")
def getstory_out(farm: FarmHere, _: CallerHere, task_id: TaskInPath) -> wire.StoryOut:
    """Read all that happened to a task: its events, leases and results."""
    return story_out(browse.story(farm, TaskId(task_id)))


def job_detail(view: JobView) -> wire.JobDetail:
    """Write a job whole, as the command line too shows it."""
    return wire.JobDetail.whole(view.job, {
        "account": view.account,
        "tasks": [wire.TaskSummary.model_validate(one, from_attributes=True) for one in view.tasks],
        "products": [wire.Product.model_validate(one, from_attributes=True) for one in view.products],
        "sheep": None if view.sheep is None else wire.SheepOut.of(view.sheep),
        "chores_waiting": view.chores_waiting,
        "remarks": list(view.remarks),
    })


def task_page(farm: Farm, job_id: JobId, limit: int, after: str) -> wire.TaskPage:
    """Write a page of a job's tasks, as the command line too shows it."""
    frame, part = place_of(after) or BEFORE_ALL
    page, following = cut(view_piece(farm, job_id, (frame, part + 1), limit + 1), limit,
                          lambda one: place(one.frame, one.part))
    tasks = [wire.TaskSummary.model_validate(one, from_attributes=True) for one in page]
    return wire.TaskPage(tasks=tasks, next=following)


def story_out(story: Story) -> wire.StoryOut:
    """Write a story, as the command line too tells it."""
    task = story.task
    return wire.StoryOut(
        task=task.id,
        job=task.job_id,
        kind=story.job.kind,
        title=story.job.title,
        frame=task.frame,
        part=task.part,
        state=task.state,
        events=[wire.EventOut.of(event) for event in story.events],
        leases=[
            wire.LeaseOut(
                id=lease.lease_id, machine=lease.machine, account=lease.account, protocol=lease.protocol,
                state=LeaseState(lease.state), granted_at=lease.granted_at, deadline_at=lease.deadline_at,
                ended_at=lease.ended_at, reason=lease.reason, figures=dict(lease.figures), log=lease.log,
            )
            for lease in story.leases
        ],
        results=[wire.ResultOut.of(result) for result in task.results],
    )
