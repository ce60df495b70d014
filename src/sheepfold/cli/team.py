"""`sheepfold team`: people who earn together, over the network or in a farm's folder here."""

from typing import Annotated

import typer
from pydantic import BaseModel
from rich.table import Table

from sheepfold.cli.ids import IdArgument
from sheepfold.cli.office import AccountOption, FolderOption, JsonOption, KeyOption, ServerOption, open_office
from sheepfold.cli.plain import clock, plain_console
from sheepfold.protocols.rest.team_wire import TeamList, TeamPage

app = typer.Typer(add_completion=False, rich_markup_mode="markdown", no_args_is_help=True)
TeamArgument = Annotated[str, typer.Argument(metavar="TEAM")]
MemberArgument = Annotated[str, typer.Argument(metavar="MEMBER")]


@app.callback()
def team() -> None:
    """Make teams, invite to them, join, leave and hand them over, and show them private jobs."""


@app.command("list")
def list_teams(
    server: ServerOption = "", key: KeyOption = "", data: FolderOption = None, account: AccountOption = "",
    as_json: JsonOption = False,
) -> None:
    """List the teams, those whose members earned most first."""
    with open_office(server, key, data, account) as office:
        _print(office.teams(), as_json=as_json)


@app.command()
def show(
    team: TeamArgument, server: ServerOption = "", key: KeyOption = "", data: FolderOption = None,
    account: AccountOption = "", as_json: JsonOption = False,
) -> None:
    """Show TEAM and who is in it."""
    with open_office(server, key, data, account) as office:
        _print(office.team(team), as_json=as_json)


@app.command()
def make(
    team: TeamArgument, server: ServerOption = "", key: KeyOption = "", data: FolderOption = None,
    account: AccountOption = "",
) -> None:
    """Make TEAM, and lead it."""
    with open_office(server, key, data, account) as office:
        typer.echo(f"{office.make_team(team).leader} leads {team}.")


@app.command()
def invite(
    team: TeamArgument, server: ServerOption = "", key: KeyOption = "", data: FolderOption = None,
    account: AccountOption = "",
) -> None:
    """Print a link by which whoever has it joins TEAM; the one before works no more."""
    with open_office(server, key, data, account) as office:
        typer.echo(office.invite_to_team(team))


@app.command()
def join(
    invitation: Annotated[str, typer.Argument(metavar="LINK", help="The link, or the code at its end.")],
    server: ServerOption = "", key: KeyOption = "", data: FolderOption = None, account: AccountOption = "",
) -> None:
    """Join the team that an invitation leads to."""
    with open_office(server, key, data, account) as office:
        joined = office.join_team(invitation.rstrip("/").rpartition("/")[2])
    typer.echo(f"You are in {joined.name}, which {joined.leader} leads.")


@app.command()
def remove(
    team: TeamArgument, member: MemberArgument, server: ServerOption = "", key: KeyOption = "",
    data: FolderOption = None, account: AccountOption = "",
) -> None:
    """Take MEMBER out of TEAM: yourself, or anybody of a team that you lead. The last one closes it."""
    with open_office(server, key, data, account) as office:
        office.remove_from_team(team, member)
    typer.echo(f"{member} is no more in {team}.")


@app.command("hand-over")
def hand_over(
    team: TeamArgument, member: MemberArgument, server: ServerOption = "", key: KeyOption = "",
    data: FolderOption = None, account: AccountOption = "",
) -> None:
    """Have MEMBER lead TEAM; its invitation works no more."""
    with open_office(server, key, data, account) as office:
        typer.echo(f"{office.hand_over_team(team, member).leader} leads {team}.")


@app.command("show-job")
def show_job(
    job_id: IdArgument, server: ServerOption = "", key: KeyOption = "", data: FolderOption = None,
    account: AccountOption = "",
) -> None:
    """Show the private job ID to your team."""
    with open_office(server, key, data, account) as office:
        typer.echo(f"Job {job_id} is seen by {office.show_to_team(job_id, is_shown=True)}.")


@app.command("hide-job")
def hide_job(
    job_id: IdArgument, server: ServerOption = "", key: KeyOption = "", data: FolderOption = None,
    account: AccountOption = "",
) -> None:
    """Show the private job ID to your team no more."""
    with open_office(server, key, data, account) as office:
        office.show_to_team(job_id, is_shown=False)
    typer.echo(f"Job {job_id} is seen by no team.")


def _print(found: BaseModel, *, as_json: bool) -> None:
    if as_json:
        typer.echo(found.model_dump_json(indent=2))
        return
    match found:
        case TeamList():
            table = Table("team", "points", "members", "led by", box=None, padding=(0, 2, 0, 0))
            for one in found.teams:
                table.add_row(one.name, f"{one.earned / 1000:,.3f}", str(one.members), one.leader)
        case TeamPage():
            table = Table("member", "points", "since", "", box=None, padding=(0, 2, 0, 0))
            for member in found.roll:
                leads = "leads" if member.name == found.leader else ""
                table.add_row(member.name, f"{member.earned / 1000:,.3f}", clock(member.joined_at), leads)
    plain_console().print(table)
