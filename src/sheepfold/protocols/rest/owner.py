"""What is asked of the whole farm: what it does now and who earned most, and by its owner all the rest."""

from itertools import islice
from typing import Annotated

from fastapi import APIRouter, Path, Query

from sheepfold.farm import backups, owner, people, views
from sheepfold.farm.checkup import check
from sheepfold.farm.farm import Farm
from sheepfold.farm.sight import Viewer
from sheepfold.model.accounts import Account
from sheepfold.protocols.rest.bodies import JsonRoute
from sheepfold.protocols.rest.callers import CallerHere, FarmHere, OwnerHere
from sheepfold.protocols.rest.owner_wire import (
    AuditOut,
    AuditPage,
    BackupList,
    BackupOut,
    BackupState,
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
from sheepfold.protocols.rest.page_wire import place, place_of
from sheepfold.protocols.rest.paging import AfterName, AfterPlace, BeforeId, Limit, cut
from sheepfold.protocols.rest.paths import AccountInPath, IdInPath
from sheepfold.protocols.rest.sight import ViewerHere
from sheepfold.protocols.rest.wire import MOST_ID
from sheepfold.store.backups import Asked
from sheepfold.store.people import Person
from sheepfold.store.views import AtWork

FINDINGS = 100

router = APIRouter(tags=["farm"], route_class=JsonRoute)
BackupInPath = Annotated[IdInPath, Path(ge=0, le=MOST_ID, description="The backup's id.")]


@router.get("/now", summary="See what the farm does")
def get_now(farm: FarmHere, viewer: ViewerHere) -> NowOut:
    """See which machine makes what, what waits, and how long the farm needs for it."""
    return now_out(farm, viewer)


@router.get("/leaders", summary="See who earned most")
def get_leaders(farm: FarmHere, _: CallerHere, limit: Limit = 100, after: AfterPlace = "") -> LeaderList:
    """See who earned the most points, the first of them first, page by page."""
    return leaders(farm, limit, after)


@router.get("/people", summary="List people")
def get_people(
    farm: FarmHere, _: OwnerHere, limit: Limit = 50, after: AfterName = "",
    search: Annotated[str, Query(max_length=80, description="Only whose name or address has this in it.")] = "",
) -> PeoplePage:
    """List people by their names with their roles and points, page by page; for the owner."""
    return people_page(farm, limit, after, search)


@router.patch("/people/{name}", summary="Change somebody")
def change_person(farm: FarmHere, account: OwnerHere, name: AccountInPath, asked: PersonChange) -> PersonOut:
    """Give somebody another role, close their account or open it again; for the owner. 403 for the last owner."""
    return changed_person(farm, account, name, asked)


@router.get("/audit", summary="Read the audit log")
def get_audit(farm: FarmHere, _: OwnerHere, limit: Limit = 50, before: BeforeId = None) -> AuditPage:
    """Read who changed what, the newest first, page by page; for the owner."""
    return audit_page(farm, limit, before)


@router.get("/queue", summary="See the queue")
def get_queue(farm: FarmHere, _: OwnerHere, limit: Limit = 200, after: AfterPlace = "") -> QueueList:
    """See the running jobs in the order in which they are rendered, and how much of each waits, page by page; for the
    owner.
    """
    return queue_list(farm, limit, after)


@router.post("/check", summary="Check the farm")
def add_check(farm: FarmHere, _: OwnerHere) -> CheckOut:
    """Prove that all that the farm knows agrees, and tell what does not; for the owner."""
    return check_out(farm)


@router.post("/backups", status_code=202, summary="Back the farm up")
def add_backup(farm: FarmHere, account: OwnerHere) -> BackupOut:
    """Have the house write a backup into the folder that the farm's setting `backup_folder` names, while the farm
    works; for the owner. One that is under way already is returned as it is. 400 where the setting names no folder.
    """
    return backup_out(backups.ask_backup(farm, account))


@router.get("/backups", summary="List backups")
def get_backups(farm: FarmHere, _: OwnerHere, limit: Limit = 50, before: BeforeId = None) -> BackupList:
    """List the backups that were asked for, the newest first, page by page; for the owner."""
    return backup_list(farm, limit, before)


@router.get("/backups/{backup_id}", summary="Look at a backup")
def get_backup(farm: FarmHere, _: OwnerHere, backup_id: BackupInPath) -> BackupOut:
    """See how far a backup is, and how it ended; for the owner."""
    return backup_out(backups.view_backup(farm, backup_id))


def backup_list(farm: Farm, limit: int, before: int | None) -> BackupList:
    """Write a page of the backups that were asked for, as the command line too shows it."""
    page, following = cut(backups.list_backups(farm, limit + 1, before), limit, lambda one: one.id)
    return BackupList(backups=[backup_out(one) for one in page], next=following)


def backup_out(one: Asked) -> BackupOut:
    """Write a backup."""
    return BackupOut(id=one.id, state=_state(one), who=one.who, folder=one.folder, asked_at=one.asked_at,
                     ended_at=one.ended_at, files_done=one.files_done, files=one.files, new_files=one.new_files,
                     size_bytes=one.size_bytes, trouble=one.trouble)


def _state(one: Asked) -> BackupState:
    if one.ended_at is not None:
        return BackupState.FAILED if one.trouble else BackupState.DONE
    return BackupState.WAITING if one.heard_at is None else BackupState.RUNNING


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


def leaders(farm: Farm, limit: int, after: str) -> LeaderList:
    """Write who earned most, from a place on."""
    found = people.list_earners(farm, limit + 1, place_of(after))
    page, following = cut(found, limit, lambda one: place(one.earned, one.account_id))
    told = [LeaderOut(name=one.name, earned=one.earned, machines=one.machines) for one in page]
    return LeaderList(leaders=told, next=following)


def people_page(farm: Farm, limit: int, after: str, search: str) -> PeoplePage:
    """Write a page of people by their names."""
    found = people.list_people(farm, limit + 1, after, search)
    page, following = cut(found, limit, lambda one: one.account.name)
    return PeoplePage(people=[_person(one) for one in page], next=following)


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
    page, following = cut(owner.read_audit(farm, limit + 1, before), limit, lambda one: one.id)
    lines = [AuditOut(id=one.id, at=one.at, who=one.who, what=one.what, about=one.about) for one in page]
    return AuditPage(lines=lines, next=following)


def queue_list(farm: Farm, limit: int, after: str) -> QueueList:
    """Write the queue, with its jobs from a place on."""
    queue, found = views.view_queue(farm, limit + 1, place_of(after))
    page, following = cut(found, limit, lambda one: place(one.priority, one.job_id))
    lines = [QueueLineOut(job=one.job_id, title=one.title, kind=one.kind, account=one.account, priority=one.priority,
                          waiting=one.waiting, created_at=one.created_at) for one in page]
    return QueueList(jobs=queue.jobs, tasks=queue.tasks, eta_s=queue.eta_s, lines=lines,
                     next=following)


def check_out(farm: Farm) -> CheckOut:
    """Check the farm, and write what is wrong."""
    found = [FindingOut(invariant=one.invariant, what=one.what, remedy=one.remedy)
             for one in islice(check(farm), FINDINGS)]
    return CheckOut(findings=found, limit=FINDINGS)
