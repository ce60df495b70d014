"""What is asked of every list: how much of it, and after or before what."""

from collections.abc import Callable, Sequence
from typing import Annotated, TypeVar

from fastapi import Query

from sheepfold.protocols.rest import wire
from sheepfold.protocols.rest.page_wire import PLACE

Row = TypeVar("Row")
Place = TypeVar("Place", int, str)

Limit = Annotated[int, Query(ge=1, le=200, description="How many at most.")]
BeforeId = Annotated[int | None, Query(ge=0, le=wire.MOST_ID, description="Only what has smaller ids.")]
AfterId = Annotated[int | None, Query(ge=0, le=wire.MOST_ID, description="Only what has larger ids.")]
AfterName = Annotated[str, Query(max_length=48, pattern=r"^[A-Za-z0-9_-]*$", description="Only later names.")]
AfterPlace = Annotated[str, Query(pattern=f"^({PLACE})?$", description="The `next` of the page before.")]


def cut(rows: Sequence[Row], limit: int, place_of: Callable[[Row], Place]) -> tuple[Sequence[Row], Place | None]:
    """Return a page of rows, of which one more was asked for, and the place after which the following one begins."""
    page = rows[:limit]
    return page, place_of(page[-1]) if len(rows) > limit else None
