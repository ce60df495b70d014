"""`sheepfold machine`: add, pause, resume and stop machines, and say when they may work; from afar, or in a folder."""

from dataclasses import replace
from typing import Annotated, Any

import typer

from sheepfold.cli.command import Office, Said, office_command
from sheepfold.cli.paging import AfterOption, LimitOption, listed
from sheepfold.cli.plain import columns, minute
from sheepfold.cli.words import words_for
from sheepfold.model.accounts import Scope
from sheepfold.model.machines import WorkRules
from sheepfold.protocols.rest.machine_wire import MachineRules

app = typer.Typer(add_completion=False, rich_markup_mode="markdown", no_args_is_help=True)
_Machine = Annotated[str, typer.Argument(metavar="MACHINE")]


@app.callback()
def machine() -> None:
    """List, add, pause, resume and stop machines, and say when they may work."""


@office_command(app, "list")
def list_machines(office: Office, limit: LimitOption = 50, after: AfterOption = "") -> Said:
    """List all machines, those heard of last first; of your own, or as the owner, with more."""
    page = office.machines(limit, after)
    table = columns("machine", "account", "last heard of", "power", "keys", "")
    for one in page.machines:
        power = "" if one.power is None else f"{one.power:.1f}"
        keys, state = "" if one.keys is None else str(one.keys), "paused" if one.suspended_at else ""
        table.add_row(one.name, one.account or "", minute(one.last_seen_at), power, keys, state)
    return Said(page, listed(page, table))


@office_command(app)
def add(
    office: Office, name: _Machine,
    scope: Annotated[Scope, typer.Option(help="What its key opens; order or manage for your programs.")] = Scope.WORK,
) -> Said:
    """Make a key for MACHINE, a new one of yours or one that you have, with the words for each client."""
    made = office.add_key(name, scope)
    return Said(made, words_for(made, office.url or "http://127.0.0.1:8000"))


@office_command(app)
def revoke(office: Office, name: _Machine) -> Said:
    """Take all keys of MACHINE back."""
    office.revoke_machine(name)
    return Said({"machine": name}, f"The keys of {name} open nothing any more.")


@office_command(app)
def pause(office: Office, name: _Machine) -> Said:
    """Have MACHINE give back what it renders, and get no more."""
    return _told(office, name, "pause")


@office_command(app)
def resume(office: Office, name: _Machine) -> Said:
    """Let MACHINE work again."""
    return _told(office, name, "resume")


@office_command(app)
def stop(office: Office, name: _Machine) -> Said:
    """End our worker on MACHINE; started again, it works again."""
    return _told(office, name, "stop")


@office_command(app)
def rules(
    office: Office,
    name: _Machine,
    idle: Annotated[int | None, typer.Option(min=0, metavar="MINUTES",
                                             help="Only when nobody used it for so long; 0: always.")] = None,
    hours: Annotated[str | None, typer.Option(metavar="H-H", help="Only within these hours of its own clock, such as "
                                              "22-6; empty: all day.")] = None,
    mains: Annotated[bool | None, typer.Option("--mains/--battery", help="Only on mains, or on battery too.")] = None,
    load: Annotated[float | None, typer.Option(min=0.0, metavar="X", help="Begin nothing above this load average; 0: "
                                               "it does not matter.")] = None,
) -> Said:
    """Say when MACHINE may work, and print it; what is not said stays. Our worker obeys within half a minute."""
    said: dict[str, Any] = {"idle_min": idle, "hours": hours, "mains_only": mains, "load_limit": load}
    wanted = {name_: value for name_, value in said.items() if value is not None}
    known = office.rules(name)
    if wanted:
        new = replace(known.to_model(), **wanted)
        new.check()
        known = office.set_rules(name, MachineRules.of(new))
    return Said(known, _words(known.to_model()))


def _told(office: Office, name: str, command: str) -> Said:
    office.command(name, command)
    return Said({"machine": name, "command": command}, f"Told {name} to {command}.")


def _words(rules: WorkRules) -> str:
    said = [f"after {rules.idle_min} minutes without anybody" if rules.idle_min else "",
            f"from {rules.hours.replace('-', ' to ')} o'clock" if rules.hours else "",
            "on mains alone" if rules.mains_only else "",
            f"below load {rules.load_limit:g}" if rules.load_limit else ""]
    return "It works " + (", ".join(part for part in said if part) or "always") + "."
