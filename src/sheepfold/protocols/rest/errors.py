"""Every refusal as a problem document: the farm's errors by the wire's table, and what the framework refuses itself."""

import logging
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from sheepfold.model.errors import MalformedMessage, NotFound, SheepfoldError
from sheepfold.protocols.rest.problem_wire import (
    PROBLEM_MEDIA_TYPE,
    PROBLEMS,
    Fault,
    Problem,
    bad_result,
    problem_of,
)
from sheepfold.protocols.rest.wire import ResultReceipt

_SHOWN_FAULTS = 10
_log = logging.getLogger(__name__)


class Refused(Exception):
    """A refusal that says more than an error of the farm can: its problem document."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.detail)
        self.problem = problem


def add_handlers(app: FastAPI) -> None:
    """Have an application answer every error with a problem document."""
    app.add_exception_handler(SheepfoldError, _refuse)
    app.add_exception_handler(Refused, _refuse)
    app.add_exception_handler(RequestValidationError, _refuse_invalid)
    app.add_exception_handler(HTTPException, _refuse_unrouted)
    app.add_exception_handler(Exception, _stumble)


def refused_result(receipt: ResultReceipt) -> Refused:
    """Return the refusal of a result that was judged invalid, with its receipt."""
    return Refused(problem_of(bad_result(receipt)).model_copy(update={"receipt": receipt}))


def invalid_message(error: ValidationError | RequestValidationError) -> Refused:
    """Return the refusal of a message some of whose fields make no sense.

    It says of each what is wrong but not what was found, which may be large, and no text at all.
    """
    found = error.errors()[:_SHOWN_FAULTS]
    faults = [Fault(where=".".join(map(str, one["loc"]))[:200], what=one["msg"][:200]) for one in found]
    said = MalformedMessage("; ".join(f"{fault.where}: {fault.what}" for fault in faults))
    return Refused(problem_of(said).model_copy(update={"faults": faults}))


async def _refuse(request: Request, error: Exception) -> Response:
    assert isinstance(error, SheepfoldError | Refused)
    return refused(request, error, request.app.state.farm.settings.retry_s)


def refused(request: Request, error: SheepfoldError | Refused, retry_s: int) -> Response:
    """Answer a refusal; one that is for now alone says when to try again."""
    problem = error.problem if isinstance(error, Refused) else problem_of(error)
    headers = {}
    if problem.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    if problem.status == 503:
        headers["Retry-After"] = str(retry_s)
    return _answer(request, problem.model_copy(update=_named(request)), headers)


async def _refuse_invalid(request: Request, error: Exception) -> Response:
    """Refuse what does not fit the API's types; a path that does not is simply the name of nothing."""
    assert isinstance(error, RequestValidationError)
    if all(one["loc"][0] == "path" for one in error.errors()):
        return await _refuse(request, NotFound())
    return await _refuse(request, invalid_message(error))


async def _refuse_unrouted(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if isinstance(error.__cause__, SheepfoldError):  # the framework found it while it read a body
        return await _refuse(request, error.__cause__)
    problem = Problem(title=str(error.detail), status=error.status_code)
    return _answer(request, problem, dict(error.headers or {}))


async def _stumble(request: Request, error: Exception) -> Response:
    """Answer a mistake of our own; the server behind logs it with its trace."""
    detail = "The farm stumbled over a mistake of its own; its log tells which."
    problem = Problem(title="Internal error", status=500, detail=detail)
    return _answer(request, problem.model_copy(update=_named(request)), {})


def _named(request: Request) -> dict[str, Any]:
    """Return the ids that the request's path names."""
    named = {name.removesuffix("_id"): str(value)[:40] for name, value in request.path_params.items()}
    return {name: named[name] for name in ("job", "task", "lease") if name in named}


def _answer(request: Request, problem: Problem, headers: dict[str, str]) -> Response:
    path, name = ascii(request.url.path)[1:-1][:160], problem.type.removeprefix(PROBLEMS)
    _log.info("wire=rest method=%s path=%s refused=%s status=%d reason=%s", request.method, path, name,
              problem.status, ascii(problem.detail)[1:-1][:300])
    body = problem.model_dump_json(exclude_defaults=True, ensure_ascii=True)
    return Response(body, problem.status, headers, PROBLEM_MEDIA_TYPE)
