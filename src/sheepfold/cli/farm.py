"""`sheepfold farm`: what a farm does now, what waits in it, what happens, and whose key opens it."""

from typing import Annotated

import typer
from rich.console import Group
from rich.table import Table

from sheepfold.cli.command import Office, Said, office_command
from sheepfold.cli.plain import clock, plain
from sheepfold.protocols.rest.owner_wire import QueueOut

app = typer.Typer(add_completion=False, rich_markup_mode="markdown", no_args_is_help=True)


@app.callback()
def farm() -> None:
    """See what a farm does, what waits in it, and what happens."""


@office_command(app)
def now(office: Office) -> Said:
    """See which machine makes what, and how much waits."""
    found = office.now()
    table = Table("machine", "of", "protocol", "since", "job", "task", "frame", "title", box=None, padding=(0, 2, 0, 0))
    for one in found.at_work:
        named = ("", "", "") if one.job is None else (str(one.job), str(one.task), str(one.frame))
        table.add_row(one.machine, one.account, one.protocol, clock(one.since), *named, plain(one.title))
    return Said(found, Group(table, _waiting(found.queue)))


@office_command(app)
def whoami(office: Office) -> Said:
    """Say whose key this is, and what points that account has; in JSON a thousandth each."""
    found = office.whoami()
    may = "may order" if found.may_order else "may render"
    machine = f" by the key of {found.machine}" if found.machine else ""
    points = f"earned {found.earned / 1000:,.3f} points, spent {found.spent / 1000:,.3f}"
    return Said(found, f"You are {found.account}, {found.role}{machine}: you {may}, {points}.")


@office_command(app)
def queue(office: Office) -> Said:
    """See the running jobs, and how much of each waits; for the owner."""
    found = office.queue()
    table = Table("job", "kind", "title", "of", "priority", "waiting", "ordered", box=None, padding=(0, 2, 0, 0))
    for one in found.lines:
        table.add_row(str(one.job), one.kind, plain(one.title), plain(one.account), str(one.priority),
                      str(one.waiting), clock(one.created_at))
    return Said(found, Group(table, _waiting(found)))


@office_command(app)
def check(office: Office) -> Said:
    """Prove that all that the farm knows agrees, exit 1 and say what does not; for the owner."""
    found = office.check()
    lines = [f"Broken: {plain(one.invariant)}: {plain(one.what)}" for one in found.findings]
    return Said(found, "\n".join(lines) or "All is well.", 1 if found.findings else 0)


@office_command(app)
def backup(office: Office) -> Said:
    """Have the farm write a backup into the folder of its setting `backup_folder`; for the owner."""
    made = office.back_up()
    size = f"{made.size_bytes / 2**20:.1f} MiB"
    return Said(made, f"{made.files} files of {size}, {made.new_files} of them new, and the database.")


@office_command(app)
def events(
    office: Office,
    after: Annotated[int | None, typer.Option(min=0, help="From this event on; else from now on.")] = None,
    job: Annotated[int | None, typer.Option(min=0, help="Of this job alone.")] = None,
    count: Annotated[int | None, typer.Option(min=1, help="End after so many.")] = None,
) -> Said:
    """Print what happens, as it happens, a line of JSON each, until Ctrl-C."""
    last = after
    for number, event in enumerate(office.events(after, job), 1):
        typer.echo(event.model_dump_json())
        last = event.id
        if number == count:
            break
    return Said({"after": last}, f"Go on with --after {last}.")


def _waiting(queue: QueueOut) -> str:
    eta = "" if queue.eta_s is None else f", for about {queue.eta_s / 60:,.1f} minutes"
    return f"{queue.tasks:,} tasks of {queue.jobs:,} jobs wait{eta}."
