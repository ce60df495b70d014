"""What people ask about jobs and their tasks: order, list, look, cancel, fetch what became of them."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from sheepfold.farm import browse
from sheepfold.farm.browse import JobView, Story
from sheepfold.farm.chores import PREVIEW_WIDTH
from sheepfold.farm.orders import Order, cancel_job, order_job
from sheepfold.model.jobs import JobId
from sheepfold.model.tasks import LeaseState, TaskId
from sheepfold.protocols.rest import wire
from sheepfold.protocols.rest.callers import CallerHere, CancelerHere, CustomerHere, FarmHere
from sheepfold.protocols.rest.files import FILE, RANGED_FILE, answer_file, answer_ranged
from sheepfold.protocols.rest.forms import OrderForm, order_form

router = APIRouter(tags=["jobs"])

JobInPath = Annotated[int, Path(ge=0, le=wire.MOST_ID, description="The job's id.")]
TaskInPath = Annotated[int, Path(ge=0, le=wire.MOST_ID, description="The task's id.")]
ProductInPath = Annotated[str, Path(pattern=wire.INPUT_NAME, description="The product's name, such as film.mp4.")]
_FORM = {
    "requestBody": {
        "required": True,
        "description": "A part `order`, JSON, and a part for each file that the kind wants, named by the input.",
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["order"],
                    "properties": {"order": {"$ref": "#/components/schemas/JobOrder"}},
                    "additionalProperties": {"type": "string", "format": "binary"},
                },
                "encoding": {"order": {"contentType": "application/json"}},
            }
        },
    }
}


@router.post("/jobs", status_code=201, summary="Order a job", openapi_extra=_FORM)
async def add_job(request: Request, response: Response, farm: FarmHere, account: CustomerHere) -> wire.JobOrdered:
    """Order a job with its files; the key needs the scope `order`. The order is checked and split before the answer.

    An order that was sent twice is two jobs.
    """
    async with order_form(request, farm) as form:
        job = await run_in_threadpool(order_job, farm, account, _order(form))
    response.headers["Location"] = f"{wire.BASE}/jobs/{job.id}"
    return wire.JobOrdered.of(job)


def _order(form: OrderForm) -> Order:
    asked = form.order
    return Order(asked.kind, asked.spec, form.inputs, asked.title, asked.terms())


@router.get("/jobs", summary="List jobs, the newest first")
def list_jobs(
    farm: FarmHere, _: CallerHere,
    before: Annotated[int | None, Query(ge=0, le=wire.MOST_ID, description="Only jobs with smaller ids.")] = None,
    limit: Annotated[int, Query(ge=1, le=200, description="How many at most.")] = 50,
) -> wire.JobPage:
    """List jobs page by page: the `next` of a page is the `before` of the following one."""
    jobs = browse.list_jobs(farm, limit + 1, None if before is None else JobId(before))
    page = [wire.JobSummary.of(job) for job in jobs[:limit]]
    return wire.JobPage(jobs=page, next=page[-1].id if len(jobs) > limit else None)


@router.get("/jobs/{job_id}", summary="Look at a job")
def get_job(farm: FarmHere, _: CallerHere, job_id: JobInPath) -> wire.JobDetail:
    """Look at a job with its tasks and what it was made into."""
    return job_detail(browse.view_job(farm, JobId(job_id)))


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
    return await answer_file(request, file, media_type)


@router.get("/tasks/{task_id}/preview", response_class=Response, responses=FILE, summary="Fetch a task's preview")
async def get_preview(
    request: Request, farm: FarmHere, _: CallerHere, task_id: TaskInPath,
    width: Annotated[int, Query(ge=1, le=8192, description="Pixels.")] = PREVIEW_WIDTH,
) -> Response:
    """Fetch the small JPEG of a task's picture; 404 until the house has made it."""
    file = await run_in_threadpool(browse.open_preview, farm, TaskId(task_id), width)
    return await answer_file(request, file, "image/jpeg")


@router.get("/tasks/{task_id}/story", summary="Read a task's story")
def get_story(farm: FarmHere, _: CallerHere, task_id: TaskInPath) -> wire.StoryOut:
    """Read all that happened to a task: its events, leases and results."""
    return _story(browse.story(farm, TaskId(task_id)))


def job_detail(view: JobView) -> wire.JobDetail:
    """Write a job whole, as the command line too shows it."""
    return wire.JobDetail.whole(view.job, {
        "account": view.account,
        "tasks": [wire.TaskSummary.model_validate(one, from_attributes=True) for one in view.tasks],
        "products": [wire.Product.model_validate(one, from_attributes=True) for one in view.products],
        "sheep": None if view.sheep is None else wire.SheepOut.of(view.sheep),
        "chores_waiting": view.chores_waiting,
    })


def _story(story: Story) -> wire.StoryOut:
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
