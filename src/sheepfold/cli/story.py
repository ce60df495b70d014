"""`sheepfold story`: all that happened to one thing."""

from collections.abc import Iterator, Mapping

import typer
from rich.console import Group, RenderableType

from sheepfold.cli.command import Office, Said, office_command
from sheepfold.cli.ids import IdArgument
from sheepfold.cli.plain import clock, columns, plain
from sheepfold.protocols.rest import wire
from sheepfold.protocols.rest.client import FarmClient

app = typer.Typer(add_completion=False, rich_markup_mode="markdown", no_args_is_help=True)


@app.callback()
def story() -> None:
    """Tell all that happened to a task."""


@office_command(app)
def task(office: Office, task_id: IdArgument) -> Said:
    """Tell the story of the task ID: its leases, results, verdicts, credit, and what its clients told and logged.

    Logs are told of a farm's folder here alone.
    """
    told = office.story(task_id)
    logs = {} if isinstance(office, FarmClient) else office.logs(told)
    return Said(told, Group(*_shown(told), *_logs(told, logs)))


def _shown(told: wire.StoryOut) -> list[RenderableType]:
    place = f"frame {told.frame}" + (f", part {told.part}" if told.part else "")
    head = f"Task {told.task}: {place} of job {told.job} ({plain(told.title)}), {told.state}\n"
    if not told.events:
        return [head, "Nothing has happened to it yet."]
    events = columns("when", "what", "detail")
    for event in told.events:
        detail = ", ".join(f"{name} {value}" for name, value in event.detail.items())
        events.add_row(clock(event.at), event.what, plain(detail))
    leases = columns("lease", "machine", "account", "protocol", "state", "granted", "told")
    for lease in told.leases:
        figures = ", ".join(f"{name} {value}" for name, value in lease.figures.items())
        leases.add_row(str(lease.id), lease.machine, lease.account, lease.protocol,
                       plain(f"{lease.state} {lease.reason}".strip()), clock(lease.granted_at), plain(figures))
    return [head, events, leases]


def _logs(told: wire.StoryOut, logs: Mapping[int, bytes]) -> Iterator[RenderableType]:
    for lease in told.leases:
        if lease.id in logs:
            yield f"\nThe log of lease {lease.id}:"
            yield plain(logs[lease.id].decode("utf-8", "replace"))
