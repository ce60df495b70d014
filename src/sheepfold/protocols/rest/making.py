"""Requests that make something, once: under an `Idempotency-Key` a second one gets the first one's answer."""

import asyncio
import hashlib
import re
from collections.abc import Callable, Coroutine
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar

from fastapi import Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response
from starlette.types import Message

from sheepfold.farm.accounts import holder_of
from sheepfold.farm.farm import Farm
from sheepfold.farm.naming import Naming
from sheepfold.model.errors import MalformedMessage, PerhapsDone, StoreUnavailable
from sheepfold.protocols.rest.bodies import JsonRoute, whole_body

T = TypeVar("T")
HEADER = "Idempotency-Key"
MADE = 201
PAUSES_S = (0.5, 1, 2, 4, 8)
_PARAMETER = {
    "name": HEADER, "in": "header", "required": False,
    "description": "A name of this request, yours to choose: sent again under it, it makes nothing more.",
    "schema": {"type": "string", "pattern": "^[!-~]{1,200}$"},
}
_BEARER = re.compile(r"Bearer ([!-~]{1,200})", re.IGNORECASE)


class MakingRoute(JsonRoute):
    """A route that, where it makes something, makes it once for each name of a request."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **told: Any) -> None:  # noqa: ANN401 -- the framework's
        if told.get("status_code") == MADE:
            told["openapi_extra"] = {**(told.get("openapi_extra") or {}), "parameters": [_PARAMETER]}
        super().__init__(path, endpoint, **told)

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the framework's handler, behind the memory of what was made."""
        handler = super().get_route_handler()
        if self.status_code != MADE:
            return handler

        async def once(request: Request) -> Response:
            name = request.headers.get(HEADER)
            bearer = _BEARER.fullmatch(request.headers.get("authorization", ""))
            if name is None or bearer is None:
                return await handler(request)
            body = await whole_body(request)
            naming = _naming(request, bearer[1], name, body)
            try:
                made = await run_in_threadpool(_made_before, request.app.state.farm, bearer[1], naming)
            except PerhapsDone:
                made = await _lasting(naming.begin)
            if made is not None:
                return Response(made, MADE, media_type="application/json")
            return await _kept(naming, handler, Request(request.scope, _again(body)))

        return once


def _naming(request: Request, secret: str, name: str, body: bytes) -> Naming:
    if not re.fullmatch(r"[!-~]{1,200}", name):
        raise MalformedMessage(f"{HEADER} holds 1 to 200 printable ASCII characters without spaces.")
    said = b"\0".join((request.method.encode(), request.url.path.encode(), request.url.query.encode(), body))
    return Naming(request.app.state.farm, secret, name, hashlib.sha256(said).hexdigest())


def _made_before(farm: Farm, secret: str, naming: Naming) -> bytes | None:
    """Return the answer of a request that was done before, to who may still ask; raises BadCredentials."""
    holder_of(farm, secret)
    return naming.begin()


async def _kept(
    naming: Naming, handler: Callable[[Request], Coroutine[Any, Any, Response]], request: Request
) -> Response:
    """Do a request and keep its answer; what was refused is forgotten, so that it may be sent again."""
    try:
        response = await handler(request)
    except PerhapsDone:
        raise
    except BaseException:
        await _lasting(naming.drop)
        raise
    if response.status_code == MADE:
        await _lasting(partial(naming.keep, bytes(response.body)))
    else:
        await _lasting(naming.drop)
    return response


async def _lasting(note: Callable[[], T]) -> T:
    """Note how far a request is, and outlast a database that starts anew.

    What is not noted stands as being under way for as long as names are known, a week.
    """
    for pause_s in PAUSES_S:
        with suppress(StoreUnavailable):
            return await run_in_threadpool(note)
        await asyncio.sleep(pause_s)
    return await run_in_threadpool(note)


def _again(body: bytes) -> Callable[[], Coroutine[Any, Any, Message]]:
    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    return receive
