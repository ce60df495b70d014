"""`sheepfold key`: what opens the farm to a machine, and the exact words for each client."""

from typing import Annotated

import typer

from sheepfold.cli.options import DataOption, farm_in
from sheepfold.farm import accounts
from sheepfold.farm.accounts import NewKey
from sheepfold.model.accounts import Scope

app = typer.Typer(add_completion=False, rich_markup_mode="markdown", no_args_is_help=True)

_Machine = Annotated[str, typer.Argument(metavar="MACHINE")]
_WORDS = """\
{key}

This is the key of {machine}. It is shown only now; keep it like a password. It opens {opens}.

  our worker         sheepfold work --server {server} --key {key}
                     (where it is not installed yet, {server}/join says how)
                     (for trying the old protocols: --protocol sheepit or electricsheep --account {account},
                     or --protocol browsershots --account {machine})
  SheepIt            java -jar sheepit-client.jar -server {server} -login {account} -password {key} -ui text
  Electric Sheep     nickname {account}, password {key}, and the farm's host as `redirectserver`
                     (2.7b29 to 2.7b36; for 3.0 and later lead community.sheepserver.net to this farm, port 443)
  ShotFactory        shotfactory.py -s {server} -f {machine} -P {key}
                     (tell the farm of its browsers first: sheepfold browser add {machine} …)
"""


@app.callback()
def key() -> None:
    """Give keys to machines, and take them back."""


@app.command()
def add(
    account: Annotated[str, typer.Argument(metavar="ACCOUNT")],
    machine: _Machine,
    data: DataOption,
    scope: Annotated[Scope | None, typer.Option(help="What it opens; volunteers' keys are for work alone.")] = None,
    server: Annotated[str, typer.Option(help="The farm's address, for the words that are printed.")] = "http://127.0.0.1:8000",
    bare: Annotated[bool, typer.Option("--bare", help="Print the key and nothing else.")] = False,
) -> None:
    """Make a key for MACHINE of ACCOUNT, and print it with what to type into each client."""
    with farm_in(data) as farm:
        made = accounts.add_key(farm, account, machine, scope)
    typer.echo(made.key if bare else words(made, server), nl=bare)


def words(made: NewKey, server: str) -> str:
    """Return a new key with what to type into each real client."""
    opens = "rendering and ordering" if made.scope is Scope.ORDER else "rendering"
    return _WORDS.format(key=made.key, machine=made.machine.name, account=made.account.name, server=server, opens=opens)


@app.command()
def revoke(machine: _Machine, data: DataOption) -> None:
    """Revoke every key of MACHINE."""
    with farm_in(data) as farm:
        count = accounts.revoke_keys(farm, machine)
    typer.echo(f"Revoked {count} key{'s' if count != 1 else ''} of {machine}.")
