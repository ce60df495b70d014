"""`sheepfold restore`: a farm made of a backup."""

import os
from pathlib import Path
from typing import Annotated

import typer

from sheepfold.cli.findings import BROKEN, lines_of
from sheepfold.cli.options import farm_in
from sheepfold.config import settings_for
from sheepfold.farm.backup import restore
from sheepfold.farm.checkup import check
from sheepfold.farm.manifest import Backup, prove, read_backup

_DataOption = Annotated[Path | None, typer.Option("--data", envvar="SHEEPFOLD_DATA", metavar="DIR", file_okay=False,
                                                  help="The folder of the new farm.")]
app = typer.Typer(add_completion=False, rich_markup_mode="markdown")


@app.command()
def restore_farm(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", exists=True, file_okay=False, help="The backup.")],
    data: _DataOption = None,
    only_check: Annotated[bool, typer.Option("--check", help="Read the whole backup, and make no farm.")] = False,
    is_gone: Annotated[bool, typer.Option("--old-is-gone", help="Take over the files of a farm that is gone for good.")
                       ] = False,
) -> None:
    """Make a new farm in DIR, or in the empty database at DATABASE_URL, of the backup in FOLDER, and check it.

    Every file is hashed on its way. Nothing is made where a farm has its files already: if it lives, each of the two
    would sweep what it alone does not know; --old-is-gone says that it does not. Exits 1 and says what is broken, if
    anything is. With --check the backup is read and all of it told that is not as it was saved; nothing is made, and no
    DIR needed.
    """
    if only_check:
        raise typer.Exit(_prove(folder))
    if data is None:
        raise typer.BadParameter("Say where the farm shall be: --data DIR. Or read the backup only: --check.")
    made = restore(settings_for(data, os.environ), folder, is_gone=is_gone)
    with farm_in(data) as farm:
        findings = list(check(farm))
    for line in lines_of(findings):
        typer.echo(line)
    _tell(made)
    typer.echo(f"{made.blobs} files and the database are back. {'Not all' if findings else 'All'} is well.")
    raise typer.Exit(1 if findings else 0)


def _prove(folder: Path) -> int:
    """Say all that is wrong with a backup; returns the exit status."""
    made, count = read_backup(folder), 0
    for line in lines_of(prove(folder, made)):
        typer.echo(line)
        count += line.startswith(BROKEN)
    _tell(made)
    typer.echo(f"{count} findings." if count else f"{made.blobs} files and the database can be restored.")
    return 1 if count or made.trouble else 0


def _tell(made: Backup) -> None:
    """Say what else is to be known of a backup."""
    if made.doubt:
        typer.echo(f"Warning: {made.doubt}")
    if made.trouble:
        typer.echo(made.trouble)
