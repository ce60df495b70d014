"""The argument that names a job or a task by its number."""

from typing import Annotated

import typer


def _known_to_databases(number: int) -> int:
    if not 0 < number < 2**63:
        raise typer.BadParameter(f"An ID is a number above 0, and no farm has one like {str(number)[:30]}.")
    return number


IdArgument = Annotated[int, typer.Argument(metavar="ID", callback=_known_to_databases)]
