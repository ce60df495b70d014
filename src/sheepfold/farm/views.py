"""Views: what the pages for people show, read in one transaction each; and the priority of a job, which they change."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import islice

from sheepfold.farm.farm import Farm
from sheepfold.farm.flock import Flock, living_of
from sheepfold.farm.rights import own_running_job
from sheepfold.farm.sight import Viewer, eyes_of, hidden
from sheepfold.farm.storage import Storage, view_storage
from sheepfold.model.accounts import Account, AccountId
from sheepfold.model.errors import BadInput
from sheepfold.model.flock import Sheep, SheepId
from sheepfold.model.jobs import Job, JobId
from sheepfold.model.matching import Needs
from sheepfold.model.tasks import TaskId
from sheepfold.store import accounts as account_rows
from sheepfold.store import blobs as blob_rows
from sheepfold.store import chores as chore_rows
from sheepfold.store import flock as flock_rows
from sheepfold.store import jobs as job_rows
from sheepfold.store import lanes as lane_rows
from sheepfold.store import views as view_rows
from sheepfold.store.blobs import ProductRow
from sheepfold.store.database import Tx
from sheepfold.store.flock import Votes
from sheepfold.store.paging import Place
from sheepfold.store.tasks import TaskRow
from sheepfold.store.views import AtWork, MachineRow, Queue, QueueLine, WallPicture

PIECE = 100
"""How many frames of a job are loaded at once, when they come into sight."""
STRIP = 12
WALL, LOOKED_AT, MOST_OF_A_JOB = 48, 160, 12
"""How many pictures the wall has, out of how many of the newest, and how many of one job while others have some too."""
MOST_MACHINES = 60
MOST_MACHINES_LISTED = 500
MOST_KIN = 48
QUEUE_SHOWN = 200


@dataclass(frozen=True, slots=True)
class Card:
    """A job in a list of jobs: how far it is, its newest pictures, and its film if it has one."""

    job: Job
    account: str
    sheep: Sheep | None
    newest: tuple[TaskId, ...]
    products: tuple[ProductRow, ...]
    chores_waiting: int

    @property
    def film(self) -> str:
        """Return the name of the film that a page can play, empty where there is none."""
        return next((product.name for product in self.products if product.name == "film.mp4"), "")


@dataclass(frozen=True, slots=True)
class Home:
    """What the farm does now, and the event up to which that is true."""

    wall: tuple[WallPicture, ...]
    at_work: tuple[AtWork, ...]
    queue: Queue
    cards: tuple[Card, ...]
    newest_event: int


@dataclass(frozen=True, slots=True)
class JobPage:
    """A job as its page begins: its card, where each piece of its frames begins, and what its artist should know."""

    card: Card
    pieces: tuple[tuple[Place, int], ...]
    newest_event: int


def view_home(farm: Farm, viewer: Viewer, jobs: int) -> Home:
    """Return what the home page shows."""
    newest = farm.horizon.from_now()  # before the page is read: what is not on it is told of after this

    def read(tx: Tx) -> Home:
        cards = tuple(_card(tx, job) for job in job_rows.list_jobs(tx, jobs, seen_by=eyes_of(viewer)))
        return Home(_varied(view_rows.newest_pictures(tx, LOOKED_AT)), _at_work(tx, viewer, MOST_MACHINES),
                    view_rows.queue(tx, farm.now()), cards, newest)

    return farm.db.read(read)


def _varied(pictures: Iterable[WallPicture]) -> tuple[WallPicture, ...]:
    """Return the newest pictures for the wall: of each job some, and more where that leaves room."""
    of_job: Counter[JobId] = Counter()
    first: list[WallPicture] = []
    rest: list[WallPicture] = []
    for one in pictures:
        of_job[one.job_id] += 1
        (first if of_job[one.job_id] <= MOST_OF_A_JOB else rest).append(one)
    return tuple((first + rest)[:WALL])


def list_cards(farm: Farm, viewer: Viewer, limit: int, before: JobId | None = None, of: AccountId | None = None
               ) -> list[Card]:
    """Return the newest jobs that a viewer sees, of one account or of all, those before an id where one is given."""
    return farm.db.read(lambda tx: [_card(tx, job)
                                    for job in job_rows.list_jobs(tx, limit, before, of, eyes_of(viewer))])


def view_card(farm: Farm, job_id: JobId) -> Card:
    """Return a job as lists show it; raises UnknownJob."""
    return farm.db.read(lambda tx: _card(tx, job_rows.job_of(tx, job_id)))


def view_job_page(farm: Farm, job_id: JobId) -> JobPage:
    """Return a job's page without its frames; raises UnknownJob."""
    newest = farm.horizon.from_now()

    def read(tx: Tx) -> JobPage:
        card = _card(tx, job_rows.job_of(tx, job_id))
        places = view_rows.places_of_pieces(tx, job_id, PIECE)
        total = card.job.progress.total
        sizes = [min(PIECE, total - n * PIECE) for n in range(len(places))]
        return JobPage(card, tuple(zip(places, sizes, strict=True)), newest)

    return farm.db.read(read)


def view_piece(farm: Farm, job_id: JobId, place: Place, limit: int = PIECE) -> list[TaskRow]:
    """Return a piece of a job's frames from a place on: a frame and a part."""
    return farm.db.read(lambda tx: view_rows.tasks_from(tx, job_id, place, limit))


def view_tasks(farm: Farm, job_id: JobId, task_ids: list[TaskId]) -> list[TaskRow]:
    """Return some frames of a job."""
    return farm.db.read(lambda tx: view_rows.tasks_by_id(tx, job_id, task_ids))


def neighbours(farm: Farm, job_id: JobId, place: Place) -> tuple[TaskId | None, TaskId | None]:
    """Return the frames before and after a place of a job."""
    return farm.db.read(lambda tx: view_rows.neighbours(tx, job_id, place))


