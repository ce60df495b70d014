"""The part of the REST wire by which owners tell their machines when to work, and to pause, go on or stop."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from sheepfold.model.machines import MOST_IDLE_MIN, MOST_LOAD, Command, WorkRules


class MachineRules(BaseModel):
    """When a machine may work: so many minutes after somebody used it, within hours of its clock such as `22-6`, on
    mains alone, below a load average; 0 and nothing mean that it does not matter.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    idle_min: Annotated[int, Field(ge=0, le=MOST_IDLE_MIN)] = 0
    hours: Annotated[str, StringConstraints(max_length=5, pattern=r"^([0-9]{1,2}-[0-9]{1,2})?$")] = ""
    mains_only: bool = False
    load_limit: Annotated[float, Field(ge=0, le=MOST_LOAD)] = 0.0

    @classmethod
    def of(cls, rules: WorkRules) -> Self:
        """Write rules for the wire."""
        return cls(idle_min=rules.idle_min, hours=rules.hours, mains_only=rules.mains_only,
                   load_limit=rules.load_limit)

    def to_model(self) -> WorkRules:
        """Return them as the worker and the farm read them."""
        return WorkRules(self.idle_min, self.hours, self.mains_only, self.load_limit)


class WishOut(BaseModel):
    """What a machine's worker is told to do, and when it may work."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    command: Command
    rules: MachineRules


class MachineCommand(BaseModel):
    """What a machine is told: `stop` ends our worker, `pause` and `resume` reach older clients too."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    command: Literal["pause", "resume", "stop"]
