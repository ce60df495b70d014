"""What owners tell their machines: when to work, and to pause, go on or stop."""


from fastapi import APIRouter

from sheepfold.farm.owner import change_machine
from sheepfold.farm.rules import rules_of, set_rules
from sheepfold.protocols.rest.bodies import JsonRoute
from sheepfold.protocols.rest.callers import FarmHere, KeyHolderHere
from sheepfold.protocols.rest.machine_wire import MachineCommand, MachineRules
from sheepfold.protocols.rest.paths import MachineOrSelfInPath, machine_named

router = APIRouter(tags=["machines"], route_class=JsonRoute)


@router.get("/machines/{machine}/rules", summary="Read when a machine may work")
def get_rules(farm: FarmHere, holder: KeyHolderHere, machine: MachineOrSelfInPath) -> MachineRules:
    """Read when one of the account's machines may work, or any as the owner."""
    return MachineRules.of(rules_of(farm, holder.account, machine_named(holder, machine)))


@router.put("/machines/{machine}/rules", summary="Write when a machine may work")
def put_rules(
    farm: FarmHere, holder: KeyHolderHere, machine: MachineOrSelfInPath, asked: MachineRules
) -> MachineRules:
    """Write when one of the account's machines may work, or any as the owner; our worker obeys within half a minute."""
    set_rules(farm, holder.account, machine_named(holder, machine), asked.to_model())
    return asked


@router.post("/machines/{machine}/commands", status_code=204, summary="Pause, resume or stop a machine")
def add_command(farm: FarmHere, holder: KeyHolderHere, machine: MachineOrSelfInPath, asked: MachineCommand) -> None:
    """Tell one of the account's machines, or any as the owner. Our worker obeys within half a minute, and gives back
    what it renders; an older client is refused when it asks for work next.
    """
    change_machine(farm, holder.account, machine_named(holder, machine), asked.command)