@dataclass(frozen=True, slots=True)
class Kin:
    """A sheep beside another one, with the task of its newest picture, None where it has none."""

    sheep: Sheep
    picture: TaskId | None


@dataclass(frozen=True, slots=True)
class SheepPage:
    """A sheep with its votes and its kin, the edges that leave it and come to it, and since when it is retired."""

    sheep: Sheep
    card: Card
    votes: Votes
    parents: tuple[Kin, ...]
    children: tuple[Kin, ...]
    leaving: tuple[Kin, ...]
    coming: tuple[Kin, ...]
    retired_at: int | None


def view_flock(farm: Farm, film: str) -> Flock:
    """Return the living generation's sheep that have the film of a name."""

    def read(tx: Tx) -> Flock:
        generation = living_of(tx)
        return Flock(generation, farm.settings.flock_size, tuple(flock_rows.filmed(tx, generation, film)))

    return farm.db.read(read)


def view_sheep(farm: Farm, sheep_id: SheepId) -> SheepPage:
    """Return a sheep's page; raises UnknownSheep."""

    def read(tx: Tx) -> SheepPage:
        sheep = flock_rows.sheep_of(tx, sheep_id)
        edges = flock_rows.edges_at(tx, sheep.id)
        return SheepPage(
            sheep, _card(tx, job_rows.job_of(tx, sheep.job_id)), flock_rows.votes_on(tx, sheep.job_id),
            _kin(tx, flock_rows.parents_of(tx, sheep.job_id)), _kin(tx, flock_rows.children_of(tx, sheep.job_id)),
            _kin(tx, [one for one in edges if one.first == sheep.id.number]),
            _kin(tx, [one for one in edges if one.last == sheep.id.number]),
            flock_rows.retired_at(tx, sheep.job_id),
        )

    return farm.db.read(read)


def _kin(tx: Tx, sheep: Iterable[Sheep]) -> tuple[Kin, ...]:
    return tuple(Kin(one, next(iter(view_rows.newest_of_job(tx, one.job_id, 1)), None))
                 for one in islice(sheep, MOST_KIN))


def list_cards_of_kind(farm: Farm, kind: str, limit: int, before: JobId | None = None) -> list[Card]:
    """Return the newest jobs of a kind, those before an id where one is given."""

    def read(tx: Tx) -> list[Card]:
        return [_card(tx, job_rows.job_of(tx, job_id)) for job_id in view_rows.jobs_of_kind(tx, kind, limit, before)]

    return farm.db.read(read)


@dataclass(frozen=True, slots=True)
class FarmView:
    """The farm as its owner sees it: its queue, and what it keeps."""

    queue: Queue
    lines: tuple[QueueLine, ...]
    storage: Storage


def view_farm(farm: Farm) -> FarmView:
    """Return the farm's queue and storage."""
    storage = view_storage(farm)

    def read(tx: Tx) -> FarmView:
        return FarmView(view_rows.queue(tx, farm.now()), tuple(view_rows.queue_lines(tx, QUEUE_SHOWN)), storage)

    return farm.db.read(read)


def view_queue(farm: Farm, limit: int, after: Place | None = None) -> tuple[Queue, list[QueueLine]]:
    """Return the farm's queue, and its running jobs from a place on."""
    return farm.db.read(lambda tx: (view_rows.queue(tx, farm.now()), view_rows.queue_lines(tx, limit, after)))


def machines_of(farm: Farm, account: Account | None, limit: int = MOST_MACHINES_LISTED, after: Place | None = None
                ) -> list[MachineRow]:
    """Return the machines of an account, or all of the farm; those heard of last first, from a place on."""
    return farm.db.read(lambda tx: view_rows.machines_of(tx, account.id if account else None, limit, after))


def at_work(farm: Farm, viewer: Viewer) -> list[AtWork]:
    """Return which machine makes what; of private jobs of others only that something is made."""
    return list(farm.db.read(lambda tx: _at_work(tx, viewer, 10 * MOST_MACHINES)))


def _at_work(tx: Tx, viewer: Viewer, limit: int) -> tuple[AtWork, ...]:
    found = view_rows.at_work(tx, limit)
    secret = hidden(tx, viewer, (one.job_id for one in found))
    return tuple(replace(one, task_id=TaskId(0), job_id=JobId(0), title="", kind="", frame=0)
                 if one.job_id in secret else one for one in found)


def prioritise(farm: Farm, account: Account, job_id: JobId, priority: int) -> Job:
    """Change the priority of a running job of this account, or of any as the owner.

    Raises UnknownJob, Forbidden, JobEnded, and BadInput where it is not between -100 and 100.
    """
    if not -100 <= priority <= 100:
        raise BadInput(f"A priority lies between -100 and 100; found {priority}.")

    def change(tx: Tx) -> Job:
        job = own_running_job(tx, account, job_id)
        for source, canonical in view_rows.lanes_of_job(tx, job_id):
            target = lane_rows.ensure_lane(tx, Needs.from_canonical(canonical), job.account_id, priority)
            view_rows.move_tasks(tx, job_id, source, target)
            lane_rows.wake_lane(tx, target)
        view_rows.set_priority(tx, job_id, priority)
        return job_rows.job_of(tx, job_id)

    return farm.db.write(change)


def _card(tx: Tx, job: Job) -> Card:
    return Card(
        job,
        account_rows.account_of(tx, job.account_id).name,
        flock_rows.find_sheep_of_job(tx, job.id),
        tuple(view_rows.newest_of_job(tx, job.id, STRIP)),
        tuple(blob_rows.products_of(tx, job.id)),
        chore_rows.count_waiting(tx, job.id),
    )
