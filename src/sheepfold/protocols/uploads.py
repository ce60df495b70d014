"""How bodies come in and files go out, for every wire: streamed, hashed, limited, never whole in memory."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.concurrency import iterate_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import StreamingResponse

from sheepfold.blobs.spool import Spool, Spooled
from sheepfold.farm.dispatch import Input
from sheepfold.farm.farm import Farm
from sheepfold.model.errors import IncompleteUpload, MalformedMessage, TooLarge


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


def base_url(request: Request, farm: Farm) -> str:
    """Return the address that answers name this farm by: the public one, else the one by which the client came."""
    if farm.settings.public_url:
        return farm.settings.public_url.rstrip("/")
    # Not request.url, which wants the query to be UTF-8; and without a Host (HTTP/1.0) there is our own address.
    address, port = request.scope.get("server") or ("localhost", 80)
    return f"{request.scope['scheme']}://{request.headers.get('host') or f'{address}:{port}'}"
