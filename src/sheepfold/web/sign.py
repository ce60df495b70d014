"""Signing in, out and up, forgotten passwords, and the wizard that makes the owner of an empty farm."""

from urllib.parse import urlsplit

from starlette.responses import Response
from starlette.routing import BaseRoute

from sheepfold.farm import people
from sheepfold.farm.addresses import network_of, read_address
from sheepfold.farm.farm import Farm
from sheepfold.farm.tries import MOST_OF_A_CLASS, MOST_TRIES
from sheepfold.model.errors import BadCredentials, Forbidden, SheepfoldError, TooManyTries, Unavailable
from sheepfold.protocols.visitors import COOKIE
from sheepfold.web.frame import (
    ANYONE,
    MEMBER,
    Visit,
    next_path,
    on_thread,
    page_route,
    parts_of,
    signed_in,
    token_of,
)

_TOO_MANY_CODES = "Too many wrong invitations were tried from your network: try again in ten minutes."
_TOO_FORGETFUL = "New passwords were asked for too often from your network: try again in ten minutes."


def routes(farm: Farm) -> list[BaseRoute]:
    """Return the routes of signing in and up."""
    return [
        page_route(farm, "/begin", _begin, ANYONE),
        page_route(farm, "/begin", _make_owner, ANYONE, "POST"),
        page_route(farm, "/sign-in", _form("sign-in.html"), ANYONE),
        page_route(farm, "/sign-in", _sign_in, ANYONE, "POST"),
        page_route(farm, "/sign-up", _form("sign-up.html"), ANYONE),
        page_route(farm, "/sign-up", _sign_up, ANYONE, "POST"),
        page_route(farm, "/forgotten", _form("forgotten.html"), ANYONE),
        page_route(farm, "/forgotten", _forgotten, ANYONE, "POST"),
        page_route(farm, "/sign-out", _sign_out, MEMBER, "POST"),
    ]


class _form:  # noqa: N801 - reads as a noun in the table of routes
    """Shows a form as it is before anybody filled it in."""

    def __init__(self, template: str) -> None:
        self._template = template

    async def __call__(self, visit: Visit) -> Response:
        """Answer with the form."""
        return _again(visit, self._template, "", 200)


def _again(visit: Visit, template: str, trouble: str, status: int, name: str = "") -> Response:
    asked = visit.request.query_params.get("next", "/")
    return visit.page(template, status, trouble=trouble, name=name, next=next_path(asked), told="")


def is_near(visit: Visit) -> bool:
    """Say whether a request comes from the farm's own machine, through no proxy, and calls it by no stranger's name.

    A stranger's name may lead here, too: then it is their page that asks, from a browser on this machine.
    """
    client, headers = visit.request.client, visit.request.headers
    if client is None or "x-forwarded-for" in headers or "forwarded" in headers:
        return False
    host = parts_of(f"//{headers.get('host', '')}").hostname or ""
    ours = urlsplit(visit.farm.settings.public_url).hostname or "localhost"
    here = read_address(client.host)
    return here is not None and here.is_loopback and (host in {"localhost", ours} or read_address(host) is not None)


async def _begin(visit: Visit) -> Response:
    if not await on_thread(people.needs_owner, visit.farm):
        return visit.go("/")
    return begin_page(visit)


def begin_page(visit: Visit, trouble: str = "", status: int = 200) -> Response:
    """Answer with the wizard's first page."""
    return visit.page("begin.html", status, trouble=trouble, is_near=is_near(visit))


async def _make_owner(visit: Visit) -> Response:
    if not is_near(visit):
        raise Forbidden("The owner's account is made on the farm's own machine, at localhost or its address.")
    form = await visit.form()
    try:
        account = await on_thread(people.make_owner, visit.farm, form.get("name", ""), form.get("password", ""))
    except SheepfoldError as error:
        return begin_page(visit, str(error), _status(error))
    token = await on_thread(people.open_web_session, visit.farm, account, _browser(visit))
    return signed_in(visit, visit.go("/machines/add"), token)


async def _sign_in(visit: Visit) -> Response:
    form = await visit.form()
    name = form.get("name", "")[:80]
    most = {f"from {_network(visit)}": MOST_OF_A_CLASS, f"as {name.strip().lower()}": MOST_TRIES}
    try:
        async with visit.farm.tries.counted_in_turn(most):
            token = await on_thread(people.sign_in, visit.farm, name, form.get("password", "")[:1000], _browser(visit))
    except BadCredentials:
        return _again(visit, "sign-in.html", "The name or the password is wrong.", 403, name)
    except TooManyTries as error:
        return _again(visit, "sign-in.html", str(error), 429, name)
    return signed_in(visit, visit.go(next_path(form.get("next", "/"))), token)


async def _sign_up(visit: Visit) -> Response:
    form = await visit.form()
    name, password, code = form.get("name", "")[:80], form.get("password", ""), form.get("code", "")[:80]
    try:
        async with visit.farm.tries.counted_in_turn({f"up {_network(visit)}": MOST_OF_A_CLASS}):
            account = await on_thread(people.sign_up, visit.farm, name, password, code)
    except TooManyTries:
        return _again(visit, "sign-up.html", _TOO_MANY_CODES, 429, name)
    except SheepfoldError as error:
        return _again(visit, "sign-up.html", str(error), _status(error), name)
    token = await on_thread(people.open_web_session, visit.farm, account, _browser(visit))
    asked = next_path(form.get("next", "/"))
    return signed_in(visit, visit.go("/machines/add" if asked == "/" else asked), token)


async def _forgotten(visit: Visit) -> Response:
    form = await visit.form()
    try:
        # No password is guessed here: a code is too long for that, and letters to one account are counted by name.
        visit.farm.tries.count(f"forgotten {_network(visit)}", most=MOST_OF_A_CLASS)
        if form.get("code"):
            await on_thread(people.reset_password, visit.farm, form["code"][:80], form.get("password", ""))
            return visit.go("/sign-in")
        await on_thread(people.ask_reset, visit.farm, form.get("email", "")[:254])
    except TooManyTries:
        return _again(visit, "forgotten.html", _TOO_FORGETFUL, 429)
    except SheepfoldError as error:
        return _again(visit, "forgotten.html", str(error), _status(error))
    told = "If somebody here has proven this address, a code is on its way to it."
    return visit.page("forgotten.html", trouble="", name="", next="/", told=told)


async def _sign_out(visit: Visit) -> Response:
    await on_thread(people.sign_out, visit.farm, token_of(visit))
    answer = visit.go("/")
    answer.delete_cookie(COOKIE, path="/")
    return answer


def _status(error: SheepfoldError) -> int:
    if isinstance(error, Unavailable):
        return 503
    return 429 if isinstance(error, TooManyTries) else 422


def _network(visit: Visit) -> str:
    """Return what a visitor's tries are counted by: nobody has more of them for having many addresses of IPv6."""
    return network_of(visit.request.client.host, 32) if visit.request.client else ""


def _browser(visit: Visit) -> str:
    return visit.request.headers.get("user-agent", "unknown")[:200]
