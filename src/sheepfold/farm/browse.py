"""Browsing: what people and players ask of the farm without changing it."""

from collections.abc import Mapping
from dataclasses import dataclass

from sheepfold.farm.dispatch import Input, open_blob
from sheepfold.farm.farm import Farm
from sheepfold.farm.retention import check_there
from sheepfold.model.accounts import Account, AccountId
from sheepfold.model.credit import Purse
from sheepfold.model.errors import UnknownBlob
from sheepfold.model.events import Event
from sheepfold.model.flock import Sheep
from sheepfold.model.jobs import Job, JobId
from sheepfold.model.tasks import Task, TaskId
from sheepfold.store import accounts as account_rows
from sheepfold.store import blobs as blob_rows
from sheepfold.store import chores as chore_rows
from sheepfold.store import events as event_rows
from sheepfold.store import flock as flock_rows
from sheepfold.store import jobs as job_rows
from sheepfold.store import leases as lease_rows
from sheepfold.store import ledger as ledger_rows
from sheepfold.store import tasks as task_rows
from sheepfold.store.blobs import PictureRow, ProductRow
from sheepfold.store.database import Tx
from sheepfold.store.leases import LeaseStory
from sheepfold.store.tasks import TaskRow


@dataclass(frozen=True, slots=True)
class JobView:
    """A job as people see it: its tasks in order, what it was made into, and its sheep if it is one."""

    job: Job
    account: str
    tasks: tuple[TaskRow, ...]
    products: tuple[ProductRow, ...]
    sheep: Sheep | None
    chores_waiting: int
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Story:
    """All that happened to a task: its events, and its leases with what their clients told."""

    task: Task
    job: Job
    events: tuple[Event, ...]
    leases: tuple[LeaseStory, ...]


def list_jobs(farm: Farm, limit: int = 50, before: JobId | None = None, seen_by: AccountId | None = None,
              of: AccountId | None = None) -> list[Job]:
    """Return the newest jobs, those before an id where one is given, of all or `of` one account; less what `seen_by`
    may not see.
    """
    return farm.db.read(lambda tx: job_rows.list_jobs(tx, limit, before, of, seen_by))


def view_job(farm: Farm, job_id: JobId) -> JobView:
    """Return a job with its tasks and products; raises UnknownJob."""

    def view(tx: Tx) -> JobView:
        job = job_rows.job_of(tx, job_id)
        return JobView(
            job,
            account_rows.account_of(tx, job.account_id).name,
            tuple(task_rows.rows_of_job(tx, job_id)),
            tuple(blob_rows.products_of(tx, job_id)),
            flock_rows.find_sheep_of_job(tx, job_id),
            chore_rows.count_waiting(tx, job_id),
            _remarks(tx, job),
        )

    return farm.db.read(view)


def remarks_on(farm: Farm, job: Job) -> tuple[str, ...]:
    """Return what the artist should know of the files that a job came with, a sentence each."""
    return farm.db.read(lambda tx: _remarks(tx, job))


def _remarks(tx: Tx, job: Job) -> tuple[str, ...]:
    event = event_rows.of_revision(tx, job.id, job.revision)
    return () if event is None else tuple(event.detail.get("remarks", ()))


def story(farm: Farm, task_id: TaskId) -> Story:
    """Return the whole story of a task; raises UnknownTask."""

    def tell(tx: Tx) -> Story:
        task = task_rows.load(tx, task_id, lock=False)
        events = tuple(event_rows.of_task(tx, task_id))
        return Story(task, job_rows.job_of(tx, task.job_id), events, tuple(lease_rows.stories_of_task(tx, task_id)))

    return farm.db.read(tell)


def open_picture(farm: Farm, task_id: TaskId) -> tuple[str, Input]:
    """Open the valid picture of a task; returns its media type too.

    Raises UnknownBlob where it has none yet, and Cleared where it is gone.
    """

    def find(tx: Tx) -> PictureRow | None:
        row = blob_rows.picture_of_task(tx, task_id)
        if row is not None:
            check_there(job_rows.job_of(tx, task_rows.load(tx, task_id, lock=False).job_id))
        return row

    row = farm.db.read(find)
    if row is None:
        raise UnknownBlob(f"Task {task_id} has no picture yet.")
    return row.media_type, open_blob(farm, row.digest)


def open_preview(farm: Farm, task_id: TaskId, width: int) -> Input:
    """Open the JPEG preview of a task; raises UnknownBlob where there is none yet, or none any more."""
    digest = farm.db.read(lambda tx: blob_rows.find_preview(tx, task_id, width))
    if digest is None:
        raise UnknownBlob(f"Task {task_id} has no preview {width} pixels wide, or none any more.")
    return open_blob(farm, digest)


def open_product(farm: Farm, job_id: JobId, name: str) -> tuple[str, Input]:
    """Open a product of a job, such as `film.mp4`; returns its media type too. Raises UnknownBlob."""
    view = farm.db.read(lambda tx: blob_rows.products_of(tx, job_id))
    product = next((product for product in view if product.name == name), None)
    if product is None:
        raise UnknownBlob(f"Job {job_id} has no {name!r}.")
    return product.media_type, open_blob(farm, product.digest)


def newest_event_id(farm: Farm) -> int:
    """Return the id of the newest event behind which a reader misses nothing that happens from now on."""
    return farm.horizon.from_now()


def purse_of(farm: Farm, account: Account) -> Purse:
    """Return what an account has earned and spent."""
    return farm.db.read(lambda tx: ledger_rows.purse_of(tx, account.id))


def purses(farm: Farm) -> Mapping[str, Purse]:
    """Return what each account has earned and spent, by name."""

    def read(tx: Tx) -> dict[str, Purse]:
        found = ledger_rows.purses(tx)
        return {account.name: found[account.id] for account in account_rows.list_accounts(tx)}

    return farm.db.read(read)
