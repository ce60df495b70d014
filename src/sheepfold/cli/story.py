"""`sheepfold story`: all that happened to one thing."""

import typer
from rich.console import Console
from rich.table import Column, Table

from sheepfold.cli.ids import IdArgument
from sheepfold.cli.office import JsonOption
from sheepfold.cli.options import DataOption, farm_in
from sheepfold.cli.plain import clock, plain, plain_console
from sheepfold.farm import browse
from sheepfold.farm.browse import Story
from sheepfold.farm.dispatch import open_blob
from sheepfold.model.tasks import TaskId
from sheepfold.protocols.rest.jobs import story_out

app = typer.Typer(add_completion=False, rich_markup_mode="markdown", no_args_is_help=True)


@app.callback()
def story() -> None:
    """Tell all that happened to a task."""


@app.command()
def task(task_id: IdArgument, data: DataOption, as_json: JsonOption = False) -> None:
    """Tell the story of the task ID: its leases, results, verdicts, credit, and what its clients told and logged."""
    console = plain_console()
    with farm_in(data) as farm:
        told = browse.story(farm, TaskId(task_id))
        if as_json:
            typer.echo(story_out(told).model_dump_json(indent=2))
            return
        _print_story(console, told)
        for lease in told.leases:
            if lease.log is not None:
                console.rule(f"log of lease {lease.lease_id}")
                log = b"".join(open_blob(farm, lease.log).chunks)
                console.print(plain(log.decode("utf-8", "replace")), soft_wrap=True)


def _print_story(console: Console, told: Story) -> None:
    place = f"frame {told.task.frame}" + (f", part {told.task.part}" if told.task.part else "")
    heading = f"Task {told.task.id}: {place} of job {told.job.id} ({plain(told.job.title)}), {told.task.state}\n"
    console.print(heading)
    events = _table("when", "what", "detail")
    for event in told.events:
        detail = ", ".join(f"{name} {value}" for name, value in event.detail.items())
        events.add_row(clock(event.at), event.what, plain(detail))
    console.print(events)
    leases = _table("lease", "machine", "account", "protocol", "state", "granted", "told")
    for lease in told.leases:
        figures = ", ".join(f"{name} {value}" for name, value in lease.figures.items())
        leases.add_row(str(lease.lease_id), lease.machine, lease.account, lease.protocol,
                       plain(f"{lease.state} {lease.reason}".strip()), clock(lease.granted_at), plain(figures))
    console.print(leases)


def _table(*heads: str) -> Table:
    """Make a table that breaks long words rather than cut them: digests are there to be compared."""
    return Table(*(Column(head, overflow="fold") for head in heads), box=None, padding=(0, 2, 0, 0))
