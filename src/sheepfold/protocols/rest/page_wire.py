"""The part of the REST wire that lists have in common: they come page by page."""

from collections.abc import Sequence
from typing import ClassVar, Protocol, TypeVar

from sheepfold.model.errors import BadInput

Row_co = TypeVar("Row_co", covariant=True)
PLACE = r"-?[0-9]{1,18}\.[0-9]{1,18}"
"""How the place in a list that falls is written: the falling number, and the id of who has it."""


class Page(Protocol[Row_co]):
    """A piece of a list; `next` is what to ask for by the parameter `turn`, None on the last page."""

    turn: ClassVar[str]

    @property
    def rows(self) -> Sequence[Row_co]:
        """Return what is listed."""

    @property
    def next(self) -> int | str | None:
        """Return where the following page begins."""


def place(falling: int, row_id: int) -> str:
    """Write a place."""
    return f"{falling}.{row_id}"


def place_of(told: str) -> tuple[int, int] | None:
    """Read a place, None for the beginning; raises BadInput."""
    if not told:
        return None
    falling, _, row_id = told.partition(".")
    try:
        return int(falling), int(row_id)
    except ValueError as error:
        raise BadInput(f"`after` is the `next` of the page before, such as 1500.7; found {told[:40]!r}.") from error
