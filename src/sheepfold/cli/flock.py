"""`sheepfold flock`: the sheep of the living generation, their kin, votes on them, and how they leave."""

from enum import StrEnum
from typing import Annotated

import typer
from rich.console import Group
from rich.table import Table

from sheepfold.cli.command import Office, Said, office_command
from sheepfold.cli.paging import AfterIdOption, LimitOption, listed
from sheepfold.cli.plain import columns
from sheepfold.protocols.rest.wire import SheepOut

app = typer.Typer(add_completion=False, rich_markup_mode="markdown", no_args_is_help=True)
_Generation = Annotated[int, typer.Argument(metavar="GENERATION", min=0)]
_Number = Annotated[int, typer.Argument(metavar="NUMBER", min=0)]


class Opinion(StrEnum):
    """What somebody thinks of a sheep."""

    LIKE = "like"
    DISLIKE = "dislike"


@app.callback()
def flock() -> None:
    """See the flock, a sheep's kin, vote, and take sheep out."""


@office_command(app, "list")
def list_sheep(office: Office, limit: LimitOption = 200, after: AfterIdOption = None) -> Said:
    """List the sheep of the living generation that have a film, by their numbers."""
    page = office.flock(limit, after)
    return Said(page, listed(page, _table(page.sheep)))


@office_command(app)
def show(office: Office, generation: _Generation, number: _Number) -> Said:
    """Show the sheep NUMBER of a GENERATION: its votes, its parents and children, and the edges at it."""
    found = office.sheep(generation, number)
    told = f"Liked by {found.liked}, disliked by {found.disliked}; made by job {found.sheep.job}."
    kin = [part for name in ("parents", "children", "leaving", "coming") if getattr(found, name)
           for part in (f"\n{name}:", _table(getattr(found, name)))]
    return Said(found, Group(_table([found.sheep]), told, *kin))


@office_command(app)
def vote(
    office: Office, number: _Number, opinion: Annotated[Opinion, typer.Argument(metavar="like|dislike")],
    generation: Annotated[int | None, typer.Option(min=0, help="Of another generation than the living one.")] = None,
) -> Said:
    """Like or dislike the sheep NUMBER; you have one vote on each, and the newest counts."""
    office.vote(number, 1 if opinion is Opinion.LIKE else -1, generation)
    return Said({"number": number, "opinion": opinion}, f"You {opinion} sheep {number}.")


@office_command(app)
def retire(office: Office, generation: _Generation, number: _Number) -> Said:
    """Take the sheep NUMBER of a GENERATION out of the flock, a loop with the edges that touch it.

    It must be yours, or the farm. Films and pictures stay.
    """
    return Said(office.retire(generation, number), f"Sheep {generation}.{number} has left the flock.")


def _table(sheep: list[SheepOut]) -> Table:
    table = columns("generation", "number", "from", "to", "rating", "job")
    for one in sheep:
        table.add_row(*map(str, (one.generation, one.number, one.first, one.last, one.rating, one.job)))
    return table
