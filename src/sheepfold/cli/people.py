"""`sheepfold people`: what the owner's pages do, from the farm's own console or over the network."""

import sys
from typing import Annotated

import typer

from sheepfold.cli.command import Office, Said, office_command, say
from sheepfold.cli.office import JsonOption
from sheepfold.cli.options import DataOption, farm_in
from sheepfold.cli.paging import AfterOption, BeforeOption, LimitOption, listed
from sheepfold.cli.plain import clock, columns, day, plain
from sheepfold.farm import people
from sheepfold.model.accounts import Role

app = typer.Typer(add_completion=False, rich_markup_mode="markdown", no_args_is_help=True)
_Name = Annotated[str, typer.Argument(metavar="NAME")]
_Machine = Annotated[str, typer.Argument(metavar="MACHINE")]


@app.callback()
def people_() -> None:
    """Rule people and machines: roles, invitations, closed accounts, paused machines, the audit log."""


@office_command(app, "list")
def list_people(
    office: Office, limit: LimitOption = 50, after: AfterOption = "",
    search: Annotated[str, typer.Option(help="Only whose name or address has this in it.", metavar="TEXT")] = "",
) -> Said:
    """List people by their names, with the points that they have earned and spent; in JSON a thousandth each."""
    page = office.people(limit, after, search)
    table = columns("name", "role", "earned", "spent", "machines", "since", "closed")
    for one in page.people:
        closed = day(one.closed_at) if one.closed_at else ""
        table.add_row(one.name, one.role, _points(one.earned), _points(one.spent), str(one.machines),
                      day(one.created_at), closed)
    return Said(page, listed(page, table))


@office_command(app)
def leaders(office: Office, limit: LimitOption = 50, after: AfterOption = "") -> Said:
    """List those who earned most, the first of them first; in JSON a thousandth of a point each."""
    page = office.leaders(limit, after)
    table = columns("name", "earned", "machines")
    for one in page.leaders:
        table.add_row(one.name, _points(one.earned), str(one.machines))
    return Said(page, listed(page, table))


@office_command(app)
def invite(office: Office, role: Annotated[Role, typer.Option(help="What they may do.")] = Role.VOLUNTEER) -> Said:
    """Print an invitation's code; it works once, within a week."""
    code = office.invite(role)
    return Said({"code": code}, code)


@office_command(app)
def role(office: Office, name: _Name, role: Annotated[Role, typer.Argument(metavar="ROLE")]) -> Said:
    """Give NAME another role."""
    return Said(office.change_person(name, role=role), f"The role of {name} is {role} now.")


@office_command(app)
def close(office: Office, name: _Name) -> Said:
    """Close the account NAME: nobody signs in to it, its keys open nothing."""
    return Said(office.change_person(name, closed=True), f"Closed {name}.")


@office_command(app)
def reopen(office: Office, name: _Name) -> Said:
    """Let NAME sign in again; keys stay revoked."""
    return Said(office.change_person(name, closed=False), f"Reopened {name}.")


@app.command()
def password(name: _Name, data: DataOption, as_json: JsonOption = False) -> None:
    """Read a new password for NAME from standard input; every browser of NAME is signed out. At the console alone."""
    new = sys.stdin.readline().rstrip("\r\n") if not sys.stdin.isatty() else typer.prompt("Password", hide_input=True)
    with farm_in(data) as farm:
        people.set_password(farm, people.person_named(farm, name).account, new)
    say(Said({"name": name}, f"Set the password of {name}."), as_json=as_json)


@office_command(app)
def pause(office: Office, machine: _Machine) -> Said:
    """Let MACHINE get no more work."""
    office.command(machine, "pause")
    return Said({"machine": machine, "command": "pause"}, f"Paused {machine}.")


@office_command(app)
def resume(office: Office, machine: _Machine) -> Said:
    """Let MACHINE work again, out of quarantine too."""
    office.command(machine, "resume")
    return Said({"machine": machine, "command": "resume"}, f"{machine} may work again.")


@office_command(app)
def audit(office: Office, limit: LimitOption = 50, before: BeforeOption = None) -> Said:
    """Show who changed what, the newest first."""
    page = office.audit(limit, before)
    table = columns("id", "at", "who", "what", "about")
    for line in page.lines:
        table.add_row(str(line.id), clock(line.at), plain(line.who), plain(line.what), plain(line.about))
    return Said(page, listed(page, table))


def _points(millipoints: int) -> str:
    return f"{millipoints / 1000:,.3f}"
