"""The two requests that a farm lives on, claim and result, answered without the framework's help.

Of 7 ms of processor that a frame's way took the server, 4 went into FastAPI's solving of dependencies and its many
threads (docs/decisions/0009-express.md). What is ordinary is answered here, with one thread for each request. All else,
whatever is odd about it, goes on to the API's application, which refuses it in its own words; there the two are
documented, too.
"""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from urllib.parse import parse_qsl

from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sheepfold.blobs.spool import Spool
from sheepfold.farm.dispatch import Assignment, claim_task, named, session_with_lease
from sheepfold.farm.farm import Farm
from sheepfold.farm.intake import Receipt, submit_wanted
from sheepfold.model.errors import SheepfoldError, UnknownLease
from sheepfold.model.tasks import LeaseId, Verdict
from sheepfold.protocols.direct import DirectRoute, at_once, judged
from sheepfold.protocols.rest import wire
from sheepfold.protocols.rest.bodies import JSON_LIMIT_BYTES, announced_digest, check_digest, whole_body
from sheepfold.protocols.rest.callers import worker_in, worker_of
from sheepfold.protocols.rest.errors import Refused, refused, refused_result
from sheepfold.protocols.rest.leases import granted_lease, receipt_of
from sheepfold.protocols.uploads import is_small, small_body

_BEARER = re.compile(r"Bearer ([!-~]{1,200})")
_ID = re.compile(r"[0-9]{1,15}", re.ASCII)
_Answer = Callable[[Request], Awaitable["Response | _Onward"]]


class _Onward:
    """An answer that the API's application gives, to the same request with the body that was read of it so far."""

    def __init__(self, root: str, app: ASGIApp, body: bytes | None = None) -> None:
        self._root = root
        self._app = app
        self._body = body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = self._body

        async def again() -> Message:
            nonlocal body
            if body is None:
                return await receive()
            first, body = body, None
            return {"type": "http.request", "body": first, "more_body": False}

        root_path = scope.get("root_path", "") + self._root
        await self._app({**scope, "root_path": root_path, "path_params": {}}, again, send)


def express_routes(farm: Farm, root: str, app: ASGIApp) -> list[DirectRoute]:
    """Return the routes that go before the API's application, which is mounted at a root."""
    leases = root + wire.BASE.removeprefix(root) + "/leases"
    return [
        DirectRoute(leases, partial(_guarded, farm, partial(_claim, farm, root, app)), methods=["POST"]),
        DirectRoute(leases + "/{lease}/result", partial(_guarded, farm, partial(_result, farm, root, app)),
                    methods=["PUT"]),
    ]


async def _guarded(farm: Farm, answer: _Answer, request: Request) -> "Response | _Onward":
    try:
        return await answer(request)
    except (SheepfoldError, Refused) as error:
        return refused(request, error, farm.settings.retry_s)


async def _claim(farm: Farm, root: str, app: ASGIApp, request: Request) -> Response | _Onward:
    token = _token(request)
    length = request.headers.get("content-length", "0")
    is_short = _ID.fullmatch(length) is not None and int(length) <= JSON_LIMIT_BYTES
    if token is None or not is_short or "transfer-encoding" in request.headers:
        return _Onward(root, app)
    body = await whole_body(request) if int(length) else b""
    try:
        wish = wire.LeaseAsked.model_validate_json(body) if body else wire.LeaseAsked()
    except ValidationError:
        return _Onward(root, app, body)
    if wish.again:
        return _Onward(root, app, body)
    granted = await at_once(_claimed, farm, token, wish)
    if granted is not None:
        return _json(granted_lease(granted).model_dump_json(), 201)
    if wish.wait_s:
        return _Onward(root, app, body)
    return Response(status_code=204, headers={"Retry-After": str(farm.settings.retry_s)})


def _claimed(farm: Farm, token: str, wish: wire.LeaseAsked) -> Assignment | None:
    worker = worker_of(farm, token)
    abilities = worker.abilities if wish.abilities is None else wish.abilities.to_model()
    return claim_task(farm, worker.maker, abilities, farm.settings.lease_term_s, named(wish.name))


async def _result(farm: Farm, root: str, app: ASGIApp, request: Request) -> Response | _Onward:
    token, lease = _token(request), request.path_params["lease"]
    told = _figures(request)
    is_plain = is_small(request, farm.settings.result_limit_bytes)
    if token is None or told is None or not is_plain or not _ID.fullmatch(lease):
        return _Onward(root, app)
    announced = announced_digest(request)
    async with small_body(request) as body:
        picture = _Picture(body, announced)
        receipt = receipt_of(await judged(_submitted, farm, token, LeaseId(int(lease)), picture, told))
    if receipt.verdict is Verdict.INVALID:
        raise refused_result(receipt)
    return _json(receipt.model_dump_json(), 200)


@dataclass(frozen=True, slots=True)
class _Picture:
    """A small picture that has arrived, and the SHA-256 that was announced for it."""

    body: bytes
    announced: str | None


def _submitted(farm: Farm, token: str, lease_id: LeaseId, picture: _Picture, told: dict[str, int]) -> Receipt:
    known, wanted = session_with_lease(farm, token, lease_id)
    worker_in(known)  # refuses where the key was revoked
    if wanted is None:
        raise UnknownLease(f"There is no lease {lease_id}.")
    with Spool(farm.spool_folder, len(picture.body)) as spool:
        spool.write(picture.body)
        spooled = spool.finish()
        check_digest(spooled, picture.announced)
        return submit_wanted(farm, wanted, spooled, told)


def _token(request: Request) -> str | None:
    found = _BEARER.fullmatch(request.headers.get("authorization", ""))
    return None if found is None else found[1]


def _figures(request: Request) -> dict[str, int] | None:
    """Read what a client told of a render; None where that is no ordinary query."""
    query = request.scope["query_string"]
    if not query:
        return {}
    try:
        pairs = parse_qsl(query.decode("ascii"), keep_blank_values=True, max_num_fields=20)
        told = wire.Figures.model_validate(dict(pairs), strict=False)
    except ValueError:  # pydantic's, the query's and the decoder's alike
        return None
    return None if len(dict(pairs)) < len(pairs) else told.model_dump(exclude_defaults=True)


def _json(text: str, status: int) -> Response:
    return Response(text, status, media_type="application/json")
