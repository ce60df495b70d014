"""`sheepfold check`: the invariants of a farm, and the state of this machine."""

import json
from collections.abc import Iterable
from dataclasses import asdict
from typing import Annotated

import typer

from sheepfold.cli.findings import BROKEN, lines_of
from sheepfold.cli.office import JsonOption
from sheepfold.cli.options import DataOption, farm_in
from sheepfold.farm.checkup import check
from sheepfold.store.findings import Finding
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
    warning = sandbox_warning()
    with farm_in(data) as farm:
        found = check(farm, read_blobs=read_blobs)
        count = _print_json(warning, found) if as_json else _print(warning, found)
    raise typer.Exit(1 if count else 0)


def _print_json(warning: str | None, findings: Iterable[Finding]) -> int:
    broken = [asdict(finding) for finding in findings]
    typer.echo(json.dumps({"warning": warning, "broken": broken}, indent=2, ensure_ascii=False))
    return len(broken)


def _print(warning: str | None, findings: Iterable[Finding]) -> int:
    """Print findings as they are found; returns how many there were."""
    if warning:
        typer.echo(f"Warning: {warning}")
    count = 0
    for line in lines_of(findings):
        typer.echo(line)
        count += line.startswith(BROKEN)
    typer.echo(f"{count} findings." if count else "All is well.")
    return count
