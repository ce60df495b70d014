"""`sheepfold team`: people who earn together, over the network or in a farm's folder here."""

from typing import Annotated

import typer

from sheepfold.cli.command import Office, Said, office_command
from sheepfold.cli.ids import IdArgument
from sheepfold.cli.paging import AfterOption, LimitOption, listed
from sheepfold.cli.plain import columns, day

app = typer.Typer(add_completion=False, rich_markup_mode="markdown", no_args_is_help=True)
TeamArgument = Annotated[str, typer.Argument(metavar="TEAM")]
MemberArgument = Annotated[str, typer.Argument(metavar="MEMBER")]


@app.callback()
def team() -> None:
    """Make teams, invite to them, join, leave and hand them over, and show them private jobs."""


@office_command(app, "list")
def list_teams(office: Office, limit: LimitOption = 50, after: AfterOption = "") -> Said:
    """List the teams, those whose members earned most first."""
    page = office.teams(limit, after)
    table = columns("team", "points", "members", "led by")
    for one in page.teams:
        table.add_row(one.name, f"{one.earned / 1000:,.3f}", str(one.members), one.leader)
    return Said(page, listed(page, table))


@office_command(app)
def show(office: Office, team: TeamArgument) -> Said:
    """Show TEAM and who is in it."""
    found = office.team(team)
    table = columns("member", "points", "since", "")
    for member in found.roll:
        leads = "leads" if member.name == found.leader else ""
        table.add_row(member.name, f"{member.earned / 1000:,.3f}", day(member.joined_at), leads)
    return Said(found, table)


@office_command(app)
def make(office: Office, team: TeamArgument) -> Said:
    """Make TEAM, and lead it."""
    made = office.make_team(team)
    return Said(made, f"{made.leader} leads {team}.")


@office_command(app)
def invite(office: Office, team: TeamArgument) -> Said:
    """Print a link by which whoever has it joins TEAM; the one before works no more."""
    link = office.invite_to_team(team)
    return Said({"link": link}, link)


@office_command(app)
def join(
    office: Office,
    invitation: Annotated[str, typer.Argument(metavar="LINK", help="The link, or the code at its end.")],
) -> Said:
    """Join the team that an invitation leads to."""
    joined = office.join_team(invitation.rstrip("/").rpartition("/")[2])
    return Said(joined, f"You are in {joined.name}, which {joined.leader} leads.")


@office_command(app)
def remove(office: Office, team: TeamArgument, member: MemberArgument) -> Said:
    """Take MEMBER out of TEAM: yourself, or anybody of a team that you lead. The last one closes it."""
    office.remove_from_team(team, member)
    return Said({"team": team, "member": member}, f"{member} is no more in {team}.")


@office_command(app, "hand-over")
def hand_over(office: Office, team: TeamArgument, member: MemberArgument) -> Said:
    """Have MEMBER lead TEAM; its invitation works no more."""
    found = office.hand_over_team(team, member)
    return Said(found, f"{found.leader} leads {team}.")


@office_command(app, "show-job")
def show_job(office: Office, job_id: IdArgument) -> Said:
    """Show the private job ID to your team."""
    team = office.show_to_team(job_id, is_shown=True)
    return Said({"job": job_id, "team": team}, f"Job {job_id} is seen by {team}.")


@office_command(app, "hide-job")
def hide_job(office: Office, job_id: IdArgument) -> Said:
    """Show the private job ID to your team no more."""
    office.show_to_team(job_id, is_shown=False)
    return Said({"job": job_id, "team": None}, f"Job {job_id} is seen by no team.")
