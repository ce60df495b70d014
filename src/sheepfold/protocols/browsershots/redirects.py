"""The redirect that a factory's browser is started with: it leads to the page, and teaches the browser's name."""

import logging
from functools import partial
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from sheepfold.farm import shots
from sheepfold.farm.farm import Farm
from sheepfold.kinds.screenshot.contents import SIGN, SIGN_SIDE
from sheepfold.model.errors import MissingParameter, SheepfoldError
from sheepfold.model.tasks import TaskId
from sheepfold.protocols.browsershots.answering import PROTOCOL, enter, fault_of, for_log, knock
from sheepfold.protocols.browsershots.pages import HEADERS, render
from sheepfold.protocols.browsershots.wire import Fault, MethodCall
from sheepfold.protocols.direct import DirectRoute, at_once

LONGEST_USER_AGENT = 400
_HTTP_STATUSES = {400, 401, 403, 404, 406, 408, 409, 423, 503}
_URL_MARKS = ":/?#[]@!$&'()*+,;=%~"

_log = logging.getLogger(__name__)


def routes(farm: Farm) -> list[BaseRoute]:
    """Return the routes of redirects; GET, HEAD and POST do the same, as ever."""
    methods = ["GET", "HEAD", "POST"]
    path = "/redirect/{factory}/{encrypted}/{request}"
    return [
        Route("/redirect/", _help, methods=["GET"]),
        DirectRoute(path + "/", partial(_redirect, farm), methods=methods),
        Route(path, _with_slash, methods=["GET", "HEAD"]),
    ]


async def _redirect(farm: Farm, request: Request) -> Response:
    """Lead a browser to its page, or show why not; a page with an error bears a sign that inspections know."""
    words = request.path_params
    try:
        return await at_once(_led, farm, request)
    except SheepfoldError as error:
        fault = fault_of(error, MethodCall("redirect", (words["factory"], "", words["request"])))
        _log.info("wire=%s redirect=%s request=%s fault=%d reason=%s", PROTOCOL, for_log(words["factory"])[:48],
                  words["request"][:10], fault.code, for_log(fault.message))
        return _refusal(fault)


def _led(farm: Farm, request: Request) -> Response:
    words = request.path_params
    host = request.client.host if request.client else ""
    machine, door = knock(farm, words["factory"], host)
    maker = shots.maker_of(machine, PROTOCOL)
    text = words["request"]
    task_id = TaskId(int(text) if text.isascii() and text.isdigit() and len(text) <= 10 else 0)
    url = shots.revisit(farm, maker, task_id, words["encrypted"])
    if url is None:
        enter(farm, door, words["encrypted"], host)
        user_agent = request.headers.get("user-agent", "")[:LONGEST_USER_AGENT]
        if not user_agent:
            raise MissingParameter("A browser tells its name: the header User-Agent is missing.")
        url = shots.visit(farm, maker, machine, task_id, (user_agent, words["encrypted"]))
    return Response(status_code=302, headers={"Location": quote(url, safe=_URL_MARKS), "Cache-Control": "no-store"})


def _refusal(fault: Fault) -> Response:
    status = fault.code if fault.code in _HTTP_STATUSES else 404 if fault.code // 100 == 2 else 400
    headers = HEADERS | {"Cache-Control": "no-store"}
    return render("redirect.html", status, headers, message=fault.message, colours=SIGN, side=SIGN_SIDE)


async def _help(_: Request) -> Response:
    return render("redirects.html")


async def _with_slash(request: Request) -> Response:
    return RedirectResponse(request.url.path + "/", 301)


