"""Bodies on their way in: JSON within a limit, pictures checked against what was announced, logs cut to their end."""

import base64
import binascii
import re
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from fastapi import Request
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import Message

from sheepfold.blobs.spool import Spool, Spooled
from sheepfold.farm.farm import Farm
from sheepfold.model.errors import IncompleteUpload, MalformedMessage, TooLarge
from sheepfold.protocols.uploads import announced_length, spooled_body

JSON_LIMIT_BYTES = 64 * 1024

_SHA256_MEMBER = re.compile(r"sha-256=:([A-Za-z0-9+/=]{44}):")


class JsonRoute(APIRoute):
    """A route whose body, JSON if anything, is read whole by the framework: within a limit."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the framework's handler behind a counter of bytes."""
        handler = super().get_route_handler()

        async def limited(request: Request) -> Response:
            announced = announced_length(request)
            if announced is not None and announced > JSON_LIMIT_BYTES:
                raise TooLarge(f"This takes at most {JSON_LIMIT_BYTES} bytes; {announced} were announced.")
            return await handler(Request(request.scope, _counting(request)))

        return limited


async def whole_body(request: Request) -> bytes:
    """Read a body that is JSON, if anything, whole; raises TooLarge, and IncompleteUpload where its client went."""
    try:
        return await Request(request.scope, _counting(request)).body()
    except ClientDisconnect as error:
        raise IncompleteUpload("The client went away in the middle of its request.") from error


def _counting(request: Request) -> Callable[[], Coroutine[Any, Any, Message]]:
    arrived = 0

    async def receive() -> Message:
        nonlocal arrived
        message = await request.receive()
        arrived += len(message.get("body", b""))
        if arrived > JSON_LIMIT_BYTES:
            raise TooLarge(f"This takes at most {JSON_LIMIT_BYTES} bytes.")
        return message

    return receive


@asynccontextmanager
async def checked_upload(request: Request, farm: Farm, limit_bytes: int) -> AsyncIterator[Spooled]:
    """Spool a request's body and see that it is what its headers said, where they said anything.

    Raises TooLarge, and IncompleteUpload where length or SHA-256 differ from `Content-Length`, `Content-Digest`
    (RFC 9530) or `X-Sha256`.
    """
    expected = announced_digest(request)
    announced = announced_length(request)
    async with spooled_body(request, farm, limit_bytes) as spooled:
        if announced is not None and announced != spooled.size_bytes:
            raise IncompleteUpload(f"{announced} bytes were announced, {spooled.size_bytes} arrived.")
        check_digest(spooled, expected)
        yield spooled


def check_digest(spooled: Spooled, announced: str | None) -> None:
    """Raise IncompleteUpload where something else arrived than was announced."""
    if announced is not None and announced != spooled.sha256:
        raise IncompleteUpload(f"What arrived has the SHA-256 {spooled.sha256}, announced was {announced}.")


def announced_digest(request: Request) -> str | None:
    """Return the SHA-256 that a request announces, in hex; other algorithms say nothing to us."""
    plain = request.headers.get("x-sha256")
    if plain is not None:
        if not re.fullmatch(r"[0-9a-fA-F]{64}", plain, re.ASCII):
            raise MalformedMessage("X-Sha256 holds 64 hex digits.")
        return plain.lower()
    member = _SHA256_MEMBER.search(request.headers.get("content-digest", ""))
    if member is None:
        return None
    try:
        return base64.b64decode(member[1], validate=True).hex()
    except binascii.Error as error:
        raise MalformedMessage("Content-Digest holds a SHA-256 in base64 between colons.") from error


async def spooled_tail(request: Request, farm: Farm) -> Spooled | None:
    """Spool the end of a request's body, as much as a log may have; None where there is no body.

    The caller discards the file. Raises TooLarge where the whole is larger than a result may be.
    """
    tail = await _tail(request, farm.settings.log_limit_bytes, farm.settings.result_limit_bytes)
    return await run_in_threadpool(_spooled, farm, tail) if tail else None


async def _tail(request: Request, keep_bytes: int, limit_bytes: int) -> list[bytes]:
    chunks: deque[bytes] = deque()
    held = arrived = 0
    try:
        async for chunk in request.stream():
            arrived += len(chunk)
            if arrived > limit_bytes:
                raise TooLarge(f"At most {limit_bytes} bytes are taken.")
            chunks.append(chunk)
            held += len(chunk)
            while held - len(chunks[0]) >= keep_bytes:
                held -= len(chunks.popleft())
    except ClientDisconnect as error:
        raise IncompleteUpload("The client went away in the middle of its log.") from error
    if held > keep_bytes:
        chunks[0] = chunks[0][held - keep_bytes:]
    return [chunk for chunk in chunks if chunk]


def _spooled(farm: Farm, chunks: list[bytes]) -> Spooled:
    with Spool(farm.spool_folder, farm.settings.log_limit_bytes) as spool:
        for chunk in chunks:
            spool.write(chunk)
        return spool.release()
