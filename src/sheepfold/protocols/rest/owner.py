"""What is asked of the whole farm: what it does now and who earned most, and by its owner all the rest."""

from itertools import islice
from pathlib import Path as FolderPath
from typing import Annotated

from fastapi import APIRouter, Path, Query

from sheepfold.farm import owner, people, views
from sheepfold.farm.backup import back_up
from sheepfold.farm.checkup import check
from sheepfold.farm.farm import Farm
from sheepfold.farm.sight import Viewer
from sheepfold.model.accounts import Account
from sheepfold.model.errors import BadInput
from sheepfold.protocols.rest import wire
from sheepfold.protocols.rest.bodies import JsonRoute
from sheepfold.protocols.rest.callers import CallerHere, FarmHere, OwnerHere
from sheepfold.protocols.rest.owner_wire import (
    AuditOut,
    AuditPage,
    BackupOut,
    CheckOut,
    FindingOut,
    LeaderList,
    LeaderOut,
    NowOut,
    PeoplePage,
    PersonChange,
    PersonOut,
    QueueLineOut,
    QueueList,
    QueueOut,
    WorkOut,
)
from sheepfold.protocols.rest.sight import ViewerHere
from sheepfold.store.people import Person
from sheepfold.store.views import AtWork

FINDINGS = 100

router = APIRouter(tags=["farm"], route_class=JsonRoute)
NameInPath = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{1,48}$", description="The account's name.")]
Limit = Annotated[int, Query(ge=1, le=200, description="How many at most.")]


@router.get("/now", summary="See what the farm does")
def get_now(farm: FarmHere, viewer: ViewerHere) -> NowOut:
    """See which machine makes what, what waits, and how long the farm needs for it."""
    return now_out(farm, viewer)


@router.get("/leaders", summary="See who earned most")
def get_leaders(farm: FarmHere, _: CallerHere, limit: Limit = 100) -> LeaderList:
    """See who earned the most points, the first of them first."""
    return leaders(farm, limit)


@router.get("/people", summary="List people")
def get_people(
    farm: FarmHere, _: OwnerHere, limit: Limit = 50,
    after: Annotated[str, Query(max_length=48, pattern=r"^[A-Za-z0-9_-]*$", description="Only later names.")] = "",
) -> PeoplePage:
    """List all people by their names with their roles and points, page by page; for the owner."""
    return people_page(farm, limit, after)


@router.patch("/people/{name}", summary="Change somebody")
def change_person(farm: FarmHere, account: OwnerHere, name: NameInPath, asked: PersonChange) -> PersonOut:
    """Give somebody another role, close their account or open it again; for the owner. 403 for the last owner."""
    return changed_person(farm, account, name, asked)


@router.get("/audit", summary="Read the audit log")
def get_audit(
    farm: FarmHere, _: OwnerHere, limit: Limit = 50,
    before: Annotated[int | None, Query(ge=0, le=wire.MOST_ID, description="Only lines with smaller ids.")] = None,
) -> AuditPage:
    """Read who changed what, the newest first, page by page; for the owner."""
    return audit_page(farm, limit, before)


@router.get("/queue", summary="See the queue")
def get_queue(farm: FarmHere, _: OwnerHere) -> QueueList:
    """See the running jobs in the order in which they are rendered, and how much of each waits; for the owner."""
    return queue_list(farm)


@router.post("/check", summary="Check the farm")
def add_check(farm: FarmHere, _: OwnerHere) -> CheckOut:
    """Prove that all that the farm knows agrees, and tell what does not; for the owner."""
    return check_out(farm)


@router.post("/backup", summary="Back the farm up")
def add_backup(farm: FarmHere, account: OwnerHere) -> BackupOut:
    """Write a backup into the folder that the farm's setting `backup_folder` names, while it works; for the owner.

    400 where it names none.
    """
    return backed_up(farm, account)


def backed_up(farm: Farm, by: Account | None) -> BackupOut:
    """Back the farm up into the folder of its settings, by the owner or None for the console; raises BadInput."""
    if not farm.settings.backup_folder:
        raise BadInput("This farm names no folder for backups; its command line makes them into any.")
    made = back_up(farm, FolderPath(farm.settings.backup_folder), by)
    return BackupOut(made_at=made.made_at, files=made.blobs, new_files=made.new_blobs, size_bytes=made.size_bytes)


def now_out(farm: Farm, viewer: Viewer) -> NowOut:
    """Write what the farm does, as the command line too shows it."""
    home = views.view_home(farm, viewer, 1)
    return NowOut(queue=QueueOut(jobs=home.queue.jobs, tasks=home.queue.tasks, eta_s=home.queue.eta_s),
                  at_work=[_work(one) for one in home.at_work])


def _work(one: AtWork) -> WorkOut:
    whose = WorkOut(machine=one.machine, account=one.account, protocol=one.protocol, since=one.granted_at)
    if not one.job_id:  # somebody's private job
        return whose
    return whose.model_copy(update={"job": one.job_id, "task": one.task_id, "title": one.title, "kind": one.kind,
                                    "frame": one.frame})


def leaders(farm: Farm, limit: int) -> LeaderList:
    """Write who earned most."""
    found = (one for one in people.list_people(farm) if one.purse.earned and one.closed_at is None)
    return LeaderList(leaders=[LeaderOut(name=one.account.name, earned=one.purse.earned, machines=one.machines)
                               for one in islice(found, limit)])


def people_page(farm: Farm, limit: int, after: str) -> PeoplePage:
    """Write a page of people by their names."""
    found = sorted((one for one in people.list_people(farm) if one.account.name > after),
                   key=lambda one: one.account.name)
    page = [_person(one) for one in found[:limit]]
    return PeoplePage(people=page, next=page[-1].name if len(found) > limit else None)


def changed_person(farm: Farm, by: Account | None, name: str, asked: PersonChange) -> PersonOut:
    """Change somebody, by the owner or None for the console, and write what they are now."""
    if asked.role is not None:
        owner.change_role(farm, by, name, asked.role)
    if asked.closed is not None:
        change = owner.close_account if asked.closed else owner.reopen_account
        change(farm, by, name)
    return _person(people.person_named(farm, name))


def _person(one: Person) -> PersonOut:
    return PersonOut(name=one.account.name, role=one.account.role, machines=one.machines, created_at=one.created_at,
                     closed_at=one.closed_at, closed_why=one.closed_why, earned=one.purse.earned,
                     spent=one.purse.spent)


def audit_page(farm: Farm, limit: int, before: int | None) -> AuditPage:
    """Write a page of the audit log."""
    found = owner.read_audit(farm, limit + 1, before)
    page = [AuditOut(id=one.id, at=one.at, who=one.who, what=one.what, about=one.about) for one in found[:limit]]
    return AuditPage(lines=page, next=page[-1].id if len(found) > limit else None)


def queue_list(farm: Farm) -> QueueList:
    """Write the queue."""
    found = views.view_farm(farm)
    lines = [QueueLineOut(job=one.job_id, title=one.title, kind=one.kind, account=one.account, priority=one.priority,
                          waiting=one.waiting, created_at=one.created_at) for one in found.lines]
    return QueueList(jobs=found.queue.jobs, tasks=found.queue.tasks, eta_s=found.queue.eta_s, lines=lines)


def check_out(farm: Farm) -> CheckOut:
    """Check the farm, and write what is wrong."""
    found = [FindingOut(invariant=one.invariant, what=one.what) for one in islice(check(farm), FINDINGS)]
    return CheckOut(findings=found, limit=FINDINGS)
