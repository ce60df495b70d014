"""Storms of spoilt requests on a furnished farm, and how many of them came past a wire's door.

What is asked, and what is wrong with it, follows from a seed alone; keys, tokens and nonces are the farm's. An answer
of 5xx other than 503, or a traceback in the log, is a mistake of the farm's.
"""

import asyncio
import itertools
import random
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from starlette.types import ASGIApp

from .furnished import Furnished  # the tests import this as bench.ground.storm
from .fuzzing import Answered, Tracebacks, answered, spoilt
from .seed import Seed

TURN = 500
"""After so many inputs ten minutes pass, and everybody comes anew."""
LEAST = dict.fromkeys(("rest", "sheepit", "browsershots", "electricsheep", "pages"), 0.3)
"""The share of each wire's inputs that must come past its door, where there is something to be upset."""
ENOUGH = 100
"""Of fewer inputs of a wire a share says nothing."""
_PAST = {400, 409, 410, 413, 416, 422, 429}
"""How REST and pages refuse what they have looked at: whoever asked was let in, and what they named is there."""
_REFUSAL = re.compile(r" (refused|fault|unavailable)=(\w+)")
_JUDGED = re.compile(r"UndecodablePicture|BrokenPicture|WrongDimensions|LeaseNotHeld|JobEnded|TooLarge|41[0-9]")
"""What the old wires' log says of a refusal that comes behind the door: of a picture, a lease, a body."""


class Upset(Exception):
    """The farm made a mistake: the text says which, and of which request."""


@dataclass(slots=True)
class Tally:
    """How requests were answered: by status, and by wire how many were asked and came past the door."""

    statuses: Counter[int] = field(default_factory=Counter)
    asked: Counter[str] = field(default_factory=Counter)
    inside: Counter[str] = field(default_factory=Counter)

    def add(self, other: "Tally") -> None:
        """Count another storm in."""
        self.statuses += other.statuses
        self.asked += other.asked
        self.inside += other.inside

    def shares(self) -> dict[str, float]:
        """Return the share of each wire's inputs that came past its door."""
        return {wire: round(self.inside[wire] / count, 3) for wire, count in sorted(self.asked.items())}

    def shallow(self) -> list[str]:
        """Return the wires of whose inputs too few came past the door."""
        return [f"{wire}: {share}" for wire, share in self.shares().items()
                if self.asked[wire] >= ENOUGH and share < LEAST[wire]]


async def rage(app: ASGIApp, log: Tracebacks, room: Furnished, known: Sequence[Seed], seed: int, count: int) -> Tally:
    """Send so many spoilt requests and tell how they were answered; raises Upset at the first mistake."""
    chance, tally = random.Random(seed), Tally()
    weights = list(itertools.accumulate(one.weight for one in known))
    for number in range(count):
        if number % TURN == 0:
            room.turn()
        origin = chance.choices(known, cum_weights=weights)[0]
        asked = spoilt(origin.make(room), chance)
        log.lines.clear()
        try:
            answer = await asyncio.wait_for(answered(app, asked), 60)
        except Exception as error:
            raise Upset(f"input {number} of seed {seed}: {type(error).__name__}: {error}: {asked!r:.2000}") from error
        if (answer.status >= 500 and answer.status != 503) or log.found:
            raise Upset(f"input {number} of seed {seed}: {answer.status}, {log.found[:1]}: {asked!r:.2000}")
        tally.statuses[answer.status] += 1
        tally.asked[origin.wire] += 1
        tally.inside[origin.wire] += is_inside(origin.wire, answer, log.lines)
    return tally


def is_accepted(answer: Answered, lines: Sequence[str]) -> bool:
    """Say whether a request did what it asks for, by its answer and what was logged meanwhile."""
    is_led_away = answer.headers.get(b"location", b"").startswith(b"/sign-in?")
    return 200 <= answer.status < 400 and not is_led_away and not _refusals(lines)


def is_inside(wire: str, answer: Answered, lines: Sequence[str]) -> bool:
    """Say whether a request came past the door: whoever asks was known, and had the lease, nonce or thing they named.

    Old wires refuse with status 200, and say what in the log alone.
    """
    if is_accepted(answer, lines):
        return True
    if wire in {"rest", "pages"}:
        return answer.status in _PAST
    refusals = _refusals(lines)
    return bool(refusals) and all(_JUDGED.fullmatch(one) for one in refusals)


def _refusals(lines: Sequence[str]) -> list[str]:
    return [found[2] for line in lines for found in _REFUSAL.finditer(line)]
