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
    JsonOption,
    KeyOption,
    ServerOption,
    download_all,
    open_office,
)
from sheepfold.cli.plain import clock, plain, plain_console
from sheepfold.cli.review import print_changes
from sheepfold.model.jobs import JobState
from sheepfold.protocols.rest import wire

app = typer.Typer(add_completion=False, rich_markup_mode="markdown", no_args_is_help=True)


@app.callback()
def job() -> None:
    """List, watch, download, change, keep, share and cancel jobs."""


@app.command("list")
def list_jobs(
    server: ServerOption = "", key: KeyOption = "", data: FolderOption = None, as_json: JsonOption = False
) -> None:
    """List the newest jobs."""
    if as_json:
        with open_office(server, key, data) as office:
            typer.echo(office.jobs().model_dump_json(indent=2))
        return
    table = Table("job", "kind", "title", "state", "done", "failed", "of", box=None, padding=(0, 2, 0, 0))
    with open_office(server, key, data) as office:
        for one in office.jobs().jobs:
            counts = (str(one.tasks_done), str(one.tasks_failed), str(one.tasks_total))
            table.add_row(str(one.id), one.kind, plain(one.title), one.state, *counts)
    plain_console().print(table)


@app.command()
def show(
    job_id: IdArgument, server: ServerOption = "", key: KeyOption = "", data: FolderOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the job ID: its tasks, and what it was made into."""
    with open_office(server, key, data) as office:
        shown = office.job(job_id)
    if as_json:
        typer.echo(shown.model_dump_json(indent=2))
    else:
        _print_job(plain_console(), shown)


@app.command()
def wait(
    job_id: IdArgument,
    timeout: Annotated[float | None, typer.Option(help="Seconds to wait; exit 3 when they are over.")] = None,
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
        if (cleared_at := office.job(job_id).cleared_at) is not None:
            typer.echo(f"The pictures of job {job_id} were cleared {clock(cleared_at)}.", err=True)


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
def changes(
    job_id: IdArgument, server: ServerOption = "", key: KeyOption = "", data: FolderOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say what the screenshots of the job ID show changed since those that were accepted."""
    with open_office(server, key, data) as office:
        print_changes(office.changes(job_id), server, as_json=as_json)


@app.command()
def report(
    task_id: IdArgument,
    text: Annotated[str, typer.Argument(metavar="TEXT")],
    server: ServerOption = "",
    key: KeyOption = "",
    data: FolderOption = None,
    account: AccountOption = "",
) -> None:
    """Say what is wrong with the picture of the task ID: TEXT stands in its story."""
    with open_office(server, key, data, account) as office:
        office.report_problem(task_id, text)
    typer.echo(f"Reported of task {task_id}.")


@app.command()
def accept(
    job_id: IdArgument,
    server: ServerOption = "",
    key: KeyOption = "",
    data: FolderOption = None,
    account: AccountOption = "",
) -> None:
    """Accept the screenshots of the job ID: from now on those of its page are held against them."""
    with open_office(server, key, data, account) as office:
        office.accept(job_id)
    typer.echo(f"The pictures of job {job_id} are accepted.")


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


@app.command()
def again(  # noqa: PLR0913, PLR0917 -- these are the options of a command, each given by name
    job_id: IdArgument,
    frame: Annotated[int, typer.Argument(metavar="FRAME", min=0)],
    part: Annotated[int | None, typer.Option(min=0, help="Only this part of the frame.")] = None,
    server: ServerOption = "",
    key: KeyOption = "",
    data: FolderOption = None,
    account: AccountOption = "",
) -> None:
    """Render FRAME of the job ID once more; the picture that it has stays until there is a new one."""
    with open_office(server, key, data, account) as office:
        now = office.render_again(job_id, frame, part)
    typer.echo(f"Frame {frame} of job {job_id} is open again; the job is {now.state}.")


@app.command()
def extend(
    job_id: IdArgument,
    frames: Annotated[str, typer.Argument(metavar="FRAMES", help="Such as 251-300.")],
    server: ServerOption = "",
    key: KeyOption = "",
    data: FolderOption = None,
    account: AccountOption = "",
) -> None:
    """Add FRAMES to the job ID; those that it has already stay as they are."""
    with open_office(server, key, data, account) as office:
        typer.echo(f"Job {job_id} has {office.extend(job_id, frames).tasks_total} frames now.")


@app.command()
def prolong(
    job_id: IdArgument,
    server: ServerOption = "",
    key: KeyOption = "",
    data: FolderOption = None,
    account: AccountOption = "",
) -> None:
    """Make the screenshots of the job ID worth making for longer, where they expire."""
    with open_office(server, key, data, account) as office:
        until = office.prolong(job_id)
    when = "for ever" if until is None else f"until {clock(until)}"
    typer.echo(f"Job {job_id} is worth making {when}.")


@app.command()
def priority(
    job_id: IdArgument,
    value: Annotated[int, typer.Argument(metavar="PRIORITY", min=-100, max=100)],
    server: ServerOption = "",
    key: KeyOption = "",
    data: FolderOption = None,
    account: AccountOption = "",
) -> None:
    """Change the priority of the job ID, from -100 to 100; `--` goes before a negative one."""
    with open_office(server, key, data, account) as office:
        typer.echo(f"The priority of job {job_id} is {office.change(job_id, priority=value).priority} now.")


@app.command()
def hide(
    job_id: IdArgument, server: ServerOption = "", key: KeyOption = "", data: FolderOption = None,
    account: AccountOption = "",
) -> None:
    """Make the job ID private: seen by its account, the owner, and whoever holds a link that `share` made."""
    with open_office(server, key, data, account) as office:
        office.change(job_id, private=True)
    typer.echo(f"Job {job_id} is private.")


@app.command()
def unhide(
    job_id: IdArgument, server: ServerOption = "", key: KeyOption = "", data: FolderOption = None,
    account: AccountOption = "",
) -> None:
    """Show the job ID, which was private, to everybody."""
    with open_office(server, key, data, account) as office:
        office.change(job_id, private=False)
    typer.echo(f"Everybody sees job {job_id}.")


@app.command()
def keep(
    job_id: IdArgument, server: ServerOption = "", key: KeyOption = "", data: FolderOption = None,
    account: AccountOption = "",
) -> None:
    """Keep the pictures of the job ID for ever, also where the farm clears old ones."""
    with open_office(server, key, data, account) as office:
        office.change(job_id, kept=True)
    typer.echo(f"Job {job_id} is kept for ever.")


@app.command()
def unkeep(
    job_id: IdArgument, server: ServerOption = "", key: KeyOption = "", data: FolderOption = None,
    account: AccountOption = "",
) -> None:
    """Keep the pictures of the job ID no longer than those of others."""
    with open_office(server, key, data, account) as office:
        office.change(job_id, kept=False)
    typer.echo(f"Job {job_id} is kept as long as others.")


@app.command()
def share(
    job_id: IdArgument, server: ServerOption = "", key: KeyOption = "", data: FolderOption = None,
    account: AccountOption = "",
) -> None:
    """Print a link by which whoever has it sees the job ID; it is shown only now."""
    with open_office(server, key, data, account) as office:
        typer.echo(office.share(job_id))


@app.command()
def unshare(
    job_id: IdArgument, server: ServerOption = "", key: KeyOption = "", data: FolderOption = None,
    account: AccountOption = "",
) -> None:
    """Revoke all links to the job ID."""
    with open_office(server, key, data, account) as office:
        typer.echo(f"Revoked {office.unshare(job_id)} links to job {job_id}.")


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
    if one.cleared_at is not None:
        console.print(f"Its pictures and inputs were cleared {clock(one.cleared_at)}; its story stays.")
    elif one.kept:
        console.print("It is kept for ever.")
    for product in one.products:
        console.print(f"{product.name}  {product.size_bytes:,} bytes  {product.media_type}")
