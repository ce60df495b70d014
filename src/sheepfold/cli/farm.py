"""`sheepfold farm`: what a farm does now, what waits in it, what happens, and whose key opens it."""

import time
from typing import Annotated

import typer
from rich.console import Group

from sheepfold.cli.command import Office, Said, office_command
from sheepfold.cli.findings import lines_of
from sheepfold.cli.paging import AfterOption, BeforeOption, LimitOption, listed
from sheepfold.cli.plain import columns, minute, plain
from sheepfold.cli.progress import progress
from sheepfold.protocols.rest.owner_wire import BackupOut, QueueOut
from sheepfold.protocols.rest.watching import POLL_S

app = typer.Typer(add_completion=False, rich_markup_mode="markdown", no_args_is_help=True)


@app.callback()
def farm() -> None:
    """See what a farm does, what waits in it, and what happens."""


@office_command(app)
def now(office: Office) -> Said:
    """See which machine makes what, and how much waits."""
    found = office.now()
    table = columns("machine", "account", "protocol", "since", "job", "task", "frame", "title")
    for one in found.at_work:
        named = ("", "", "") if one.job is None else (str(one.job), str(one.task), str(one.frame))
        table.add_row(one.machine, one.account, one.protocol, minute(one.since), *named, plain(one.title))
    idle = [] if found.at_work else ["No machine makes anything."]
    return Said(found, Group(table, *idle, _waiting(found.queue)))


@office_command(app)
def whoami(office: Office) -> Said:
    """Say whose key this is, and what points that account has; in JSON a thousandth each."""
    found = office.whoami()
    may = "may order" if found.may_order else "may render"
    machine = f" by the key of {found.machine}" if found.machine else ""
    points = f"earned {found.earned / 1000:,.3f} points, spent {found.spent / 1000:,.3f}"
    return Said(found, f"You are {found.account}, {found.role}{machine}: you {may}, {points}.")


@office_command(app)
def queue(office: Office, limit: LimitOption = 50, after: AfterOption = "") -> Said:
    """See the running jobs, and how much of each waits; for the owner."""
    page = office.queue(limit, after)
    table = columns("job", "kind", "title", "account", "priority", "waiting", "ordered")
    for one in page.lines:
        table.add_row(str(one.job), one.kind, plain(one.title), plain(one.account), str(one.priority),
                      str(one.waiting), minute(one.created_at))
    return Said(page, listed(page, table, _waiting(page)))


@office_command(app)
def check(office: Office) -> Said:
    """Prove that all that the farm knows agrees, exit 1 and say what does not; for the owner."""
    found = office.check()
    return Said(found, "\n".join(lines_of(found.findings)) or "All is well.", 1 if found.findings else 0)


@office_command(app)
def backup(
    office: Office,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Until it is made, or only ask for it.")] = True,
) -> Said:
    """Have the farm back itself up into the folder of its setting `backup_folder`, exit 1 where that fails; for the
    owner.
    """
    made = office.back_up()
    if not wait:
        return Said(made, f"Backup {made.id} is asked for; `sheepfold farm backups` says how far it is.")
    with progress(f"Backup {made.id}") as step:
        while made.ended_at is None:
            step(made.files_done, made.files or 1)
            time.sleep(POLL_S)
            made = office.backup(made.id)
    return Said(made, _told(made), 1 if made.trouble else 0)


@office_command(app)
def backups(office: Office, limit: LimitOption = 50, before: BeforeOption = None) -> Said:
    """List the backups that were asked for, the newest first; for the owner."""
    page = office.backups(limit, before)
    table = columns("id", "asked for", "by", "state", "files", "new")
    for one in page.backups:
        table.add_row(str(one.id), minute(one.asked_at), one.who, one.state, f"{one.files_done:,} of {one.files:,}",
                      f"{one.new_files:,}")
    troubles = [f"{one.id}: {plain(one.trouble)}" for one in page.backups if one.trouble]
    return Said(page, listed(page, table, *troubles))


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


def _told(made: BackupOut) -> str:
    if made.trouble:
        return f"The backup failed: {plain(made.trouble)}"
    size = f"{made.size_bytes / 2**20:.1f} MiB"
    return f"{made.files:,} files of {size}, {made.new_files:,} of them new, and the database, in {plain(made.folder)}."


def _waiting(queue: QueueOut) -> str:
    eta = "" if queue.eta_s is None else f", for about {queue.eta_s / 60:,.1f} minutes"
    return f"{queue.tasks:,} tasks of {queue.jobs:,} jobs wait{eta}."
