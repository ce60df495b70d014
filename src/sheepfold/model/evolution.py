"""How a flock lives by itself: which sheep retire, which loops are bred and of whom, which loops an edge shall join.

The rules are pure: chance is asked of the caller, who also does what they say. They go one step at a time and look at
the whole flock each time, so a step that was lost or done twice is made good by the next.
"""

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum

from sheepfold.model.flock import Sheep, SheepId

Chance = Callable[[], float]
"""Returns a number from 0 up to, but not including, 1."""

MOST_LOST = 3
"""A loop of which so many edges were lost is joined no more: others' turn would never come, if its genome is why."""

CROSS_SHARE, MUTATE_SHARE = 0.6, 0.3
"""Of loops that are bred where both is possible; the rest are random strangers, lest the flock become all cousins."""


class Method(StrEnum):
    """How a genome comes to be."""

    RANDOM = "random"
    MUTATE = "mutate"
    CROSS = "cross"


@dataclass(frozen=True, slots=True)
class Member:
    """A sheep of the living flock: whether it is an order of the flock's own that runs, and whether its film is there.

    One that is lost will never have a film: its job failed or was canceled, or no film could be made of it.
    """

    sheep: Sheep
    is_rendering: bool
    is_filmed: bool
    is_lost: bool = False


@dataclass(frozen=True, slots=True)
class Goals:
    """What a flock strives for: filmed loops, edges that leave each of them, and own orders rendered at a time."""

    loops: int
    edges: int = 2
    ahead: int = 2


@dataclass(frozen=True, slots=True)
class Retire:
    """Take sheep out of the flock: a loop with the edges that touch it."""

    sheep: tuple[Sheep, ...]


@dataclass(frozen=True, slots=True)
class Breed:
    """Make a loop of a new genome, of no parent, one or two."""

    method: Method
    parents: tuple[Sheep, ...]


@dataclass(frozen=True, slots=True)
class Join:
    """Make the edge that leads from the one loop to the other."""

    first: Sheep
    last: Sheep


Step = Retire | Breed | Join


def next_step(members: Sequence[Member], goals: Goals, chance: Chance, barren: Collection[SheepId] = ()) -> Step | None:
    """Return what the flock shall do next; None while enough of it is being rendered. The barren have no children."""
    loops = [member.sheep for member in members if member.is_filmed and member.sheep.is_loop]
    if len(loops) > goals.loops:
        return _retirement(members, loops)
    if sum(member.is_rendering for member in members) >= goals.ahead:
        return None
    edge = _missing_edge(members, loops, goals)
    return edge or _bred([loop for loop in loops if loop.id not in barren], chance)


def _retirement(members: Sequence[Member], loops: Sequence[Sheep]) -> Retire:
    """Retire the loop that is liked least, of equals the oldest, and the edges that would lead nowhere then."""
    least = min(loops, key=lambda loop: (loop.rating, loop.id))
    edges = (member.sheep for member in members if not member.sheep.is_loop)
    return Retire((least, *(edge for edge in edges if least.id.number in {edge.first, edge.last})))


def _missing_edge(members: Sequence[Member], loops: Sequence[Sheep], goals: Goals) -> Join | None:
    """Return an edge from the loop that the fewest leave to the one that the fewest reach, if edges are wanted.

    One that was lost is tried again, after those that were not.
    """
    pairs, lost = set(_pairs(members, is_lost=False)), _pairs(members, is_lost=True)
    leaving, arriving = Counter(first for first, _ in pairs), Counter(last for _, last in pairs)
    losses = Counter(end for pair in lost for end in pair)
    loops = [loop for loop in loops if losses[loop.id.number] < MOST_LOST]
    for first in sorted(loops, key=lambda loop: (leaving[loop.id.number], loop.id)):
        if leaving[first.id.number] >= goals.edges:
            return None
        ways = {(first.id.number, loop.id.number): loop for loop in loops if loop != first}
        if untried := [pair for pair in ways if pair not in pairs]:
            return Join(first, ways[min(untried, key=lambda pair: (pair in lost, arriving[pair[1]], pair))])
    return None


def _pairs(members: Sequence[Member], *, is_lost: bool) -> list[tuple[int, int]]:
    """Return what edges join, those that are lost or the others."""
    edges = (member.sheep for member in members if member.is_lost == is_lost)
    return [(edge.first, edge.last) for edge in edges if edge.first != edge.last]


def _bred(loops: Sequence[Sheep], chance: Chance) -> Breed:
    share = chance()
    if len(loops) > 1 and share < CROSS_SHARE:
        first = _favourite(loops, chance)
        second = _favourite([loop for loop in loops if loop != first], chance)
        return Breed(Method.CROSS, (first, second))
    if loops and share < CROSS_SHARE + MUTATE_SHARE:
        return Breed(Method.MUTATE, (_favourite(loops, chance),))
    return Breed(Method.RANDOM, ())


def _favourite(loops: Sequence[Sheep], chance: Chance) -> Sheep:
    """Draw two and return the one that is liked better: votes help, and nobody is without hope."""
    drawn = (loops[int(chance() * len(loops))] for _ in range(2))
    return max(drawn, key=lambda loop: loop.rating)
