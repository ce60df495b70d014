"""Files on their way out: streamed, with exact lengths, with digests as tags, and in ranges for films."""

import re
from typing import Any

from starlette.concurrency import iterate_in_threadpool, run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from sheepfold.blobs.spool import Digest
from sheepfold.farm.dispatch import Input
from sheepfold.farm.farm import Farm
from sheepfold.protocols.uploads import answer_file

FILE: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The file. Its ETag is its SHA-256.",
        "content": {"*/*": {"schema": {"type": "string", "format": "binary"}}},
        "headers": {
            "ETag": {"description": "The SHA-256 of the whole file, in quotes.", "schema": {"type": "string"}},
            "Content-Length": {"description": "The exact length in bytes.", "schema": {"type": "integer"}},
        },
    },
    304: {"description": "The client has this file: its If-None-Match names the digest."},
}
"""How the API's document describes an answer that is a file."""

RANGED_FILE = FILE | {
    206: {"description": "The range of bytes that was asked for.",
          "content": {"*/*": {"schema": {"type": "string", "format": "binary"}}}},
    416: {"description": "The range lies outside of the file."},
}

ZIP: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "A zip, written while it is read: it has no length before its end.",
        "content": {"application/zip": {"schema": {"type": "string", "format": "binary"}}},
    },
}

_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.ASCII)


async def answer_ranged(request: Request, farm: Farm, file: Input, media_type: str, name: str) -> Response:
    """Answer with a file or the one range of it that was asked for; several ranges at once get the whole."""
    asked = request.headers.get("range", "")
    is_same = request.headers.get("if-range", f'"{file.digest}"') == f'"{file.digest}"'
    found = _RANGE.fullmatch(asked) if is_same else None
    if found is None or not any(found.groups()):
        response = answer_file(request, file, media_type, name)
        response.headers["Accept-Ranges"] = "bytes"
        return response
    bounds = _bounds(found[1], found[2], file.size_bytes)
    headers = {"Accept-Ranges": "bytes", "ETag": f'"{file.digest}"', "X-Content-Type-Options": "nosniff"}
    if bounds is None:
        return Response(status_code=416, headers=headers | {"Content-Range": f"bytes */{file.size_bytes}"})
    start, end = bounds
    chunks = await run_in_threadpool(farm.blobs.open_stream, Digest(file.digest), start, end)
    headers |= {"Content-Range": f"bytes {start}-{end - 1}/{file.size_bytes}", "Content-Length": str(end - start)}
    return StreamingResponse(iterate_in_threadpool(chunks), 206, headers, media_type)


def _bounds(first: str, last: str, size_bytes: int) -> tuple[int, int] | None:
    """Return where a range starts and ends, without its end; None where it holds none of the file's bytes."""
    if not first:
        start, end = max(0, size_bytes - int(last)), size_bytes
    else:
        start, end = int(first), min(int(last) + 1 if last else size_bytes, size_bytes)
    return (start, end) if start < end else None
