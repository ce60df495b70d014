"""`sheepfold check`: the invariants of a farm, and the state of this machine."""

import json
from typing import Annotated

import typer

from sheepfold.cli.office import JsonOption
from sheepfold.cli.options import DataOption, farm_in
from sheepfold.farm.checkup import check
from sheepfold.store.checks import Finding
from sheepfold.worker.sandbox import sandbox_warning

app = typer.Typer(add_completion=False, rich_markup_mode="markdown")


@app.command()
def check_farm(
    data: DataOption,
    read_blobs: Annotated[bool, typer.Option("--read-blobs", help="Read every file and compare its digest.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Prove that all that the farm in DIR knows agrees; exit 1 and say what does not.

    On a farm at work what is found may be a moment old: look again before you worry.
    """
    with farm_in(data) as farm:
        findings = list(check(farm, read_blobs=read_blobs))
    warning = sandbox_warning()
    if as_json:
        broken = [{"invariant": finding.invariant, "what": finding.what} for finding in findings]
        typer.echo(json.dumps({"warning": warning, "broken": broken}, indent=2, ensure_ascii=False))
    else:
        _print(warning, findings)
    raise typer.Exit(1 if findings else 0)


def _print(warning: str | None, findings: list[Finding]) -> None:
    if warning:
        typer.echo(f"Warning: {warning}")
    for finding in findings:
        typer.echo(f"Broken: {finding.invariant}: {finding.what}")
    typer.echo("All is well." if not findings else f"{len(findings)} findings.")
