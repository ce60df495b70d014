"""Signing in, out and up, forgotten passwords, and the wizard that makes the owner of an empty farm."""

import ipaddress
from collections import defaultdict, deque
from functools import partial

from starlette.responses import Response
from starlette.routing import BaseRoute

from sheepfold.farm import people
from sheepfold.farm.farm import Farm
from sheepfold.model.errors import BadCredentials, Forbidden, NotAllowed, SheepfoldError
from sheepfold.web.frame import ANYONE, COOKIE, MEMBER, Visit, next_path, on_thread, page_route, signed_in, token_of

FAILURES, WINDOW_S = 10, 600
"""How many wrong passwords an address, or a name, may try in how many seconds."""


class TooManyTries(NotAllowed):
    """There were too many wrong passwords: try again in ten minutes."""


class Tries:
    """Counts wrong tries by address and by name, in this process alone."""

    def __init__(self, farm: Farm) -> None:
        self._farm = farm
        self._failed: defaultdict[str, deque[int]] = defaultdict(deque)

    def check(self, *names: str) -> None:
        """Raise TooManyTries where one of the names failed too often."""
        since = self._farm.now() - WINDOW_S
        for name in names:
            failed = self._failed.get(name, deque())
            while failed and failed[0] <= since:
                failed.popleft()
            if len(failed) >= FAILURES:
                raise TooManyTries

    def fail(self, *names: str) -> None:
        """Count a wrong try."""
        if len(self._failed) > 10_000:
            self._failed.clear()
        for name in names:
            self._failed[name].append(self._farm.now())


def routes(farm: Farm) -> list[BaseRoute]:
    """Return the routes of signing in and up."""
    tries = Tries(farm)
    return [
        page_route(farm, "/begin", _begin, ANYONE),
        page_route(farm, "/begin", partial(_make_owner, tries), ANYONE, "POST"),
        page_route(farm, "/sign-in", _form("sign-in.html"), ANYONE),
        page_route(farm, "/sign-in", partial(_sign_in, tries), ANYONE, "POST"),
        page_route(farm, "/sign-up", _form("sign-up.html"), ANYONE),
        page_route(farm, "/sign-up", partial(_sign_up, tries), ANYONE, "POST"),
        page_route(farm, "/forgotten", _form("forgotten.html"), ANYONE),
        page_route(farm, "/forgotten", partial(_forgotten, tries), ANYONE, "POST"),
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
    """Say whether a request comes from the farm's own machine, through no proxy."""
    client = visit.request.client
    if client is None or "x-forwarded-for" in visit.request.headers or "forwarded" in visit.request.headers:
        return False
    try:
        return ipaddress.ip_address(client.host).is_loopback
    except ValueError:
        return False


async def _begin(visit: Visit) -> Response:
    if not await on_thread(people.needs_owner, visit.farm):
        return visit.go("/")
    return begin_page(visit)


def begin_page(visit: Visit, trouble: str = "", status: int = 200) -> Response:
    """Answer with the wizard's first page."""
    return visit.page("begin.html", status, trouble=trouble, is_near=is_near(visit))


async def _make_owner(tries: Tries, visit: Visit) -> Response:
    if not is_near(visit):
        raise Forbidden("The owner's account is made on the farm's own machine.")
    form = await visit.form()
    tries.check(_address(visit))
    try:
        account = await on_thread(people.make_owner, visit.farm, form.get("name", ""), form.get("password", ""))
    except SheepfoldError as error:
        tries.fail(_address(visit))
        return begin_page(visit, str(error), 422)
    token = await on_thread(people.open_web_session, visit.farm, account, _browser(visit))
    return signed_in(visit, visit.go("/machines/add"), token)


async def _sign_in(tries: Tries, visit: Visit) -> Response:
    form = await visit.form()
    name = form.get("name", "")[:80]
    keys = (f"from {_address(visit)}", f"as {name.strip().lower()}")
    try:
        tries.check(*keys)
        token = await on_thread(people.sign_in, visit.farm, name, form.get("password", "")[:1000], _browser(visit))
    except BadCredentials:
        tries.fail(*keys)
        return _again(visit, "sign-in.html", "The name or the password is wrong.", 403, name)
    except TooManyTries as error:
        return _again(visit, "sign-in.html", str(error), 429, name)
    return signed_in(visit, visit.go(next_path(form.get("next", "/"))), token)


async def _sign_up(tries: Tries, visit: Visit) -> Response:
    form = await visit.form()
    name, password, code = form.get("name", "")[:80], form.get("password", ""), form.get("code", "")[:80]
    try:
        tries.check(f"up {_address(visit)}")
        account = await on_thread(people.sign_up, visit.farm, name, password, code)
    except SheepfoldError as error:
        tries.fail(f"up {_address(visit)}")
        return _again(visit, "sign-up.html", str(error), 429 if isinstance(error, TooManyTries) else 422, name)
    token = await on_thread(people.open_web_session, visit.farm, account, _browser(visit))
    asked = next_path(form.get("next", "/"))
    return signed_in(visit, visit.go("/machines/add" if asked == "/" else asked), token)


async def _forgotten(tries: Tries, visit: Visit) -> Response:
    form = await visit.form()
    key = f"forgotten {_address(visit)}"
    try:
        tries.check(key)
        tries.fail(key)
        if form.get("code"):
            await on_thread(people.reset_password, visit.farm, form["code"][:80], form.get("password", ""))
            return visit.go("/sign-in")
        await on_thread(people.ask_reset, visit.farm, form.get("email", "")[:254])
    except SheepfoldError as error:
        return _again(visit, "forgotten.html", str(error), 422)
    told = "If somebody here has proven this address, a code is on its way to it."
    return visit.page("forgotten.html", trouble="", name="", next="/", told=told)


async def _sign_out(visit: Visit) -> Response:
    await on_thread(people.sign_out, visit.farm, token_of(visit))
    answer = visit.go("/")
    answer.delete_cookie(COOKIE, path="/")
    return answer


def _address(visit: Visit) -> str:
    return visit.request.client.host if visit.request.client else ""


def _browser(visit: Visit) -> str:
    return visit.request.headers.get("user-agent", "unknown")[:200]
