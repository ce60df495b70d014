"""What the worker does next: pure rules over a small state; the loop does what they say.

```
open ──► claim ──► make ──► claim …
           └─► (once) drain ──► claim | end
```
It pauses after: no work, a farm out of reach, several renders that failed, a busy machine, a full disk. It ends after a
refusal or a wish to stop.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from sheepfold.protocols.link import Work
from sheepfold.worker.backoff import backoff_s

BUSY_PAUSE_S = 15.0
TRIES_ONCE = 10
"""How often a worker that runs once tries in vain to reach its farm, some ten minutes long."""


@dataclass(frozen=True, slots=True)
class Rules:
    """How this worker works: until the farm has no more work (`once`), and below which load average, if any."""

    once: bool = False
    load_limit: float | None = None


@dataclass(frozen=True, slots=True)
class State:
    """Where the worker is: is its line open, and how often in a row it found no farm, no work, failed, had no room."""

    is_open: bool = False
    unreached: int = 0
    idle: int = 0
    failures: int = 0
    cramped: int = 0


# What to do.


@dataclass(frozen=True, slots=True)
class Open:
    """Open the line."""


@dataclass(frozen=True, slots=True)
class Claim:
    """Ask for a task."""


@dataclass(frozen=True, slots=True)
class Make:
    """Render a task."""

    work: Work


@dataclass(frozen=True, slots=True)
class Drain:
    """Wait until all results are delivered."""


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait some seconds, for the reason given."""

    seconds: float
    why: str


@dataclass(frozen=True, slots=True)
class End:
    """End, well or with what went wrong."""

    problem: str = ""


Step = Open | Claim | Make | Drain | Pause | End


# What happened.


@dataclass(frozen=True, slots=True)
class Started:
    """The worker begins."""


@dataclass(frozen=True, slots=True)
class Opened:
    """The line is open."""


@dataclass(frozen=True, slots=True)
class Granted:
    """The farm gave a task."""

    work: Work


@dataclass(frozen=True, slots=True)
class Nothing:
    """The farm has no task for this machine."""


@dataclass(frozen=True, slots=True)
class Made:
    """A task was rendered, or is wanted no more."""


@dataclass(frozen=True, slots=True)
class Failed:
    """A task could not be rendered."""


@dataclass(frozen=True, slots=True)
class Cramped:
    """A task was given back, as the machine's disk has no room for it."""

    why: str


@dataclass(frozen=True, slots=True)
class Drained:
    """All results are delivered; `was_empty` where none was since the claim."""

    was_empty: bool


@dataclass(frozen=True, slots=True)
class Paused:
    """A pause is over."""


@dataclass(frozen=True, slots=True)
class Busy:
    """The machine is too busy for a task."""

    load: float


@dataclass(frozen=True, slots=True)
class Hindered:
    """The machine should not work now: its owner does not want it to, or its disk is full."""

    why: str


@dataclass(frozen=True, slots=True)
class Unreachable:
    """The farm did not answer, or cannot now."""

    message: str
    retry_after_s: int | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """The farm will not have this machine."""

    message: str


@dataclass(frozen=True, slots=True)
class StopAsked:
    """The worker was asked to stop."""


Event = (
    Started | Opened | Granted | Nothing | Made | Failed | Cramped | Drained | Paused | Busy | Hindered | Unreachable
    | Refused | StopAsked
)


def after(state: State, event: Event, rules: Rules, chance: float) -> tuple[State, Step]:
    """Return the state after an event, and what to do next; `chance`, from 0 to 1, spreads the pauses."""
    answer: Callable[..., tuple[State, Step]] = _ANSWERS[type(event)]
    return answer(state, event, rules, chance)


def _granted(state: State, event: Granted, _: Rules, __: float) -> tuple[State, Step]:
    return replace(state, unreached=0, idle=0), Make(event.work)


def _nothing(state: State, _: Nothing, rules: Rules, chance: float) -> tuple[State, Step]:
    told = replace(state, unreached=0, idle=state.idle + 1)
    return told, Drain() if rules.once else Pause(backoff_s(told.idle, None, chance), "no work")


def _drained(state: State, event: Drained, _: Rules, __: float) -> tuple[State, Step]:
    """Ask once more where something was delivered: it may have been refused, or have made new work."""
    return state, End() if event.was_empty else Claim()


def _failed(state: State, _: Failed, __: Rules, chance: float) -> tuple[State, Step]:
    """Go on after one, which may be the task's fault; slow down after several, which use up other tasks' attempts."""
    told = replace(state, failures=state.failures + 1)
    if told.failures == 1:
        return told, Claim()
    return told, Pause(backoff_s(told.failures, None, chance), f"{told.failures} renders failed in a row")


def _cramped(state: State, event: Cramped, rules: Rules, chance: float) -> tuple[State, Step]:
    """Wait longer each time, as the farm may give the same task again; one that runs once does not wait for room."""
    told = replace(state, cramped=state.cramped + 1)
    seconds = max(BUSY_PAUSE_S * (1 + chance / 4), backoff_s(told.cramped, None, chance))
    return told, End(event.why) if rules.once else Pause(seconds, event.why)


def _paused(state: State, _: Paused, __: Rules, ___: float) -> tuple[State, Step]:
    return state, Claim() if state.is_open else Open()


def _busy(state: State, event: Busy, _: Rules, chance: float) -> tuple[State, Step]:
    return state, Pause(BUSY_PAUSE_S * (1 + chance / 4), f"load {event.load:.2f}")


def _hindered(state: State, event: Hindered, rules: Rules, chance: float) -> tuple[State, Step]:
    """Wait until the machine may work; one that runs once does not wait for other hours, or for room."""
    return state, End(event.why) if rules.once else Pause(BUSY_PAUSE_S * (1 + chance / 4), event.why)


def _unreachable(state: State, event: Unreachable, rules: Rules, chance: float) -> tuple[State, Step]:
    told = replace(state, is_open=False, unreached=state.unreached + 1)
    if rules.once and told.unreached >= TRIES_ONCE:
        return told, End(event.message)
    return told, Pause(backoff_s(told.unreached, event.retry_after_s, chance), event.message)


_ANSWERS: dict[type, Callable[[State, Any, Rules, float], tuple[State, Step]]] = {
    Started: lambda state, *_: (state, Open()),
    # An open line is no farm reached: some wires have nothing to say at this point.
    Opened: lambda state, *_: (replace(state, is_open=True), Claim()),
    Granted: _granted,
    Nothing: _nothing,
    Made: lambda state, *_: (replace(state, failures=0, cramped=0), Claim()),
    Failed: _failed,
    Cramped: _cramped,
    Drained: _drained,
    Paused: _paused,
    Busy: _busy,
    Hindered: _hindered,
    Unreachable: _unreachable,
    Refused: lambda state, event, *_: (state, End(event.message)),
    StopAsked: lambda state, *_: (state, End()),
}
