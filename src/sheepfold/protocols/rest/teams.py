"""What people ask of teams: make one, join it, leave it, lead it, and show it a private job."""

from typing import Annotated

from fastapi import APIRouter, Path, Request

from sheepfold.farm import sight, teams
from sheepfold.farm.farm import Farm
from sheepfold.model.jobs import JobId
from sheepfold.protocols.rest.callers import CallerHere, CancelerHere, FarmHere
from sheepfold.protocols.rest.making import MakingRoute
from sheepfold.protocols.rest.page_wire import place, place_of
from sheepfold.protocols.rest.paging import AfterPlace, Limit, cut
from sheepfold.protocols.rest.paths import AccountInPath, JobInPath
from sheepfold.protocols.rest.sight import SEEN
from sheepfold.protocols.rest.team_wire import (
    MemberOut,
    TeamHandedOver,
    TeamInvitation,
    TeamJoined,
    TeamList,
    TeamMade,
    TeamOut,
    TeamPage,
    TeamSeeing,
)
from sheepfold.protocols.uploads import base_url
from sheepfold.store.teams import Team

router = APIRouter(tags=["teams"], route_class=MakingRoute)
TeamInPath = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{1,48}$", description="The team's name.")]


@router.get("/teams", summary="List teams")
def get_teams(farm: FarmHere, _: CallerHere, limit: Limit = 50, after: AfterPlace = "") -> TeamList:
    """List the teams, those whose members have earned most first, page by page."""
    return team_list(farm, limit, after)


@router.post("/teams", status_code=201, summary="Make a team")
def add_team(farm: FarmHere, account: CancelerHere, asked: TeamMade) -> TeamOut:
    """Make a team, which the caller leads; 409 where its name is taken, or the caller is in a team already."""
    return team_out(teams.make_team(farm, account, asked.name))


@router.post("/teams/join", summary="Join a team")
def join_team(farm: FarmHere, account: CancelerHere, asked: TeamJoined) -> TeamOut:
    """Join the team that an invitation leads to; 409 where the caller is in a team already."""
    return team_out(teams.join(farm, account, asked.invitation))


@router.get("/teams/{team}", summary="See a team")
def get_team(farm: FarmHere, _: CallerHere, team: TeamInPath) -> TeamPage:
    """See a team and its members."""
    return team_page(teams.view_team(farm, team))


@router.patch("/teams/{team}", summary="Hand a team over")
def change_team(farm: FarmHere, account: CancelerHere, team: TeamInPath, asked: TeamHandedOver) -> TeamPage:
    """Have another member lead the team; for its leader. The invitation works no more."""
    teams.hand_over(farm, account, team, asked.leader)
    return team_page(teams.view_team(farm, team))


@router.post("/teams/{team}/invitation", status_code=201, summary="Invite to a team")
def add_invitation(request: Request, farm: FarmHere, account: CancelerHere, team: TeamInPath) -> TeamInvitation:
    """Make a link by which whoever has it joins; for its leader. The one before works no more."""
    code = teams.invite(farm, account, team)
    return TeamInvitation(code=code, link=f"{base_url(request, farm)}/invited/{code}")


@router.delete("/teams/{team}/members/{account_name}", status_code=204, summary="Leave a team")
def remove_member(farm: FarmHere, account: CancelerHere, team: TeamInPath, account_name: AccountInPath) -> None:
    """Leave a team, or as its leader take somebody out of it. The last member closes it; a leader cannot leave others
    behind (409).
    """
    teams.remove(farm, account, team, account_name)


@router.put("/jobs/{job_id}/team", dependencies=SEEN, summary="Show a private job to the team")
def show_to_team(farm: FarmHere, account: CancelerHere, job_id: JobInPath) -> TeamSeeing:
    """Show a private job to the team of its account; 409 where everybody sees it, or there is no team."""
    return TeamSeeing(team=sight.show_to_team(farm, account, JobId(job_id), is_shown=True))


@router.delete("/jobs/{job_id}/team", dependencies=SEEN, summary="Hide a private job from the team")
def hide_from_team(farm: FarmHere, account: CancelerHere, job_id: JobInPath) -> TeamSeeing:
    """Show a private job to no team any more."""
    sight.show_to_team(farm, account, JobId(job_id), is_shown=False)
    return TeamSeeing(team=None)


def team_list(farm: Farm, limit: int, after: str) -> TeamList:
    """Write teams from a place on, as the command line too shows them."""
    found = teams.list_teams(farm, limit + 1, place_of(after))
    page, following = cut(found, limit, lambda one: place(one.earned, one.id))
    return TeamList(teams=[team_out(one) for one in page], next=following)


def team_out(team: Team) -> TeamOut:
    """Write a team."""
    return TeamOut(name=team.name, leader=team.leader, members=team.members, earned=team.earned,
                   created_at=team.created_at)


def team_page(page: teams.TeamPage) -> TeamPage:
    """Write a team with its members."""
    roll = [MemberOut(name=one.name, earned=one.earned, joined_at=one.joined_at) for one in page.members]
    return TeamPage(roll=roll, **team_out(page.team).model_dump())
