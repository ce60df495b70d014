"""`sheepfold account`: the people of a farm."""

import sys
from typing import Annotated

import typer

from sheepfold.cli.office import JsonOption
from sheepfold.cli.options import DataOption, farm_in
from sheepfold.cli.plain import print_rows
from sheepfold.farm import accounts, browse
from sheepfold.model.accounts import Role

app = typer.Typer(add_completion=False, rich_markup_mode="markdown", no_args_is_help=True)
PASSWORD_LENGTH = 8
_Name = Annotated[str, typer.Argument(metavar="NAME")]
_RoleOption = Annotated[Role, typer.Option(help="Volunteers render, artists order too, owners do everything.")]
_StdinOption = Annotated[bool, typer.Option("--password-stdin", help="Read the password from standard input.")]


@app.callback()
def account() -> None:
    """Add and list accounts."""


@app.command()
def add(name: _Name, data: DataOption, role: _RoleOption = Role.ARTIST, password_stdin: _StdinOption = False) -> None:
    """Add the account NAME; without --password-stdin the password is asked for."""
    if password_stdin:
        password = sys.stdin.readline().rstrip("\r\n")
    else:
        password = typer.prompt("Password", hide_input=True, confirmation_prompt=True)
    if len(password) < PASSWORD_LENGTH:
        raise typer.BadParameter(f"A password has at least {PASSWORD_LENGTH} characters.")
    with farm_in(data) as farm:
        added = accounts.add_account(farm, name, role, password)
    typer.echo(f"Added {added.name} ({added.role}).")


@app.command("list")
def list_accounts(data: DataOption, as_json: JsonOption = False) -> None:
    """List the accounts with the points that they have earned, spent, and left to spend; in JSON a thousandth each."""
    with farm_in(data) as farm:
        rows = [{"account": name, "earned": purse.earned, "spent": purse.spent, "left": purse.balance}
                for name, purse in browse.purses(farm).items()]
    print_rows({"account": str, "earned": _points, "spent": _points, "left": _points}, rows, as_json=as_json)


def _points(millipoints: int) -> str:
    return f"{millipoints / 1000:,.3f}"
