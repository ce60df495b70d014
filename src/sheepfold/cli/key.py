"""`sheepfold key`: what opens the farm to a machine, and the exact words for each client."""

from typing import Annotated

import typer

from sheepfold.cli.command import Said, say
from sheepfold.cli.office import JsonOption
from sheepfold.cli.options import DataOption, farm_in
from sheepfold.cli.words import words_for
from sheepfold.farm import accounts
from sheepfold.model.accounts import Scope
from sheepfold.protocols.rest.account import key_made

app = typer.Typer(add_completion=False, rich_markup_mode="markdown", no_args_is_help=True)

_Machine = Annotated[str, typer.Argument(metavar="MACHINE")]


@app.callback()
def key() -> None:
    """Give keys to machines, and take them back."""


@app.command()
def add(  # noqa: PLR0913, PLR0917 -- these are the options of a command, each given by name
    account: Annotated[str, typer.Argument(metavar="ACCOUNT")],
    machine: _Machine,
    data: DataOption,
    scope: Annotated[Scope | None, typer.Option(help="What it opens; volunteers' keys are for work alone.")] = None,
    server: Annotated[str, typer.Option(help="The farm's address, for the words that are printed.")] = "http://127.0.0.1:8000",
    bare: Annotated[bool, typer.Option("--bare", help="Print the key and nothing else.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Make a key for MACHINE of ACCOUNT, and print it with what to type into each client."""
    with farm_in(data) as farm:
        made = key_made(accounts.add_key(farm, account, machine, scope))
    say(Said(made, made.key if bare else words_for(made, server)), as_json=as_json)


@app.command()
def revoke(machine: _Machine, data: DataOption, as_json: JsonOption = False) -> None:
    """Revoke every key of MACHINE."""
    with farm_in(data) as farm:
        count = accounts.revoke_keys(farm, machine)
    words = f"Revoked {count} key{'s' if count != 1 else ''} of {machine}."
    say(Said({"revoked": count}, words), as_json=as_json)
