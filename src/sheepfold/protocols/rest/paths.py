"""What several operations name in their paths."""

from typing import Annotated

from fastapi import Path

from sheepfold.protocols.rest import wire
from sheepfold.store.accounts import KeyHolder

SELF = "self"
_MACHINE = r"^[A-Za-z][A-Za-z0-9_-]{0,47}$"

JobInPath = Annotated[int, Path(ge=0, le=wire.MOST_ID, description="The job's id.")]
TaskInPath = Annotated[int, Path(ge=0, le=wire.MOST_ID, description="The task's id.")]
AccountInPath = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{1,48}$", description="The account's name.")]
MachineInPath = Annotated[str, Path(pattern=_MACHINE, description="The machine's name.")]
MachineOrSelfInPath = Annotated[str, Path(pattern=_MACHINE,
                                          description=f"The machine's name, or `{SELF}` for the key's own.")]


def machine_named(holder: KeyHolder, machine: str) -> str:
    """Return the machine that a path names, which may be that of the key."""
    return holder.machine.name if machine == SELF else machine
