"""The frame around every page: who looks, what they may, forms that only our own pages may send, and templates."""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar
from urllib.parse import SplitResult, parse_qsl, urlsplit

from jinja2 import ChoiceLoader, Environment, FileSystemLoader, PackageLoader, PrefixLoader, StrictUndefined
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from sheepfold.farm import sight
from sheepfold.farm.farm import Farm
from sheepfold.farm.people import Visitor
from sheepfold.farm.sight import Viewer
from sheepfold.kinds.registry import KINDS
from sheepfold.model.accounts import Account, Role
from sheepfold.model.errors import (
    BadCredentials,
    Cleared,
    Conflict,
    Forbidden,
    IncompleteUpload,
    MalformedMessage,
    NotAllowed,
    NotFound,
    SheepfoldError,
    TooLarge,
    TooManyTries,
    Unavailable,
)
from sheepfold.model.jobs import JobId
from sheepfold.model.tasks import TaskId
from sheepfold.protocols.uploads import base_url
from sheepfold.protocols.visitors import COOKIE, MOST_SHARES, SHARES_COOKIE, to_sign_in, token_in, viewer_of, visitor_of
from sheepfold.web import words

T = TypeVar("T")
DONE_COOKIE = "sheepfold_done"
FORM_LIMIT_BYTES = 64 * 1024
HERE = Path(__file__).parent
HEADERS = {
    "Content-Security-Policy": "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}
# A kind's own templates lie in its folder: `flame/order.html` is the form of an order of flames.
_loader = ChoiceLoader([FileSystemLoader(HERE / "templates"),
                        PrefixLoader({kind: PackageLoader(package, "") for kind, package in KINDS.items()})])
_templates = Environment(loader=_loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True,
                         lstrip_blocks=True)
_templates.filters |= {"ago": words.ago, "span": words.span, "points": words.points, "power": words.power,
                       "day": words.day, "browser": words.browser, "client": words.client,
                       "program": words.program, "fact": words.fact, "opens": words.opens}
ANYONE, VISITOR, MEMBER, ARTIST, OWNER = "anyone", "visitor", Role.VOLUNTEER, Role.ARTIST, Role.OWNER
_STATUS: tuple[tuple[type[SheepfoldError], int, str], ...] = (
    (Cleared, 410, "Cleared"),
    (NotFound, 404, "Not here"),
    (BadCredentials, 403, "Not you"),
    (TooManyTries, 429, "Too often"),
    (NotAllowed, 403, "Not allowed"),
    (Conflict, 409, "Too late"),
    (TooLarge, 413, "Too large"),
    (Unavailable, 503, "Not now"),
    (SheepfoldError, 422, "Not like that"),
)
_ids = re.compile(r"[0-9]{1,18}")


@dataclass(frozen=True, slots=True)
class Visit:
    """One request of a page: the farm, who asks (None: a visitor who did not sign in), and what they sent."""

    farm: Farm
    request: Request
    visitor: Visitor | None

    @property
    def viewer(self) -> Viewer:
        """Return who looks, with the links that they followed."""
        return viewer_of(self.visitor, self.request)

    @property
    def account(self) -> Account:
        """Return who asks, where the route lets nobody else in."""
        if self.visitor is None:
            raise Forbidden("Sign in first.")
        return self.visitor.account

    def id(self, name: str) -> int:
        """Return an id of the path; raises NotFound for what is none, or one that no database could hold."""
        return checked_id(str(self.request.path_params[name]))

    async def form(self) -> Mapping[str, str]:
        """Read a form's fields; of several of one name the last counts. Raises as `fields` does."""
        return dict(await self.fields())

    async def fields(self) -> list[tuple[str, str]]:
        """Read a form's fields in their order; raises TooLarge, MalformedMessage, and IncompleteUpload if cut off."""
        body = bytearray()
        try:
            async for chunk in self.request.stream():
                body += chunk
                if len(body) > FORM_LIMIT_BYTES:
                    raise TooLarge(f"A form has at most {FORM_LIMIT_BYTES} bytes.")
        except ClientDisconnect as error:
            raise IncompleteUpload("The browser went away in the middle of the form.") from error
        try:
            return parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=1000)
        except ValueError as error:
            raise MalformedMessage("This form cannot be read.") from error

    def page(self, template: str, status: int = 200, **values: object) -> HTMLResponse:
        """Answer with a page."""
        answer = HTMLResponse(self.render(template, **values), status, HEADERS)
        if DONE_COOKIE in self.request.cookies and "hx-request" not in self.request.headers:
            answer.delete_cookie(DONE_COOKIE, path="/", httponly=True, samesite="lax")
        return answer

    def render(self, template: str, **values: object) -> str:
        """Return a template filled in."""
        done = words.DONE.get(self.request.cookies.get(DONE_COOKIE, ""), "")
        common = {"visitor": self.visitor, "done": done, "now": self.farm.now(), "path": self.request.url.path,
                  "method": self.request.method, "settings": self.farm.settings,
                  "server": base_url(self.request, self.farm)}
        return _templates.get_template(template).render(common | values)

    def go(self, path: str, done: str = "") -> Response:
        """Answer with another page of ours, which says once what was `done`: a key of `words.DONE`."""
        answer = RedirectResponse(path, 303, {"Cache-Control": "no-store"})
        if done:
            answer.set_cookie(DONE_COOKIE, done, max_age=60, httponly=True, samesite="lax", path="/")
        return answer


Answer = Callable[[Visit], Awaitable[Response]]


