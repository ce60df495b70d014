"""Browsershots' pages for people: the API explained, the newest screenshots, one of them, and the pictures."""

import html
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from sheepfold.farm import screenshots
from sheepfold.farm.farm import Farm
from sheepfold.farm.sight import Viewer
from sheepfold.model.errors import NotFound, Unavailable
from sheepfold.protocols.browsershots.methods import METHODS, Method
from sheepfold.protocols.direct import shrunk
from sheepfold.protocols.uploads import answer_file
from sheepfold.protocols.visitors import account_by_key, to_sign_in, viewer_of, visitor_of

SHOWN = 60
"""How many screenshots the wall shows (protocol note, section 4.4)."""
HEADERS = {
    "Content-Security-Policy": "default-src 'self'; style-src 'self' 'unsafe-inline'; frame-ancestors 'none'; "
                               "base-uri 'none'; form-action 'self'",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}
ASK_EACH_TIME = "private, no-cache"
"""How screenshots are cached: a job may become private, and a farm closed to visitors, at any time."""
_SIZES = {"original": 0} | {str(width): width for width in screenshots.WIDTHS}
_Answer = Callable[[Farm, Request], Awaitable[Response]]
_Show = Callable[[Farm, Request, Viewer], Awaitable[Response]]


def _when(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


_templates = Environment(loader=FileSystemLoader(Path(__file__).parent / "templates"), autoescape=True,
                         undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
_templates.filters["when"] = _when


def routes(farm: Farm) -> list[BaseRoute]:
    """Return the routes of the pages; a path without its last slash leads to the one with it."""

    def route(path: str, answer: _Answer) -> Route:
        return Route(path, partial(_guarded, farm, answer), methods=["GET"])

    return [
        route("/xmlrpc/", _method_list),
        route("/xmlrpc/{name}/", _method),
        route("/screenshots/", partial(_looked_at, _wall, to_sign_in)),
        route("/screenshots/{hashkey}/", partial(_looked_at, _screenshot, to_sign_in)),
        route("/png/{size}/{head}/{name}.png", partial(_looked_at, _picture, _keyless)),
        *(Route(path, _with_slash, methods=["GET"]) for path in
          ("/xmlrpc", "/xmlrpc/{name}", "/screenshots", "/screenshots/{hashkey}")),
    ]


def render(template: str, status: int = 200, headers: Mapping[str, str] = HEADERS, **values: object) -> Response:
    """Answer with a page."""
    return HTMLResponse(_templates.get_template(template).render(**values), status, dict(headers))


def method_list() -> Response:
    """Answer with the list of methods."""
    return render("methods.html", methods=list(METHODS.values()))


async def _guarded(farm: Farm, answer: _Answer, request: Request) -> Response:
    try:
        return await answer(farm, request)
    except NotFound as error:
        return render("missing.html", 404, head="Not here", reason=str(error))
    except Unavailable as error:
        return render("missing.html", 503, HEADERS | {"Retry-After": "60"}, head="Not now", reason=str(error))


async def _with_slash(request: Request) -> Response:
    return RedirectResponse(request.url.path + "/", 301)


async def _method_list(_: Farm, __: Request) -> Response:
    return method_list()


async def _method(_: Farm, request: Request) -> Response:
    method = METHODS.get(request.path_params["name"])
    if method is None:
        raise NotFound(f"There is no method {request.path_params['name'][:80]!r}.")
    return render("method.html", method=method, help=help_as_html(method))


def help_as_html(method: Method) -> Markup:
    """Write a method's help as HTML: its headings and lists, and every method that it names as a link."""
    blocks: list[str] = []
    lines = method.help.strip().splitlines()
    for number, line in enumerate(lines):
        if line and not line.strip("~"):
            continue
        text = _linked(html.escape(line))
        if number + 1 < len(lines) and lines[number + 1].startswith("~~"):
            blocks.append(f"<h2>{text}</h2>")
        elif line.startswith("* "):
            blocks.append(f"<li>{_linked(html.escape(line[2:]))}</li>")
        else:
            blocks.append(text or "<p>")
    written = re.sub(r"((?:<li>.*</li>\n?)+)", r"<ul>\1</ul>", "\n".join(blocks))
    return Markup(f"<p>{written}")  # noqa: S704 -- our own words, escaped all the same


def _linked(text: str) -> str:
    names = "|".join(re.escape(name) for name in METHODS)
    return re.sub(rf"\b({names})\b", r'<a href="../\1/">\1</a>', text)


async def _looked_at(show: _Show, closed: Callable[[Request], Response], farm: Farm, request: Request) -> Response:
    """Show somebody what they may see, which on a farm without visitors is nothing until they sign in or send a key."""
    viewer = await run_in_threadpool(_viewer, farm, request)
    if viewer.account is None and not farm.settings.visitors:
        return closed(request)
    answer = await show(farm, request, viewer)
    answer.headers["Cache-Control"] = ASK_EACH_TIME
    return answer


def _viewer(farm: Farm, request: Request) -> Viewer:
    viewer = viewer_of(visitor_of(farm, request), request)
    return viewer if viewer.account else replace(viewer, account=account_by_key(farm, request))


def _keyless(request: Request) -> Response:
    """Refuse a picture: to a program a page to sign in at would look like one."""
    sign_in = Markup('<a href="/sign-in?next={}">sign in</a>').format(quote(request.url.path))
    reason = Markup("This needs an account: {}, or send the header 'Authorization: Bearer KEY'.").format(sign_in)
    headers = HEADERS | {"WWW-Authenticate": "Bearer", "Cache-Control": "no-store"}
    return render("missing.html", 401, headers, head="Sign in", reason=reason)


async def _wall(farm: Farm, _: Request, __: Viewer) -> Response:
    newest = await run_in_threadpool(screenshots.list_screenshots, farm, SHOWN)
    return render("screenshots.html", shots=newest)


async def _screenshot(farm: Farm, request: Request, viewer: Viewer) -> Response:
    hashkey = request.path_params["hashkey"]
    shot = await run_in_threadpool(screenshots.find_screenshot, farm, viewer, hashkey)
    view = await run_in_threadpool(screenshots.view_of, farm, shot)
    others = await run_in_threadpool(screenshots.siblings, farm, shot)
    return render("screenshot.html", shot=shot, view=view, others=others)


async def _picture(farm: Farm, request: Request, viewer: Viewer) -> Response:
    size, head, name = (request.path_params[word] for word in ("size", "head", "name"))
    if size not in _SIZES or name[:2] != head:
        raise NotFound(f"Pictures lie at /png/SIZE/HH/HASH.png, with one of the sizes {', '.join(_SIZES)}.")
    wanted = (farm, viewer, name, _SIZES[size])
    if (found := await run_in_threadpool(screenshots.open_screenshot, *wanted)) is None:
        await shrunk(screenshots.make_small, *wanted)
        found = await run_in_threadpool(screenshots.open_screenshot, *wanted)
    if found is None:
        raise NotFound(f"The smaller copy of {name} was removed.")
    media_type, file = found
    return answer_file(request, file, media_type)
