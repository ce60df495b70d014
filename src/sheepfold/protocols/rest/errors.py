"""Every refusal as a problem document: the farm's errors by the wire's table, and what the framework refuses itself."""

import logging
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from sheepfold.model.errors import BadResult, MalformedMessage, NotFound, SheepfoldError
from sheepfold.protocols.rest.wire import PROBLEM_MEDIA_TYPE, Fault, Problem, ResultReceipt, bad_result, problem_of

_SHOWN_FAULTS = 10
_log = logging.getLogger(__name__)


class RefusedResult(BadResult):
    """A result that was judged invalid, with its receipt."""

    def __init__(self, receipt: ResultReceipt) -> None:
        super().__init__(receipt.reason)
        self.receipt = receipt


def add_handlers(app: FastAPI) -> None:
    """Have an application answer every error with a problem document."""
    app.add_exception_handler(SheepfoldError, _refuse)
    app.add_exception_handler(RequestValidationError, _refuse_invalid)
    app.add_exception_handler(HTTPException, _refuse_unrouted)
    app.add_exception_handler(Exception, _stumble)


def faults_of(error: ValidationError | RequestValidationError) -> list[Fault]:
    """Say field by field what is wrong, without what was found: it may be large, and no text at all."""
    found = error.errors()[:_SHOWN_FAULTS]
    return [Fault(where=".".join(map(str, one["loc"]))[:200], what=one["msg"][:200]) for one in found]


class InvalidMessage(MalformedMessage):
    """Some fields of the message make no sense."""

    def __init__(self, faults: list[Fault]) -> None:
        super().__init__("; ".join(f"{fault.where}: {fault.what}" for fault in faults))
        self.faults = faults


async def _refuse(request: Request, error: Exception) -> Response:
    assert isinstance(error, SheepfoldError)
    problem = _problem(error).model_copy(update=_named(request))
    headers = {}
    if problem.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    if problem.status == 503:
        headers["Retry-After"] = str(request.app.state.farm.settings.retry_s)
    return _answer(request, problem, headers, type(error).__name__)


def _problem(error: SheepfoldError) -> Problem:
    match error:
        case RefusedResult():
            return problem_of(bad_result(error.receipt)).model_copy(update={"receipt": error.receipt})
        case InvalidMessage():
            return problem_of(MalformedMessage(str(error))).model_copy(update={"faults": error.faults})
    return problem_of(error)


async def _refuse_invalid(request: Request, error: Exception) -> Response:
    """Refuse what does not fit the API's types; a path that does not is simply the name of nothing."""
    assert isinstance(error, RequestValidationError)
    if all(one["loc"][0] == "path" for one in error.errors()):
        return await _refuse(request, NotFound())
    return await _refuse(request, InvalidMessage(faults_of(error)))


async def _refuse_unrouted(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if isinstance(error.__cause__, SheepfoldError):  # the framework found it while it read a body
        return await _refuse(request, error.__cause__)
    problem = Problem(title=str(error.detail), status=error.status_code)
    return _answer(request, problem, dict(error.headers or {}), "HTTP")


async def _stumble(request: Request, error: Exception) -> Response:
    """Answer a mistake of our own; the server behind logs it with its trace."""
    detail = "The farm stumbled over a mistake of its own; its log tells which."
    problem = Problem(title="Internal error", status=500, detail=detail)
    return _answer(request, problem.model_copy(update=_named(request)), {}, type(error).__name__)


def _named(request: Request) -> dict[str, Any]:
    """Return the ids that the request's path names."""
    named = {name.removesuffix("_id"): str(value)[:40] for name, value in request.path_params.items()}
    return {name: named[name] for name in ("job", "task", "lease") if name in named}


def _answer(request: Request, problem: Problem, headers: dict[str, str], name: str) -> Response:
    _log.info("wire=rest method=%s path=%s refused=%s status=%d reason=%s", request.method,
              ascii(request.url.path)[1:161], name, problem.status, ascii(problem.detail)[1:301])
    body = problem.model_dump_json(exclude_defaults=True, ensure_ascii=True)
    return Response(body, problem.status, headers, PROBLEM_MEDIA_TYPE)
