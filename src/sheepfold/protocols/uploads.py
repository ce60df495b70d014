"""How bodies come in and files go out, for every wire: limited, and streamed but for few small ones, which are held."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.concurrency import iterate_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse

from sheepfold.blobs.spool import Spool, Spooled
from sheepfold.farm.dispatch import Input
from sheepfold.farm.farm import Farm
from sheepfold.model.errors import IncompleteUpload, MalformedMessage, TooLarge

_LENGTH = re.compile(r"[0-9]{1,15}", re.ASCII)
SMALL_BYTES = 2**20
"""What is held in memory until one thread does all that is to be done with it. Most pictures are smaller."""
HELD_MOST_BYTES = 64 * 2**20
"""So much a process holds of small bodies at once; what comes beyond that goes to the disk, as large ones do."""


class _Held:
    """How much is held just now, and promised to be; asked by the event loop alone."""

    size_bytes = 0


_held = _Held()


@asynccontextmanager
async def spooled_body(request: Request, farm: Farm, limit_bytes: int) -> AsyncIterator[Spooled]:
    """Stream a request's body into a spool file, which is there until the block ends.

    Raises TooLarge before the first byte where the length that was announced says so, else as soon as the limit is
    passed, and IncompleteUpload where the client went away.
    """
    announced = announced_length(request)
    if announced is not None and announced > limit_bytes:
        raise TooLarge(f"At most {limit_bytes} bytes are taken; {announced} were announced.")
    spool = Spool(farm.spool_folder, limit_bytes)
    try:
        async for chunk in request.stream():
            if chunk:
                spool.write(chunk)
        yield spool.finish()  # closes a file that was written here already: less than a thread costs
    except ClientDisconnect as error:
        raise IncompleteUpload("The client went away in the middle of its upload.") from error
    finally:
        spool.discard()


def is_small(request: Request, limit_bytes: int) -> bool:
    """Say whether a request announces a body that may be sent at all, and for which there is room in memory."""
    length = request.headers.get("content-length", "")
    most_bytes = min(SMALL_BYTES, limit_bytes, HELD_MOST_BYTES - _held.size_bytes)
    return _LENGTH.fullmatch(length) is not None and int(length) <= most_bytes


@asynccontextmanager
async def small_body(request: Request) -> AsyncIterator[bytes]:
    """Hold a body that `is_small` until the block ends; raises IncompleteUpload where the client went away."""
    size_bytes = int(request.headers["content-length"])
    _held.size_bytes += size_bytes
    try:
        yield await request.body()
    except ClientDisconnect as error:
        raise IncompleteUpload("The client went away in the middle of its upload.") from error
    finally:
        _held.size_bytes -= size_bytes


def announced_length(request: Request) -> int | None:
    """Return the Content-Length of a request, None where it has none; raises MalformedMessage."""
    text = request.headers.get("content-length")
    if text is None:
        return None
    if not text.isdecimal() or len(text) > 18:
        raise MalformedMessage(f"Content-Length is a number of bytes; found {text[:40]!r}.")
    return int(text)


def file_response(file: Input, media_type: str, name: str = "") -> StreamingResponse:
    """Answer with a file, its exact length and, as its ETag, its digest; with a name it is offered for saving."""
    headers = {"Content-Length": str(file.size_bytes), "ETag": f'"{file.digest}"', "X-Content-Type-Options": "nosniff"}
    if name:
        headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return StreamingResponse(iterate_in_threadpool(file.chunks), media_type=media_type, headers=headers)


def answer_file(request: Request, file: Input, media_type: str, name: str = "") -> Response:
    """Answer with a file, or with 304 where the client has it."""
    tag = f'"{file.digest}"'
    if tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers={"ETag": tag})
    return file_response(file, media_type, name)


def base_url(request: Request, farm: Farm) -> str:
    """Return the address that answers name this farm by: the public one, else the one by which the client came."""
    if farm.settings.public_url:
        return farm.settings.public_url.rstrip("/")
    # Not request.url, which wants the query to be UTF-8; and without a Host (HTTP/1.0) there is our own address.
    address, port = request.scope.get("server") or ("localhost", 80)
    return f"{request.scope['scheme']}://{request.headers.get('host') or f'{address}:{port}'}"
