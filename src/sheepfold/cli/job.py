"""`sheepfold job`: what became of what was ordered."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Group, RenderableType
from rich.table import Table

from sheepfold.cli.command import Office, Said, office_command
from sheepfold.cli.ids import IdArgument
from sheepfold.cli.office import download_all
from sheepfold.cli.paging import AfterOption, BeforeOption, LimitOption, listed
from sheepfold.cli.plain import clock, columns, plain
from sheepfold.cli.progress import progress
from sheepfold.cli.review import change_lines
from sheepfold.model.jobs import JobState
from sheepfold.protocols.rest import wire

UNFINISHED = 3
"""The exit status of a wait whose time was up."""
app = typer.Typer(add_completion=False, rich_markup_mode="markdown", no_args_is_help=True)


@app.callback()
def job() -> None:
    """List, watch, download, change, keep, share and cancel jobs."""


@office_command(app, "list")
def list_jobs(
    office: Office, limit: LimitOption = 50, before: BeforeOption = None,
    mine: Annotated[bool, typer.Option("--mine", help="Only your own.")] = False,
) -> Said:
    """List the newest jobs."""
    page = office.jobs(limit, before, mine=mine)
    table = columns("job", "kind", "title", "state", "done", "failed", "tasks")
    for one in page.jobs:
        counts = (str(one.tasks_done), str(one.tasks_failed), str(one.tasks_total))
        table.add_row(str(one.id), one.kind, plain(one.title), one.state, *counts)
    return Said(page, listed(page, table))


@office_command(app)
def show(office: Office, job_id: IdArgument) -> Said:
    """Show the job ID: its tasks, and what it was made into."""
    shown = office.job(job_id)
    return Said(shown, Group(*_whole(shown)))


@office_command(app)
def tasks(office: Office, job_id: IdArgument, limit: LimitOption = 50, after: AfterOption = "") -> Said:
    """List the tasks of the job ID in the order of their frames."""
    page = office.tasks(job_id, limit, after)
    return Said(page, listed(page, _tasks(page.tasks)))


@office_command(app)
def wait(
    office: Office,
    job_id: IdArgument,
    timeout: Annotated[float | None, typer.Option(help="Seconds to wait; exit 3 when they are over.")] = None,
) -> Said:
    """Wait until the job ID has ended and its film is made; exit 1 unless it is done."""
    with progress(f"Job {job_id}") as step:
        ended = office.wait(job_id, lambda seen: step(seen.tasks_done, seen.tasks_total), timeout)
    if not ended.is_finished:
        raise typer.Exit(UNFINISHED)
    return Said(ended, f"Job {job_id} is {ended.state}.", 0 if ended.state is JobState.DONE else 1)


@office_command(app)
def download(
    office: Office,
    job_id: IdArgument,
    folder: Annotated[Path, typer.Argument(metavar="DIR", file_okay=False)],
) -> Said:
    """Fetch into DIR what the job ID was made into, and its pictures as frames/NNNN.png."""
    with progress(f"Files of job {job_id}") as step:
        files = [str(path) for path in download_all(office, job_id, folder, step)]
    if (cleared_at := office.job(job_id).cleared_at) is not None:
        typer.echo(f"The pictures of job {job_id} were cleared {clock(cleared_at)}.", err=True)
    return Said({"files": files}, "\n".join(files))


@office_command(app)
def picture(
    office: Office, task_id: IdArgument,
    file: Annotated[Path, typer.Argument(metavar="FILE", dir_okay=False)],
    preview: Annotated[bool, typer.Option("--preview", help="The small JPEG instead of the picture itself.")] = False,
) -> Said:
    """Fetch the picture of the task ID into FILE."""
    fetch = office.download_preview if preview else office.download_picture
    return Said({"files": [str(file)], "sha256": fetch(task_id, file)}, str(file))


@office_command(app)
def frames(
    office: Office,
    job_id: IdArgument,
    file: Annotated[Path, typer.Argument(metavar="FILE.zip", dir_okay=False)],
) -> Said:
    """Fetch the frames that the job ID has so far as one zip."""
    office.download_frames(job_id, file)
    return Said({"files": [str(file)]}, str(file))


@office_command(app)
def replace(
    office: Office,
    job_id: IdArgument,
    file: Annotated[Path, typer.Argument(metavar="FILE", exists=True, dir_okay=False)],
    name: Annotated[str, typer.Option(help="Which input, where the job has several.")] = "",
) -> Said:
    """Replace the input of the job ID by FILE: frames that are not done render from it, those that are done stay."""
    replaced = office.replace_input(job_id, name or _only_input(office.job(job_id)), file)
    for remark in replaced.remarks:
        typer.echo(plain(remark), err=True)
    return Said(replaced, f"Job {job_id} is at revision {replaced.revision}.")


def _only_input(job: wire.JobDetail) -> str:
    if len(job.inputs) != 1:
        names = ", ".join(job.inputs) or "none"
        raise typer.BadParameter(f"Say which input with --name; job {job.id} has {names}.")
    return next(iter(job.inputs))


@office_command(app)
def changes(office: Office, job_id: IdArgument) -> Said:
    """Say what the screenshots of the job ID show changed since those that were accepted."""
    found = office.changes(job_id)
    return Said(found, change_lines(found, office.url))


@office_command(app)
def report(office: Office, task_id: IdArgument, text: Annotated[str, typer.Argument(metavar="TEXT")]) -> Said:
    """Say what is wrong with the picture of the task ID: TEXT stands in its story."""
    office.report_problem(task_id, text)
    return Said({"task": task_id}, f"Reported of task {task_id}.")


@office_command(app)
def accept(office: Office, job_id: IdArgument) -> Said:
    """Accept the screenshots of the job ID: from now on those of its page are held against them."""
    return Said(office.accept(job_id), f"The pictures of job {job_id} are accepted.")


@office_command(app)
def cancel(office: Office, job_id: IdArgument) -> Said:
    """Cancel the job ID; pictures that are being rendered may still come in, and are paid."""
    canceled = office.cancel(job_id)
    return Said(canceled, f"Job {job_id} is {canceled.state}.")


@office_command(app)
def again(
    office: Office,
    job_id: IdArgument,
    frame: Annotated[int, typer.Argument(metavar="FRAME", min=0)],
    part: Annotated[int | None, typer.Option(min=0, help="Only this part of the frame.")] = None,
) -> Said:
    """Render FRAME of the job ID once more; the picture that it has stays until there is a new one."""
    now = office.render_again(job_id, frame, part)
    return Said(now, f"Frame {frame} of job {job_id} is open again; the job is {now.state}.")


@office_command(app)
def remake(office: Office, job_id: IdArgument) -> Said:
    """Make what was given up of the job ID, its film or previews, now that what hindered them is seen to."""
    chores = office.remake(job_id)
    return Said({"chores": chores}, f"Queued {chores} chore{'' if chores == 1 else 's'} of job {job_id} again.")


@office_command(app)
def extend(
    office: Office, job_id: IdArgument,
    frames: Annotated[str, typer.Argument(metavar="FRAMES", help="Such as 251-300.")],
) -> Said:
    """Add FRAMES to the job ID; those that it has already stay as they are."""
    longer = office.extend(job_id, frames)
    return Said(longer, f"Job {job_id} has {longer.tasks_total} frames now.")


@office_command(app)
def prolong(office: Office, job_id: IdArgument) -> Said:
    """Make the screenshots of the job ID worth making for longer, where they expire."""
    until = office.prolong(job_id)
    when = "for ever" if until is None else f"until {clock(until)}"
    return Said({"expires_at": until}, f"Job {job_id} is worth making {when}.")


@office_command(app)
def priority(
    office: Office, job_id: IdArgument,
    value: Annotated[int, typer.Argument(metavar="PRIORITY", min=-100, max=100)],
) -> Said:
    """Change the priority of the job ID, from -100 to 100; `--` goes before a negative one."""
    changed = office.change(job_id, priority=value)
    return Said(changed, f"The priority of job {job_id} is {changed.priority} now.")


@office_command(app)
def hide(office: Office, job_id: IdArgument) -> Said:
    """Make the job ID private: seen by its account, the owner, and whoever holds a link that `share` made."""
    return Said(office.change(job_id, private=True), f"Job {job_id} is private.")


@office_command(app)
def unhide(office: Office, job_id: IdArgument) -> Said:
    """Show the job ID, which was private, to everybody."""
    return Said(office.change(job_id, private=False), f"Everybody sees job {job_id}.")


@office_command(app)
def keep(office: Office, job_id: IdArgument) -> Said:
    """Keep the pictures of the job ID for ever, also where the farm clears old ones."""
    return Said(office.change(job_id, kept=True), f"Job {job_id} is kept for ever.")


@office_command(app)
def unkeep(office: Office, job_id: IdArgument) -> Said:
    """Keep the pictures of the job ID no longer than those of others."""
    return Said(office.change(job_id, kept=False), f"Job {job_id} is kept as long as others.")


@office_command(app)
def share(office: Office, job_id: IdArgument) -> Said:
    """Print a link by which whoever has it sees the job ID; it is shown only now."""
    link = office.share(job_id)
    return Said({"link": link}, link)


@office_command(app)
def unshare(office: Office, job_id: IdArgument) -> Said:
    """Revoke all links to the job ID."""
    revoked = office.unshare(job_id)
    return Said({"revoked": revoked}, f"Revoked {revoked} links to job {job_id}.")


def _whole(one: wire.JobDetail) -> list[RenderableType]:
    """Write a job with its tasks and products for people."""
    failures = f", {one.tasks_failed} failed" if one.tasks_failed else ""
    counts = f"{one.tasks_done} of {one.tasks_total} done{failures}"
    shown: list[RenderableType] = [
        f"Job {one.id}: {plain(one.title)} ({one.kind}, {one.account}), {one.state}, {counts}"]
    if one.sheep is not None:
        ends = "a loop" if one.sheep.first == one.sheep.last else f"an edge from {one.sheep.first} to {one.sheep.last}"
        shown.append(f"Sheep {one.sheep.generation}.{one.sheep.number}, {ends}, rated {one.sheep.rating}")
    shown += [_tasks(one.tasks), *map(plain, one.remarks)]
    if one.cleared_at is not None:
        shown.append(f"Its pictures and inputs were cleared {clock(one.cleared_at)}; its story stays.")
    elif one.kept:
        shown.append("It is kept for ever.")
    return shown + [f"{made.name}  {made.size_bytes:,} bytes  {made.media_type}" for made in one.products]


def _tasks(tasks: Sequence[wire.TaskSummary]) -> Table:
    table = columns("task", "frame", "part", "state", "machines")
    for one in tasks:
        table.add_row(str(one.id), str(one.frame), str(one.part), one.state, str(one.active_leases))
    return table
