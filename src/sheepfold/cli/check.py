"""`sheepfold check`: the invariants of a farm, and the state of this machine."""

from typing import Annotated

import typer

from sheepfold.cli.options import DataOption, farm_in
from sheepfold.farm.checkup import check
from sheepfold.worker.sandbox import sandbox_warning

app = typer.Typer(add_completion=False, rich_markup_mode="markdown")


@app.command()
def check_farm(
    data: DataOption,
    read_blobs: Annotated[bool, typer.Option("--read-blobs", help="Read every file and compare its digest.")] = False,
) -> None:
    """Prove that all that the farm in DIR knows agrees; exit 1 and say what does not.

    On a farm at work what is found may be a moment old: look again before you worry.
    """
    with farm_in(data) as farm:
        findings = list(check(farm, read_blobs=read_blobs))
    if warning := sandbox_warning():
        typer.echo(f"Warning: {warning}")
    for finding in findings:
        typer.echo(f"Broken: {finding.invariant}: {finding.what}")
    typer.echo("All is well." if not findings else f"{len(findings)} findings.")
    raise typer.Exit(1 if findings else 0)
