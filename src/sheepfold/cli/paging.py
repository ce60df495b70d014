"""The options by which a list comes page by page, and the line that leads to the next page."""

from typing import Annotated, Any

import typer
from rich.console import Group, RenderableType
from rich.table import Table

from sheepfold.cli.plain import NONE
from sheepfold.protocols.rest.page_wire import Page

LimitOption = Annotated[int, typer.Option("--limit", min=1, max=200, metavar="N", help="How many at most.")]
AfterOption = Annotated[str, typer.Option("--after", metavar="PLACE", help="The next page: what the one before says.")]
AfterIdOption = Annotated[int | None, typer.Option("--after", min=0, metavar="ID", help="Only those after this one.")]
BeforeOption = Annotated[int | None, typer.Option("--before", min=0, metavar="ID", help="Only those before this one.")]


def listed(page: Page[Any], table: Table, *below: RenderableType) -> RenderableType:
    """Return a page as people see it: its table, what is told below, and how to see the next page if there is one."""
    none = [] if page.rows else [NONE]
    more = [] if page.next is None else [f"There are more: --{page.turn} {page.next}"]
    return Group(table, *none, *below, *more)
