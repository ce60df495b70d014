"""What owners tell their machines: when to work, and to pause, go on or stop."""


from fastapi import APIRouter

from sheepfold.farm.owner import change_machine
from sheepfold.farm.rules import rules_of, set_rules
from sheepfold.protocols.rest.bodies import JsonRoute
from sheepfold.protocols.rest.callers import FarmHere, KeyHolderHere
from sheepfold.protocols.rest.machine_wire import MachineCommand, MachineRules
from sheepfold.protocols.rest.paths import CommandedInPath

router = APIRouter(tags=["machines"], route_class=JsonRoute)


@router.get("/machines/{machine}/rules", summary="Read when a machine may work")
def get_rules(farm: FarmHere, holder: KeyHolderHere, machine: CommandedInPath) -> MachineRules:
    """Read when the key's own machine may work, or with the scope `order` one of the account's; any as the owner, with
    `manage`.
    """
    return MachineRules.of(rules_of(farm, holder.account, machine))


@router.put("/machines/{machine}/rules", summary="Write when a machine may work")
def put_rules(
    farm: FarmHere, holder: KeyHolderHere, machine: CommandedInPath, asked: MachineRules
) -> MachineRules:
    """Write when the key's own machine may work, or with the scope `order` one of the account's; any as the owner, with
    `manage`. Our worker obeys within half a minute.
    """
    set_rules(farm, holder.account, machine, asked.to_model())
    return asked


@router.post("/machines/{machine}/commands", status_code=204, summary="Pause, resume or stop a machine")
def add_command(farm: FarmHere, holder: KeyHolderHere, machine: CommandedInPath, asked: MachineCommand) -> None:
    """Tell the key's own machine, or with the scope `order` one of the account's; any as the owner, with `manage`.

    Our worker obeys within half a minute, and gives back what it renders; an older client is refused when it asks for
    work next.
    """
    change_machine(farm, holder.account, machine, asked.command)
