"""`sheepfold people`: what the owner's pages do, from the farm's own console."""

import sys
from typing import Annotated

import typer

from sheepfold.cli.office import JsonOption
from sheepfold.cli.options import DataOption, farm_in
from sheepfold.cli.plain import clock, plain, print_rows
from sheepfold.farm import owner, people
from sheepfold.farm.accounts import find_customer
from sheepfold.model.accounts import Role
from sheepfold.store import accounts as account_rows
from sheepfold.web.words import points

app = typer.Typer(add_completion=False, rich_markup_mode="markdown", no_args_is_help=True)
_Name = Annotated[str, typer.Argument(metavar="NAME")]
_Machine = Annotated[str, typer.Argument(metavar="MACHINE")]


@app.callback()
def people_() -> None:
    """Rule people and machines: roles, invitations, closed accounts, paused machines, the audit log."""


@app.command("list")
def list_people(data: DataOption, as_json: JsonOption = False) -> None:
    """List people with their roles, and the points that they have earned and spent; in JSON a thousandth each."""
    with farm_in(data) as farm:
        rows = [{"name": one.account.name, "role": one.account.role, "earned": one.purse.earned,
                 "spent": one.purse.spent, "machines": one.machines, "since": one.created_at, "closed": one.closed_at}
                for one in people.list_people(farm)]
    print_rows({"name": str, "role": str, "earned": points, "spent": points, "machines": str, "since": clock,
                "closed": lambda at: clock(at) if at else ""}, rows, as_json=as_json)


@app.command()
def invite(data: DataOption, role: Annotated[Role, typer.Option(help="What they may do.")] = Role.VOLUNTEER) -> None:
    """Print an invitation's code; it works once, within a week."""
    with farm_in(data) as farm:
        typer.echo(people.invite(farm, find_customer(farm), role))


@app.command()
def role(name: _Name, role: Annotated[Role, typer.Argument(metavar="ROLE")], data: DataOption) -> None:
    """Give NAME another role."""
    with farm_in(data) as farm:
        owner.change_role(farm, None, name, role)
    typer.echo(f"The role of {name} is {role} now.")


@app.command()
def close(name: _Name, data: DataOption) -> None:
    """Close the account NAME: nobody signs in to it, its keys open nothing."""
    with farm_in(data) as farm:
        owner.close_account(farm, None, name)
    typer.echo(f"Closed {name}.")


@app.command()
def reopen(name: _Name, data: DataOption) -> None:
    """Let NAME sign in again; keys stay revoked."""
    with farm_in(data) as farm:
        owner.reopen_account(farm, None, name)
    typer.echo(f"Reopened {name}.")


@app.command()
def password(name: _Name, data: DataOption) -> None:
    """Read a new password for NAME from standard input; every browser of NAME is signed out."""
    new = sys.stdin.readline().rstrip("\r\n") if not sys.stdin.isatty() else typer.prompt("Password", hide_input=True)
    with farm_in(data) as farm:
        account = farm.db.read(lambda tx: account_rows.account_named(tx, name))
        people.set_password(farm, account, new)
    typer.echo(f"Set the password of {name}.")


@app.command()
def pause(machine: _Machine, data: DataOption) -> None:
    """Let MACHINE get no more work."""
    with farm_in(data) as farm:
        owner.change_machine(farm, None, machine, owner.PAUSE)
    typer.echo(f"Paused {machine}.")


@app.command()
def resume(machine: _Machine, data: DataOption) -> None:
    """Let MACHINE work again, out of quarantine too."""
    with farm_in(data) as farm:
        owner.change_machine(farm, None, machine, owner.RESUME)
    typer.echo(f"{machine} may work again.")


@app.command()
def audit(
    data: DataOption,
    limit: Annotated[int, typer.Option(min=1, help="How many lines at most.")] = 50,
    as_json: JsonOption = False,
) -> None:
    """Show who changed what, the newest first."""
    with farm_in(data) as farm:
        rows = [{"at": line.at, "who": line.who, "what": line.what, "of": line.about}
                for line in owner.read_audit(farm, limit)]
    print_rows({"at": clock, "who": plain, "what": plain, "of": plain}, rows, as_json=as_json)