def page_route(farm: Farm, path: str, answer: Answer, who: str, *methods: str) -> Route:
    """Make the route of a page: for `who`, and for GET unless other methods are named."""

    async def guarded(request: Request) -> Response:
        visit = Visit(farm, request, await run_in_threadpool(visitor_of, farm, request))
        try:
            check_origin(visit)
            return await _closed(visit, who) or await answer(visit)
        except SheepfoldError as error:
            return _told(visit, error)

    return Route(path, guarded, methods=list(methods) or ["GET"])


async def _closed(visit: Visit, who: str) -> Response | None:
    """Return why a page is not shown, None where it is; raises NotFound where its job is hidden from who asks.

    Whoever holds a link to a job sees what every visitor may see of it, even where the farm is closed to visitors.
    """
    job_id = await on_thread(_job_asked, visit)
    is_guest = who == VISITOR and job_id is not None and bool(visit.viewer.shares)
    if not (is_guest and await on_thread(sight.is_shared, visit.farm, visit.viewer, job_id)):
        closed = refusal(visit, who)
        if closed is not None:
            return closed
    if job_id is not None:
        await on_thread(sight.check_job, visit.farm, visit.viewer, job_id)
    return None


def _job_asked(visit: Visit) -> JobId | None:
    """Return the job that a path names, or that has the task which it names."""
    if "job_id" in visit.request.path_params:
        return JobId(visit.id("job_id"))
    if "task_id" in visit.request.path_params:
        return sight.job_of_task(visit.farm, TaskId(visit.id("task_id")))
    return None


def checked_id(text: str) -> int:
    """Return an id; raises NotFound for what is none, or one that no database could hold."""
    if not _ids.fullmatch(text):
        raise NotFound
    return int(text)


def whole(form: Mapping[str, str], name: str) -> int:
    """Return a whole number of a form; raises MalformedMessage."""
    text = form.get(name, "").strip()
    if not re.fullmatch(r"[+-]?[0-9]{1,9}", text, re.ASCII):
        raise MalformedMessage(f"{name} is a whole number; found {text[:40]!r}.")
    return int(text)


def refusal(visit: Visit, who: str) -> Response | None:
    """Return why this visitor may not see a page for `who`, None where they may."""
    if who == ANYONE or (who == VISITOR and (visit.visitor or visit.farm.settings.visitors)):
        return None
    if visit.visitor is None:
        if visit.request.method != "GET" or "hx-request" in visit.request.headers:
            return visit.page("missing.html", 401, head="Sign in", reason="This needs an account: sign in first.",
                              back="")
        return to_sign_in(visit.request)
    if who != VISITOR and not visit.account.role.covers(Role(who)):
        reason = f"This is for the role {who}; you are a {visit.account.role}."
        return visit.page("missing.html", 403, head="Not allowed", reason=reason, back="")
    return None


def check_origin(visit: Visit) -> None:
    """Raise Forbidden where a form comes from a page that is not ours, by what browsers say of its origin."""
    request = visit.request
    if request.method in {"GET", "HEAD"}:
        return
    origin = request.headers.get("origin", "")
    hosts = {request.headers.get("host", ""), urlsplit(visit.farm.settings.public_url).netloc} - {""}
    if origin and parts_of(origin).netloc in hosts:
        return
    if not origin and request.headers.get("sec-fetch-site") == "same-origin":
        return
    raise Forbidden("This form was not sent from a page of this farm.")


def parts_of(url: str) -> SplitResult:
    """Split a URL that a stranger sent; what is none has no parts."""
    try:
        return urlsplit(url)
    except ValueError:
        return urlsplit("")


def signed_in(visit: Visit, answer: Response, token: str) -> Response:
    """Hand a browser its session: in a cookie that no script reads and that no other site's forms carry."""
    answer.set_cookie(COOKIE, token, max_age=visit.farm.settings.web_session_s, httponly=True, samesite="lax",
                      secure=_is_secure(visit), path="/")
    return answer


def remember_shares(visit: Visit, answer: Response, tokens: list[str]) -> Response:
    """Have this browser hold links to jobs, for as long as a session lasts."""
    answer.set_cookie(SHARES_COOKIE, ".".join(tokens[:MOST_SHARES]), max_age=visit.farm.settings.web_session_s,
                      httponly=True, samesite="lax", secure=_is_secure(visit), path="/")
    return answer


def _is_secure(visit: Visit) -> bool:
    return visit.request.url.scheme == "https" or visit.farm.settings.public_url.startswith("https:")


def token_of(visit: Visit) -> str:
    """Return the token of this browser's session, empty where it has none."""
    return token_in(visit.request)


def next_path(text: str) -> str:
    """Return where to go after signing in: a path of ours, whatever was asked for."""
    return text if re.fullmatch(r"/(?![/\\])[A-Za-z0-9/_.-]{0,200}", text) else "/"


async def on_thread(deed: Callable[..., T], *args: object) -> T:
    """Run an operation of the farm on a thread."""
    return await run_in_threadpool(deed, *args)


def _form_page(request: Request) -> str:
    """Return the page of ours from which a form was sent, empty where none was."""
    came_from = parts_of(request.headers.get("referer", ""))
    is_ours = request.method == "POST" and came_from.netloc == request.headers.get("host")
    return next_path(came_from.path) if is_ours else ""


def _told(visit: Visit, error: SheepfoldError) -> Response:
    status, head = next((status, head) for kind, status, head in _STATUS if isinstance(error, kind))
    answer = visit.page("missing.html", status, head=head, reason=str(error), back=_form_page(visit.request))
    if status == 503:
        answer.headers["Retry-After"] = "60"
    return answer
