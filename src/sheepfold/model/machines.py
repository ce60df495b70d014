"""Machines: what renders for an account, and the sessions that some wires open for them."""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import NewType

from sheepfold.model.accounts import AccountId
from sheepfold.model.errors import BadInput

MOST_IDLE_MIN, MOST_LOAD = 1440, 1000
_HOURS = re.compile(r"([01]?\d|2[0-4])-([01]?\d|2[0-4])", re.ASCII)
MachineId = NewType("MachineId", int)
SessionId = NewType("SessionId", int)


@dataclass(frozen=True, slots=True)
class Machine:
    """A computer that renders. Its name is unique in the farm, since Browsershots' wire names nothing else."""

    id: MachineId
    account_id: AccountId
    name: str
    last_seen_at: int


class Command(StrEnum):
    """What a machine's worker is told."""

    WORK = "work"
    PAUSE = "pause"
    STOP = "stop"


@dataclass(frozen=True, slots=True)
class WorkRules:
    """When a machine may work: all of it must hold, and what is 0 or empty says nothing.

    `idle_min` minutes after somebody touched its keyboard or mouse; within `hours` of its own clock, such as `22-6`;
    on mains alone; below a load average.
    """

    idle_min: int = 0
    hours: str = ""
    mains_only: bool = False
    load_limit: float = 0.0

    def check(self) -> None:
        """Raise BadInput where a rule makes no sense."""
        if not (0 <= self.idle_min <= MOST_IDLE_MIN and 0 <= self.load_limit <= MOST_LOAD):
            raise BadInput(f"Idle minutes lie between 0 and {MOST_IDLE_MIN}, a load limit between 0 and {MOST_LOAD}.")
        if self.hours and not _HOURS.fullmatch(self.hours):
            raise BadInput(f"Hours are like 22-6, from 0 to 24; found {self.hours[:20]!r}.")

    def allows_hour(self, hour: int) -> bool:
        """Say whether the hours let a machine work in one, 0 to 23; those that are equal mean all day."""
        if not self.hours:
            return True
        first, last = (int(text) % 24 for text in self.hours.split("-"))
        return first <= hour < last if first < last else hour >= first or hour < last


@dataclass(frozen=True, slots=True)
class Wish:
    """What the owner of a machine wishes of it now."""

    command: Command = Command.WORK
    rules: WorkRules = WorkRules()


@dataclass(frozen=True, slots=True)
class Session:
    """What a wire with sessions opened: by which protocol, for which machine, and when it was last heard of."""

    id: SessionId
    machine_id: MachineId
    account_id: AccountId
    protocol: str
    opened_at: int
    last_seen_at: int
