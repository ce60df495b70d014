"""How a worker speaks with a farm, whatever the wire: the seam that every protocol's `client.py` fills."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from sheepfold.model.machines import Wish
from sheepfold.model.matching import Abilities


@dataclass(frozen=True, slots=True)
class Work:
    """A lease as the volunteer's side sees it.

    `handle` is the wire's own name of the lease, opaque to the worker; `term_s` says how long the lease lasts from
    now, in seconds. `inputs` maps names to digests (SHA-256, hex) of files that may be cached across tasks. `order` is
    what tasks of one order have in common where their specs differ; where it is empty, spec, inputs and script are.
    `script` is a program that a wire has in the place of a spec's words, as SheepIt's; no spec can bring one.
    """

    handle: str
    kind: str
    spec: Mapping[str, Any]
    frame: int
    part: int
    term_s: int
    inputs: Mapping[str, str]
    order: str = ""
    script: str = ""


@dataclass(frozen=True, slots=True)
class Figures:
    """What the client says of a render: seconds of wall time, KiB of memory, processor cores used."""

    render_time_s: int = 0
    memory_kib: int = 0
    cores: int = 0


class Receipt(StrEnum):
    """What a farm answered to a result."""

    ACCEPTED = "accepted"
    REFUSED = "refused"      # judged and found wanting: sending it again would not help
    UNWANTED = "unwanted"    # the lease is not ours or the job has ended


class FarmUnreachable(Exception):
    """The farm does not answer, or answers that it cannot now: try again later.

    `retry_after_s` is the farm's own wish, if it had one.
    """

    def __init__(self, message: str, retry_after_s: int | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class FarmRefused(Exception):
    """The farm will not have this machine: wrong key, suspended, or no work for its system ever."""


class FarmPaused(FarmRefused):
    """The farm gives this machine no work until somebody lets it work again."""


@runtime_checkable
class Overseen(Protocol):
    """A line over which the owner's wishes come, where the wire can carry them."""

    def wish(self) -> Wish:
        """Ask what the owner wishes of this machine now; raises FarmUnreachable, FarmRefused."""
        ...


class Link(Protocol):
    """One machine's line to one farm; any call may raise FarmUnreachable, or FarmRefused where trying again is vain."""

    def open(self, abilities: Abilities) -> None:
        """Introduce the machine; called once at the start, and again after FarmUnreachable."""
        ...

    def claim(self, abilities: Abilities, *, may_wait: bool = True) -> Work | None:
        """Ask for a task; None when there is nothing to do, at once or, where the wire can, after some waiting."""
        ...

    def fetch_task_input(self, work: Work, target: Path) -> bool:
        """Write the task's own input to `target`; False where the task has none."""
        ...

    def fetch_input(self, work: Work, name: str, target: Path) -> None:
        """Write one of the job's inputs to `target`, streaming; the caller checks its digest."""
        ...

    def heartbeat(self, work: Work, seconds_done: int) -> bool:
        """Tell that the render goes on; False when the farm wants the task no more."""
        ...

    def submit(self, work: Work, picture: Path, figures: Figures) -> Receipt:
        """Send a result; may be repeated with the same picture."""
        ...

    def give_up(self, work: Work, reason: str, log: Path | None, *, failed: bool) -> None:
        """Give a lease back, as `failed` (with the renderer's log) or merely unwanted."""
        ...

    def close(self) -> None:
        """End the session, where the wire has one."""
        ...
