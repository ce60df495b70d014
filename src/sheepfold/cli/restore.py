"""`sheepfold restore`: a farm made of a backup."""

import os
from pathlib import Path
from typing import Annotated

import typer

from sheepfold.cli.findings import lines_of
from sheepfold.cli.options import DataOption, farm_in
from sheepfold.config import settings_for
from sheepfold.farm.backup import restore
from sheepfold.farm.checkup import check

app = typer.Typer(add_completion=False, rich_markup_mode="markdown")


@app.command()
def restore_farm(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", exists=True, file_okay=False, help="The backup.")],
    data: DataOption,
) -> None:
    """Make a new farm in DIR, or in the empty database at DATABASE_URL, of the backup in FOLDER, and check it.

    Every file is hashed on its way. Exits 1 and says what is broken, if anything is.
    """
    made = restore(settings_for(data, os.environ), folder)
    with farm_in(data) as farm:
        findings = list(check(farm))
    for line in lines_of(findings):
        typer.echo(line)
    if made.trouble:
        typer.echo(made.trouble)
    typer.echo(f"{made.blobs} files and the database are back. {'Not all' if findings else 'All'} is well.")
    raise typer.Exit(1 if findings else 0)
