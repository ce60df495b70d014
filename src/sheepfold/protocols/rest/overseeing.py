"""What owners tell their machines: when to work, and to pause, go on or stop."""

from typing import Annotated

from fastapi import APIRouter, Path

from sheepfold.farm.owner import change_machine
from sheepfold.farm.rules import rules_of, set_rules
from sheepfold.protocols.rest.bodies import JsonRoute
from sheepfold.protocols.rest.callers import FarmHere, KeyHolderHere
from sheepfold.protocols.rest.machine_wire import MachineCommand, MachineRules
from sheepfold.store.accounts import KeyHolder

SELF = "self"

router = APIRouter(tags=["machines"], route_class=JsonRoute)
MachineInPath = Annotated[str, Path(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,47}$",
                                    description="The machine's name, or `self` for the key's own.")]


@router.get("/machines/{machine}/rules", summary="Read when a machine may work")
def get_rules(farm: FarmHere, holder: KeyHolderHere, machine: MachineInPath) -> MachineRules:
    """Read when one of the account's machines may work, or any as the owner."""
    return MachineRules.of(rules_of(farm, holder.account, _name(holder, machine)))


@router.put("/machines/{machine}/rules", summary="Write when a machine may work")
def put_rules(
    farm: FarmHere, holder: KeyHolderHere, machine: MachineInPath, asked: MachineRules
) -> MachineRules:
    """Write when one of the account's machines may work, or any as the owner; our worker obeys within half a minute."""
    set_rules(farm, holder.account, _name(holder, machine), asked.to_model())
    return asked


@router.post("/machines/{machine}/commands", status_code=204, summary="Pause, resume or stop a machine")
def add_command(farm: FarmHere, holder: KeyHolderHere, machine: MachineInPath, asked: MachineCommand) -> None:
    """Tell one of the account's machines, or any as the owner. Our worker obeys within half a minute, and gives back
    what it renders; an older client is refused when it asks for work next.
    """
    change_machine(farm, holder.account, _name(holder, machine), asked.command)


def _name(holder: KeyHolder, machine: str) -> str:
    return holder.machine.name if machine == SELF else machine
