"""What several operations name in their paths."""

import re
from typing import Annotated

from fastapi import Depends, Path
from pydantic import BeforeValidator

from sheepfold.farm.accounts import may_command
from sheepfold.protocols.rest import wire
from sheepfold.protocols.rest.callers import FarmHere, KeyHolderHere
from sheepfold.store.accounts import KeyHolder

SELF = "self"
_MACHINE = r"^[A-Za-z][A-Za-z0-9_-]{0,47}$"

_DIGITS = re.compile(r"[0-9]{1,19}")


def id_of(text: str) -> int:
    """Return the id that a part of a path spells; raises ValueError for all but plain digits, and beyond MOST_ID.

    Whatever looks at a path before its operation does reads it by this as well: where one of the two took `+7` for a
    7 and the other for nothing, that would be a way past the first.
    """
    if not _DIGITS.fullmatch(text) or int(text) > wire.MOST_ID:
        raise ValueError("An id is a whole number, in digits alone.")
    return int(text)


IdInPath = Annotated[int, BeforeValidator(id_of)]
"""A whole number in a path; what it is of says a Path beside it."""
JobInPath = Annotated[IdInPath, Path(ge=0, le=wire.MOST_ID, description="The job's id.")]
TaskInPath = Annotated[IdInPath, Path(ge=0, le=wire.MOST_ID, description="The task's id.")]
AccountInPath = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{1,48}$", description="The account's name.")]
MachineInPath = Annotated[str, Path(pattern=_MACHINE, description="The machine's name.")]
MachineOrSelfInPath = Annotated[str, Path(pattern=_MACHINE,
                                          description=f"The machine's name, or `{SELF}` for the key's own.")]


def machine_named(holder: KeyHolder, machine: str) -> str:
    """Return the machine that a path names, which may be that of the key."""
    return holder.machine.name if machine == SELF else machine


def machine_commanded(farm: FarmHere, holder: KeyHolderHere, machine: MachineOrSelfInPath) -> str:
    """Return the machine that a path names, for a key that may command it; raises Forbidden, UnknownMachine."""
    name = machine_named(holder, machine)
    may_command(farm, holder, name)
    return name


CommandedInPath = Annotated[str, Depends(machine_commanded)]
