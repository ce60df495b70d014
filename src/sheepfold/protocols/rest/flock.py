"""What players and people ask: the flock and its votes, the machines, and who they are themselves."""

from typing import Annotated

from fastapi import APIRouter, Path

from sheepfold.farm import flock as flock_verbs
from sheepfold.farm import views
from sheepfold.farm.browse import purse_of
from sheepfold.farm.farm import Farm
from sheepfold.model.accounts import Account, Role
from sheepfold.model.flock import SheepId
from sheepfold.protocols.rest import wire
from sheepfold.protocols.rest.bodies import JsonRoute
from sheepfold.protocols.rest.callers import CallerHere, CancelerHere, FarmHere, KeyHolderHere, may_order_at_all
from sheepfold.protocols.rest.flock_wire import SheepPage
from sheepfold.protocols.rest.page_wire import place, place_of
from sheepfold.protocols.rest.paging import AfterId, AfterPlace, Limit, cut
from sheepfold.protocols.rest.paths import IdInPath
from sheepfold.store.flock import FilmedSheep
from sheepfold.store.views import MachineRow

router = APIRouter(route_class=JsonRoute)

GenerationInPath = Annotated[IdInPath, Path(ge=0, le=2**31 - 1, description="The sheep's generation.")]
NumberInPath = Annotated[IdInPath, Path(ge=0, le=2**31 - 1, description="The sheep's number in its generation.")]


@router.get("/flock", tags=["flock"], summary="List the living flock")
def get_flock(farm: FarmHere, _: CallerHere, limit: Limit = 200, after: AfterId = None) -> wire.FlockOut:
    """List the sheep of the living generation that have a film by their numbers, page by page; a film is the product
    `film.mp4` of the sheep's job.
    """
    return flock_out(farm, limit, after)


@router.post("/flock/{number}/votes", tags=["flock"], status_code=204, summary="Vote on a sheep")
def add_vote(farm: FarmHere, holder: KeyHolderHere, number: NumberInPath, cast: wire.VoteCast) -> None:
    """Vote for or against a sheep; an account has one vote on each, and the newest counts."""
    flock_verbs.vote_as(farm, holder.account, number, cast.value, cast.generation)


@router.get("/machines", tags=["machines"], summary="List machines")
def get_machines(
    farm: FarmHere, caller: CallerHere, limit: Limit = 50, after: AfterPlace = ""
) -> wire.MachineList:
    """List all machines, those heard of last first, page by page; of the caller's own, or to the owner, with more."""
    return machine_list(farm, caller.account, limit, after)


@router.get("/whoami", tags=["machines"], summary="Say whose key this is")
def get_whoami(farm: FarmHere, holder: CallerHere) -> wire.Whoami:
    """Say whom the key or session of this request belongs to, what it may do, and what points its account has."""
    purse = purse_of(farm, holder.account)
    return wire.Whoami(account=holder.account.name, role=holder.account.role, machine=holder.machine.name,
                       may_order=may_order_at_all(holder), is_suspended=holder.is_suspended,
                       earned=purse.earned, spent=purse.spent)


@router.get("/flock/{generation}/{number}", tags=["flock"], summary="Look at a sheep")
def get_sheep(farm: FarmHere, _: CallerHere, generation: GenerationInPath, number: NumberInPath) -> SheepPage:
    """Look at a sheep of any generation: its votes, its parents and children, and the edges that leave and come."""
    return sheep_page(farm, SheepId(generation, number))


@router.delete("/flock/{generation}/{number}", tags=["flock"], summary="Retire a sheep")
def delete_sheep(
    farm: FarmHere, account: CancelerHere, generation: GenerationInPath, number: NumberInPath
) -> SheepPage:
    """Take one of the account's sheep out of the flock, or any as the owner, a loop with the edges that touch it; films
    and pictures stay.
    """
    flock_verbs.retire_sheep(farm, account, SheepId(generation, number))
    return sheep_page(farm, SheepId(generation, number))


def flock_out(farm: Farm, limit: int, after: int | None) -> wire.FlockOut:
    """Write a page of the living flock, which is small by nature, as the command line too shows it."""
    flock = flock_verbs.list_flock(farm)
    width, height = flock.size
    later = [one for one in flock.sheep if after is None or one.sheep.id.number > after]
    page, following = cut(later, limit, lambda one: one.sheep.id.number)
    return wire.FlockOut(generation=flock.generation, width=width, height=height,
                         sheep=[_filmed(one) for one in page], next=following)


def sheep_page(farm: Farm, sheep_id: SheepId) -> SheepPage:
    """Write a sheep with its kin."""
    found = views.view_sheep(farm, sheep_id)
    kin = {name: [wire.SheepOut.of(one.sheep) for one in getattr(found, name)]
           for name in ("parents", "children", "leaving", "coming")}
    return SheepPage(sheep=wire.SheepOut.of(found.sheep), liked=found.votes.liked, disliked=found.votes.disliked,
                     retired_at=found.retired_at, **kin)


def machine_list(farm: Farm, account: Account, limit: int, after: str) -> wire.MachineList:
    """Write machines from a place on, as an account sees them."""
    found = views.machines_of(farm, None, limit + 1, place_of(after))
    page, following = cut(found, limit, lambda one: place(one.last_seen_at, one.id))
    return wire.MachineList(machines=[_machine(one, account) for one in page], next=following)


def _machine(one: MachineRow, account: Account) -> wire.MachineOut:
    told = wire.MachineOut(id=one.id, name=one.name, last_seen_at=one.last_seen_at, power=one.power)
    if one.account_id != account.id and account.role is not Role.OWNER:
        return told
    return told.model_copy(update={"account": one.account, "suspended_at": one.suspended_at, "keys": one.keys})


def _filmed(one: FilmedSheep) -> wire.SheepOut:
    film = {"film_size_bytes": one.size_bytes, "film_digest": one.digest, "film_made_at": one.made_at}
    return wire.SheepOut.of(one.sheep).model_copy(update=film)
