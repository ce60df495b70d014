"""`sheepfold job`: what became of what was ordered."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from sheepfold.cli.ids import IdArgument
from sheepfold.cli.office import (
    AccountOption,
    FolderOption,
    KeyOption,
    ServerOption,
    download_all,
    open_office,
)
from sheepfold.cli.plain import plain, plain_console
from sheepfold.model.jobs import JobState
from sheepfold.protocols.rest import wire

app = typer.Typer(add_completion=False, rich_markup_mode="markdown", no_args_is_help=True)


@app.callback()
def job() -> None:
    """List, watch, download and cancel jobs."""


@app.command("list")
def list_jobs(server: ServerOption = "", key: KeyOption = "", data: FolderOption = None) -> None:
    """List the newest jobs."""
    table = Table("job", "kind", "title", "state", "done", "failed", "of", box=None, padding=(0, 2, 0, 0))
    with open_office(server, key, data) as office:
        for one in office.jobs().jobs:
            counts = (str(one.tasks_done), str(one.tasks_failed), str(one.tasks_total))
            table.add_row(str(one.id), one.kind, plain(one.title), one.state, *counts)
    plain_console().print(table)


@app.command()
def show(job_id: IdArgument, server: ServerOption = "", key: KeyOption = "", data: FolderOption = None) -> None:
    """Show the job ID: its tasks, and what it was made into."""
    with open_office(server, key, data) as office:
        _print_job(plain_console(), office.job(job_id))


@app.command()
def wait(
    job_id: IdArgument,
    timeout: Annotated[float | None, typer.Option(help="Seconds; exit 3 when they are over.")] = None,
    server: ServerOption = "",
    key: KeyOption = "",
    data: FolderOption = None,
) -> None:
    """Wait until the job ID has ended and its film is made; exit 1 unless it is done."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with open_office(server, key, data) as office, Progress(*columns, console=Console(stderr=True)) as bar:
        line = bar.add_task(f"job {job_id}")
        ended = office.wait(job_id, lambda seen: bar.update(line, completed=seen.tasks_done, total=seen.tasks_total),
                            timeout)
    if not ended.is_finished:
        raise typer.Exit(3)
    typer.echo(f"Job {job_id} is {ended.state}.")
    raise typer.Exit(0 if ended.state is JobState.DONE else 1)


@app.command()
def download(
    job_id: IdArgument,
    folder: Annotated[Path, typer.Argument(metavar="DIR", file_okay=False)],
    server: ServerOption = "",
    key: KeyOption = "",
    data: FolderOption = None,
) -> None:
    """Fetch into DIR what the job ID was made into, and its pictures as frames/NNNN.png."""
    with open_office(server, key, data) as office:
        for path in download_all(office, job_id, folder):
            typer.echo(path)


@app.command()
def frames(
    job_id: IdArgument,
    file: Annotated[Path, typer.Argument(metavar="FILE.zip", dir_okay=False)],
    server: ServerOption = "",
    key: KeyOption = "",
    data: FolderOption = None,
) -> None:
    """Fetch the frames that the job ID has so far as one zip."""
    with open_office(server, key, data) as office:
        office.download_frames(job_id, file)
    typer.echo(file)


@app.command()
def replace(  # noqa: PLR0913, PLR0917 -- these are the options of a command, each given by name
    job_id: IdArgument,
    file: Annotated[Path, typer.Argument(metavar="FILE", exists=True, dir_okay=False)],
    name: Annotated[str, typer.Option(help="Which input, where the job has several.")] = "",
    server: ServerOption = "",
    key: KeyOption = "",
    data: FolderOption = None,
    account: AccountOption = "",
) -> None:
    """Replace the input of the job ID by FILE: frames that are not done render from it, those that are done stay."""
    with open_office(server, key, data, account) as office:
        replaced = office.replace_input(job_id, name or _only_input(office.job(job_id)), file)
    for remark in replaced.remarks:
        typer.echo(remark, err=True)
    typer.echo(f"Job {job_id} is at revision {replaced.revision}.")


def _only_input(job: wire.JobDetail) -> str:
    if len(job.inputs) != 1:
        names = ", ".join(job.inputs) or "none"
        raise typer.BadParameter(f"Say which input with --name; job {job.id} has {names}.")
    return next(iter(job.inputs))


@app.command()
def cancel(
    job_id: IdArgument,
    server: ServerOption = "",
    key: KeyOption = "",
    data: FolderOption = None,
    account: AccountOption = "",
) -> None:
    """Cancel the job ID; pictures that are being rendered may still come in, and are paid."""
    with open_office(server, key, data, account) as office:
        typer.echo(f"Job {job_id} is {office.cancel(job_id).state}.")


def _print_job(console: Console, one: wire.JobDetail) -> None:
    failures = f", {one.tasks_failed} failed" if one.tasks_failed else ""
    counts = f"{one.tasks_done} of {one.tasks_total} done{failures}"
    console.print(f"Job {one.id}: {plain(one.title)} ({one.kind}, {one.account}), {one.state}, {counts}")
    if one.sheep is not None:
        ends = "a loop" if one.sheep.first == one.sheep.last else f"an edge from {one.sheep.first} to {one.sheep.last}"
        console.print(f"Sheep {one.sheep.generation}.{one.sheep.number}, {ends}, rated {one.sheep.rating}")
    tasks = Table("task", "frame", "part", "state", "machines", box=None, padding=(0, 2, 0, 0))
    for task in one.tasks:
        tasks.add_row(str(task.id), str(task.frame), str(task.part), task.state, str(task.active_leases))
    console.print(tasks)
    for remark in one.remarks:
        console.print(plain(remark))
    for product in one.products:
        console.print(f"{product.name}  {product.size_bytes:,} bytes  {product.media_type}")
