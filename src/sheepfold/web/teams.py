"""Teams: who earned most together, a team's page, and the way in by a link."""

from starlette.responses import Response
from starlette.routing import BaseRoute

from sheepfold.farm import teams
from sheepfold.farm.farm import Farm
from sheepfold.model.accounts import Role
from sheepfold.model.errors import BadInput
from sheepfold.protocols.uploads import base_url
from sheepfold.web.frame import MEMBER, VISITOR, Visit, on_thread, page_route

MOST_TEAMS = 200


def routes(farm: Farm) -> list[BaseRoute]:
    """Return the routes of teams."""
    return [
        page_route(farm, "/teams", _teams, VISITOR),
        page_route(farm, "/teams", _make, MEMBER, "POST"),
        page_route(farm, "/teams/{team}", _team, VISITOR),
        page_route(farm, "/teams/{team}/invite", _invite, MEMBER, "POST"),
        page_route(farm, "/teams/{team}/members/{name}", _change, MEMBER, "POST"),
        page_route(farm, "/invited/{code}", _invited, MEMBER),
        page_route(farm, "/invited/{code}", _join, MEMBER, "POST"),
    ]


async def _teams(visit: Visit) -> Response:
    mine = await on_thread(teams.team_of, visit.farm, visit.account) if visit.visitor else None
    return visit.page("teams.html", teams=await on_thread(teams.list_teams, visit.farm, MOST_TEAMS), mine=mine)


async def _make(visit: Visit) -> Response:
    team = await on_thread(teams.make_team, visit.farm, visit.account, (await visit.form()).get("name", ""))
    return visit.go(f"/teams/{team.name}")


async def _team(visit: Visit) -> Response:
    return await _show(visit, "")


async def _show(visit: Visit, link: str) -> Response:
    """Answer with a team's page; `link` is an invitation that was made just now."""
    page = await on_thread(teams.view_team, visit.farm, visit.request.path_params["team"])
    me = visit.visitor and visit.account
    may_lead = bool(me) and (visit.account.id == page.team.leader_id or visit.account.role is Role.OWNER)
    return visit.page("team.html", team=page.team, members=page.members, link=link, may_lead=may_lead,
                      me=me.id if me else None)


async def _invite(visit: Visit) -> Response:
    code = await on_thread(teams.invite, visit.farm, visit.account, visit.request.path_params["team"])
    return await _show(visit, f"{base_url(visit.request, visit.farm)}/invited/{code}")


async def _change(visit: Visit) -> Response:
    team, name = visit.request.path_params["team"], visit.request.path_params["name"]
    match (await visit.form()).get("deed"):
        case "remove":
            await on_thread(teams.remove, visit.farm, visit.account, team, name)
        case "lead":
            await on_thread(teams.hand_over, visit.farm, visit.account, team, name)
        case _:
            raise BadInput("A member can be told remove or lead.")
    return visit.go("/teams" if name == visit.account.name else f"/teams/{team}")


async def _invited(visit: Visit) -> Response:
    code: str = visit.request.path_params["code"]
    team = await on_thread(teams.team_behind, visit.farm, code)
    return visit.page("team-join.html", team=team, code=code)


async def _join(visit: Visit) -> Response:
    team = await on_thread(teams.join, visit.farm, visit.account, visit.request.path_params["code"])
    return visit.go(f"/teams/{team.name}")
