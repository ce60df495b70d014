"""The flock: sheep in their generations, loops and the edges between them, numbered as Electric Sheep does."""

from dataclasses import dataclass

from sheepfold.model.jobs import JobId

NUMBERS_IN_A_GENERATION = 100_000
"""Clients count plays in a table of 100,000 places and name files with five digits (protocol note, section 2.1)."""

FIRST_NUMBER = 1
"""Clients take a number of 0 for one that is missing."""


@dataclass(frozen=True, slots=True, order=True)
class SheepId:
    """A sheep's name: ids are consecutive within a generation."""

    generation: int
    number: int


@dataclass(frozen=True, slots=True)
class Sheep:
    """A job of the flame kind in the flock. A loop has first = last = its own number; an edge joins two keyframes."""

    id: SheepId
    job_id: JobId
    first: int
    last: int
    rating: int = 0

    @property
    def is_loop(self) -> bool:
        """Say whether it is its own keyframe, both first and last."""
        return self.first == self.last == self.id.number


def next_id(newest: SheepId | None) -> SheepId:
    """Return the id after the newest one; a full generation opens the next."""
    if newest is None:
        return SheepId(1, FIRST_NUMBER)
    if newest.number + 1 >= NUMBERS_IN_A_GENERATION:
        return SheepId(newest.generation + 1, FIRST_NUMBER)
    return SheepId(newest.generation, newest.number + 1)
