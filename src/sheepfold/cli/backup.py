"""`sheepfold backup`: a live farm, copied."""

from pathlib import Path
from typing import Annotated

import typer

from sheepfold.cli.options import DataOption, farm_in
from sheepfold.farm.backup import back_up

app = typer.Typer(add_completion=False, rich_markup_mode="markdown")


@app.command()
def backup(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", file_okay=False, help="Where the backup shall lie.")],
    data: DataOption,
) -> None:
    """Copy the farm in DIR into FOLDER while it works: its database, and every file that it names.

    Into the FOLDER of an earlier backup only new files are copied, and until all are that one can be restored. On one
    file system files are linked, which takes no room and no time, and guards against mistakes but not against a broken
    disk: keep a copy elsewhere. Exits 1 where files are missing in the farm itself; all others are in the backup.
    """
    with farm_in(data) as farm:
        made = back_up(farm, folder)
    size = f"{made.size_bytes / 2**20:.1f} MiB"
    typer.echo(f"{made.blobs} files of {size}, {made.new_blobs} of them new, and the database.")
    if made.trouble:
        typer.echo(made.trouble, err=True)
        raise typer.Exit(1)
