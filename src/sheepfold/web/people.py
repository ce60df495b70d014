"""My account: points, address, password, browsers, keys, invitations, my data; and the leaderboard."""

import json

from starlette.responses import Response
from starlette.routing import BaseRoute

from sheepfold.farm import people, privacy, teams
from sheepfold.farm.farm import Farm
from sheepfold.model.accounts import Role
from sheepfold.model.errors import MalformedMessage
from sheepfold.protocols.visitors import COOKIE
from sheepfold.web.frame import MEMBER, VISITOR, Visit, on_thread, page_route, signed_in, whole

LEADERS = 100


def routes(farm: Farm) -> list[BaseRoute]:
    """Return the routes of people."""
    return [
        page_route(farm, "/people", _leaders, VISITOR),
        page_route(farm, "/account", _account, MEMBER),
        page_route(farm, "/account/data.json", _export, MEMBER),
        page_route(farm, "/account/password", _password, MEMBER, "POST"),
        page_route(farm, "/account/email", _email, MEMBER, "POST"),
        page_route(farm, "/account/verify", _verify, MEMBER, "POST"),
        page_route(farm, "/account/sessions", _end_session, MEMBER, "POST"),
        page_route(farm, "/account/keys", _revoke_key, MEMBER, "POST"),
        page_route(farm, "/account/invite", _invite, MEMBER, "POST"),
        page_route(farm, "/account/forget", _forget, MEMBER, "POST"),
    ]


async def _leaders(visit: Visit) -> Response:
    return visit.page("people.html", people=await on_thread(people.list_earners, visit.farm, LEADERS))


async def _account(visit: Visit) -> Response:
    return await _show(visit)


async def _show(visit: Visit, code: str = "") -> Response:
    account = visit.account
    person = await on_thread(people.view_person, visit.farm, account.id)
    sessions = await on_thread(people.list_web_sessions, visit.farm, account.id)
    keys = await on_thread(privacy.list_keys, visit.farm, account)
    team = await on_thread(teams.team_of, visit.farm, account)
    return visit.page("account.html", person=person, sessions=sessions, keys=keys, code=code, roles=_invitable(visit),
                      team=team)


def _invitable(visit: Visit) -> list[Role]:
    match visit.account.role:
        case Role.OWNER:
            return list(Role)
        case Role.ARTIST:
            return [Role.VOLUNTEER]
    return []


async def _export(visit: Visit) -> Response:
    found = await on_thread(privacy.export_person, visit.farm, visit.account)
    headers = {"Content-Disposition": 'attachment; filename="my-data.json"', "Cache-Control": "no-store"}
    return Response(json.dumps(found, indent=2, default=str), headers=headers, media_type="application/json")


async def _password(visit: Visit) -> Response:
    form = await visit.form()
    old, new = form.get("old", "")[:1000], form.get("password", "")
    await on_thread(people.change_password, visit.farm, visit.account, old, new)
    browser = visit.request.headers.get("user-agent", "unknown")
    token = await on_thread(people.open_web_session, visit.farm, visit.account, browser)
    return signed_in(visit, visit.go("/account", "password"), token)


async def _email(visit: Visit) -> Response:
    email = (await visit.form()).get("email", "").strip()
    await on_thread(people.set_email, visit.farm, visit.account, email)
    return visit.go("/account", "asked" if email else "saved")


async def _verify(visit: Visit) -> Response:
    await on_thread(people.verify_email, visit.farm, visit.account, (await visit.form()).get("code", "")[:80])
    return visit.go("/account", "proven")


async def _end_session(visit: Visit) -> Response:
    form = await visit.form()
    await on_thread(people.end_web_session, visit.farm, visit.account.id, whole(form, "session"))
    return visit.go("/account", "ended")


async def _revoke_key(visit: Visit) -> Response:
    await on_thread(privacy.revoke_key, visit.farm, visit.account, whole(await visit.form(), "key"))
    return visit.go("/account", "revoked")


async def _invite(visit: Visit) -> Response:
    asked = (await visit.form()).get("role", Role.VOLUNTEER)
    if asked not in list(Role):
        raise MalformedMessage(f"There is no role {asked[:40]!r}.")
    return await _show(visit, await on_thread(people.invite, visit.farm, visit.account, Role(asked)))


async def _forget(visit: Visit) -> Response:
    password = (await visit.form()).get("password", "")[:1000]
    await on_thread(privacy.forget_person, visit.farm, visit.account, password)
    answer = visit.go("/")
    answer.delete_cookie(COOKIE, path="/")
    return answer
