"""Machines: what renders for an account, and the sessions that some wires open for them."""

from dataclasses import dataclass
from typing import NewType

from sheepfold.model.accounts import AccountId

MachineId = NewType("MachineId", int)
SessionId = NewType("SessionId", int)


@dataclass(frozen=True, slots=True)
class Machine:
    """A computer that renders. Its name is unique in the farm, since Browsershots' wire names nothing else."""

    id: MachineId
    account_id: AccountId
    name: str
    last_seen_at: int


@dataclass(frozen=True, slots=True)
class Session:
    """What a wire with sessions opened: by which protocol, for which machine, and when it was last heard of."""

    id: SessionId
    machine_id: MachineId
    account_id: AccountId
    protocol: str
    opened_at: int
    last_seen_at: int
