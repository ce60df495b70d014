"""`sheepfold account`: the people of a farm."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from sheepfold.cli.command import Office, Said, office_command, say
from sheepfold.cli.ids import IdArgument
from sheepfold.cli.office import JsonOption
from sheepfold.cli.options import DataOption, farm_in
from sheepfold.cli.paging import BeforeOption, LimitOption, listed
from sheepfold.cli.plain import clock, columns, minute, plain, print_rows
from sheepfold.farm import accounts, browse
from sheepfold.model.accounts import Role

app = typer.Typer(add_completion=False, rich_markup_mode="markdown", no_args_is_help=True)
PASSWORD_LENGTH = 8
_Name = Annotated[str, typer.Argument(metavar="NAME")]
_RoleOption = Annotated[Role, typer.Option(help="Volunteers render, artists order too, owners do everything.")]
_StdinOption = Annotated[bool, typer.Option("--password-stdin", help="Read the password from standard input.")]


@app.callback()
def account() -> None:
    """Add and list accounts, and change your own: its address, its password, its keys, and where it is signed in."""


@app.command()
def add(
    name: _Name, data: DataOption, role: _RoleOption = Role.ARTIST, password_stdin: _StdinOption = False,
    as_json: JsonOption = False,
) -> None:
    """Add the account NAME; without --password-stdin the password is asked for."""
    if password_stdin:
        password = sys.stdin.readline().rstrip("\r\n")
    else:
        password = typer.prompt("Password", hide_input=True, confirmation_prompt=True)
    if len(password) < PASSWORD_LENGTH:
        raise typer.BadParameter(f"A password has at least {PASSWORD_LENGTH} characters.")
    with farm_in(data, may_be_new=True) as farm:
        added = accounts.add_account(farm, name, role, password)
    say(Said({"account": added.name, "role": added.role}, f"Added {added.name} ({added.role})."), as_json=as_json)


@office_command(app)
def show(office: Office) -> Said:
    """Show your account: its role, its address, its team and its points."""
    found = office.account()
    table = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
    email = f"{plain(found.email)} ({'proven' if found.is_email_proven else 'not proven yet'})" if found.email else ""
    for name, value in {"account": found.account, "role": found.role, "e-mail": email, "team": found.team or "",
                        "machines": str(found.machines), "since": clock(found.created_at),
                        "earned": _points(found.earned), "spent": _points(found.spent)}.items():
        table.add_row(name, value)
    return Said(found, table)


@office_command(app)
def data(office: Office, file: Annotated[Path, typer.Argument(metavar="FILE.json", dir_okay=False)]) -> Said:
    """Write all that the farm keeps of you into a FILE."""
    found = office.account_data()
    file.write_text(json.dumps(found, indent=2, ensure_ascii=False) + "\n", "utf-8")
    return Said(found, str(file))


@office_command(app)
def email(office: Office, address: Annotated[str, typer.Argument(metavar="ADDRESS")]) -> Said:
    """Set the ADDRESS that letters to you go to, or none ('')."""
    office.set_email(address)
    told = f"A letter with a code is on its way to {plain(address)}." if address else "You get no letters."
    return Said({"email": address}, told)


@office_command(app, "prove-email")
def prove_email(office: Office, code: Annotated[str, typer.Argument(metavar="CODE")]) -> Said:
    """Prove your address by the CODE of the letter."""
    office.prove_email(code)
    return Said({"is_email_proven": True}, "Your address is proven.")


@office_command(app)
def password(office: Office) -> Said:
    """Change your password; every browser is signed out. The old and the new one are lines of standard input."""
    old, new = _secret("Old password"), _secret("New password")
    office.change_password(old, new)
    return Said({}, "Your password is changed.")


@office_command(app)
def forget(office: Office) -> Said:
    """Close your account and take every name off it; your pictures and points stay, under a number. The password is
    a line of standard input.
    """
    office.forget_account(_secret("Password"))
    return Said({}, "You are forgotten.")


@office_command(app)
def keys(office: Office, limit: LimitOption = 50, before: BeforeOption = None) -> Said:
    """List the keys of your machines, the newest first; the keys themselves are not kept."""
    page = office.keys(limit, before)
    table = columns("id", "machine", "scope", "made")
    for one in page.keys:
        table.add_row(str(one.id), one.machine, one.scope, minute(one.created_at))
    return Said(page, listed(page, table))


@office_command(app, "revoke-key")
def revoke_key(office: Office, key_id: IdArgument) -> Said:
    """Revoke the key ID: it opens nothing any more."""
    office.revoke_key(key_id)
    return Said({"revoked": key_id}, f"Key {key_id} opens nothing any more.")


@office_command(app)
def browsers(office: Office, limit: LimitOption = 50, before: BeforeOption = None) -> Said:
    """List the browsers in which you are signed in."""
    page = office.browsers(limit, before)
    table = columns("id", "browser", "since", "last seen")
    for one in page.browsers:
        table.add_row(str(one.id), plain(one.browser), minute(one.opened_at), minute(one.last_seen_at))
    return Said(page, listed(page, table))


@office_command(app, "sign-out")
def sign_out(office: Office, session_id: IdArgument) -> Said:
    """Sign the browser ID out."""
    office.sign_out(session_id)
    return Said({"signed_out": session_id}, f"Browser {session_id} is signed out.")


@app.command("list")
def list_accounts(data: DataOption, as_json: JsonOption = False) -> None:
    """List the accounts with the points that they have earned, spent, and left to spend; in JSON a thousandth each."""
    with farm_in(data) as farm:
        rows = [{"account": name, "earned": purse.earned, "spent": purse.spent, "left": purse.balance}
                for name, purse in browse.purses(farm).items()]
    print_rows({"account": str, "earned": _points, "spent": _points, "left": _points}, rows, as_json=as_json)


def _secret(what: str) -> str:
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    said: str = typer.prompt(what, hide_input=True, err=True)
    return said


def _points(millipoints: int) -> str:
    return f"{millipoints / 1000:,.3f}"
