"""What players and people ask: the flock and its votes, the machines, and who they are themselves."""

from typing import Annotated

from fastapi import APIRouter, Path

from sheepfold.farm import flock as flock_verbs
from sheepfold.farm.browse import list_machines, powers, purse_of
from sheepfold.protocols.rest import wire
from sheepfold.protocols.rest.bodies import JsonRoute
from sheepfold.protocols.rest.callers import CallerHere, FarmHere, KeyHolderHere, may_order_at_all
from sheepfold.store.flock import FilmedSheep

router = APIRouter(route_class=JsonRoute)

NumberInPath = Annotated[int, Path(ge=0, le=2**31 - 1, description="The sheep's number in its generation.")]


@router.get("/flock", tags=["flock"], summary="List the living flock")
def get_flock(farm: FarmHere, _: CallerHere) -> wire.FlockOut:
    """List the sheep of the newest generation that have a film; a film is the product `film.mp4` of the sheep's job."""
    flock = flock_verbs.list_flock(farm)
    width, height = flock.size
    sheep = [_filmed(one) for one in flock.sheep]
    return wire.FlockOut(generation=flock.generation, width=width, height=height, sheep=sheep)


@router.post("/flock/{number}/votes", tags=["flock"], status_code=204, summary="Vote on a sheep")
def add_vote(farm: FarmHere, holder: KeyHolderHere, number: NumberInPath, cast: wire.VoteCast) -> None:
    """Vote for or against a sheep; an account has one vote on each, and the newest counts."""
    flock_verbs.vote(farm, number, holder.account.name, cast.value, cast.generation)


@router.get("/machines", tags=["machines"], summary="List machines")
def get_machines(farm: FarmHere, _: CallerHere) -> wire.MachineList:
    """List all machines, those heard of last first."""
    found = powers(farm)
    machines = [wire.MachineOut(id=one.id, name=one.name, last_seen_at=one.last_seen_at, power=found.get(one.id))
                for one in list_machines(farm)]
    return wire.MachineList(machines=machines)


@router.get("/whoami", tags=["machines"], summary="Say whose key this is")
def get_whoami(farm: FarmHere, holder: CallerHere) -> wire.Whoami:
    """Say whom the key or session of this request belongs to, what it may do, and what points its account has."""
    purse = purse_of(farm, holder.account)
    return wire.Whoami(account=holder.account.name, role=holder.account.role, machine=holder.machine.name,
                       may_order=may_order_at_all(holder), is_suspended=holder.is_suspended,
                       earned=purse.earned, spent=purse.spent)


def _filmed(one: FilmedSheep) -> wire.SheepOut:
    film = {"film_size_bytes": one.size_bytes, "film_digest": one.digest, "film_made_at": one.made_at}
    return wire.SheepOut.of(one.sheep).model_copy(update=film)
