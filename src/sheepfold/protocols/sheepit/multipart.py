"""Multipart bodies of every era, taken apart as they arrive: the one file goes to a sink, small fields are kept.

Clients before 2020-06 use the constant boundary `***232404jkg4220957934FW**`, unquoted and after no space, and give the
part no Content-Type; those later a UUID, and a Content-Length inside the part (protocol note, section 8).
"""

import re
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Protocol

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from sheepfold.blobs.spool import Spool, Spooled
from sheepfold.farm.farm import Farm
from sheepfold.model.errors import IncompleteUpload, MalformedMessage, MissingParameter, TooLarge
from sheepfold.protocols.sheepit import wire
from sheepfold.protocols.uploads import announced_length

OLD_BOUNDARY = "***232404jkg4220957934FW**"
AROUND_BYTES = 64 * 1024
"""How much larger than its file a body may be: boundaries, headers, small fields."""
MAX_FIELDS = 50
DRAINED_BYTES = 64 * 2**20

_BOUNDARY = re.compile(r';\s*boundary=(?:"([^"]{1,200})"|([^\s;"]{1,200}))', re.IGNORECASE)
_OPTION = re.compile(rb';\s*([A-Za-z*]{1,20})=(?:"([^"]*)"|([^\s;"]*))')


class Sink(Protocol):
    """Where the file's bytes go."""

    def write(self, chunk: bytes) -> object:
        """Take bytes."""
        ...


@dataclass(frozen=True, slots=True)
class Form:
    """What a body held: its small fields, and whether there was a file."""

    fields: Mapping[str, str]
    has_file: bool


class Tail:
    """A sink that keeps the end of a log, and counts nothing of what it dropped."""

    def __init__(self, keep_bytes: int) -> None:
        self._keep_bytes = keep_bytes
        self._chunks: deque[bytes] = deque()
        self._held_bytes = 0

    def write(self, chunk: bytes) -> None:
        """Take bytes, and let go of the oldest."""
        self._chunks.append(chunk)
        self._held_bytes += len(chunk)
        while self._held_bytes - len(self._chunks[0]) >= self._keep_bytes:
            self._held_bytes -= len(self._chunks.popleft())

    def value(self) -> bytes:
        """Return what is kept."""
        return b"".join(self._chunks)[-self._keep_bytes:]


@asynccontextmanager
async def spooled_file(request: Request, farm: Farm) -> AsyncIterator[tuple[Spooled, Mapping[str, str]]]:
    """Stream a frame into a spool file, which is there until the block ends; the form's fields come with it.

    Raises MissingParameter where there is no file, MalformedMessage and IncompleteUpload where it breaks off, TooLarge.
    """
    limit_bytes = farm.settings.result_limit_bytes
    spool = Spool(farm.spool_folder, limit_bytes)
    try:
        form = await read_form(request, spool, limit_bytes)
        if not form.has_file:
            raise MissingParameter("A multipart form with one part called 'file' was expected.")
        yield await run_in_threadpool(spool.finish), form.fields
    finally:
        spool.discard()


async def read_form(request: Request, sink: Sink, limit_bytes: int) -> Form:
    """Read a body; its first part called `file` goes to the sink; a plain form holds fields alone.

    Raises TooLarge where the body is larger than `limit_bytes` and some more.
    """
    boundary = boundary_of(request)
    announced = announced_length(request)
    if announced is not None and announced > limit_bytes + AROUND_BYTES:
        raise TooLarge(f"At most {limit_bytes} bytes are taken; {announced} were announced.")
    if boundary is None:
        body = await read_small(request, wire.MAX_PAIRS_BYTES)
        return Form(wire.read_pairs(body) if body else {}, has_file=False)
    parts = _Parts(sink)
    try:
        parser = parts.parser(boundary)
        async for chunk in _chunks(request, limit_bytes + AROUND_BYTES):
            parser.write(chunk)
    except FormParserError as error:
        raise MalformedMessage(f"The multipart body cannot be read: {error}") from error
    if not parts.has_ended:
        raise MalformedMessage("The multipart body breaks off before its last boundary.")
    return Form(parts.fields(), parts.has_file)


async def read_small(request: Request, limit_bytes: int) -> bytes:
    """Read a small body whole; raises TooLarge, IncompleteUpload."""
    return b"".join([chunk async for chunk in _chunks(request, limit_bytes)])


async def drain(request: Request) -> None:
    """Read on what a refused upload still sends, for a while, since old clients hear no answer while they send."""
    left = DRAINED_BYTES
    with suppress(IncompleteUpload):
        while left > 0 and (chunk := await _next(request)) is not None:
            left -= max(1, len(chunk))


def boundary_of(request: Request) -> str | None:
    """Return the boundary of a multipart body, None where the Content-Type is another."""
    content_type = request.headers.get("content-type", "")
    if not content_type.lower().startswith("multipart/"):
        return None
    found = _BOUNDARY.search(content_type)
    if found is None:
        raise MalformedMessage("The multipart body names no boundary.")
    return found[1] or found[2]


async def _chunks(request: Request, limit_bytes: int) -> AsyncIterator[bytes]:
    arrived = 0
    while (chunk := await _next(request)) is not None:
        arrived += len(chunk)
        if arrived > limit_bytes:
            raise TooLarge(f"At most {limit_bytes} bytes are taken.")
        if chunk:
            yield chunk


async def _next(request: Request) -> bytes | None:
    """Return the next piece of a body, None after its end, which is noted: asking on would wait for ever."""
    if getattr(request.state, "is_body_read", False):
        return None
    message = await request.receive()
    request.state.is_body_read = message["type"] != "http.request" or not message.get("more_body", False)
    if message["type"] != "http.request":
        raise IncompleteUpload("The client went away in the middle of its upload.")
    chunk: bytes = message.get("body", b"")
    return chunk


class _Parts:
    """The parser's listener: it sorts parts by their names."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._fields: dict[str, bytearray] = {}
        self._fields_bytes = 0
        self._field: bytearray = bytearray()
        self._value = bytearray()
        self._name: str | None = None
        self._is_file = False
        self.has_file = False
        self.has_ended = False

    def parser(self, boundary: str) -> MultipartParser:
        callbacks: dict[str, Any] = {
            "on_part_begin": self._begin,
            "on_header_field": lambda data, start, end: self._field.extend(data[start:end]),
            "on_header_value": lambda data, start, end: self._value.extend(data[start:end]),
            "on_header_end": self._header,
            "on_headers_finished": self._headers,
            "on_part_data": self._data,
            "on_end": self._end,
        }
        return MultipartParser(boundary.encode("latin-1", "replace"), callbacks)  # type: ignore[arg-type]

    def fields(self) -> dict[str, str]:
        return {name: value.decode("utf-8", "replace") for name, value in self._fields.items()}

    def _begin(self) -> None:
        self._name, self._is_file = None, False
        self._field, self._value = bytearray(), bytearray()

    def _header(self) -> None:
        if bytes(self._field).lower() == b"content-disposition":
            options = {found[1].lower(): found[2] or found[3] or b"" for found in _OPTION.finditer(bytes(self._value))}
            self._name = options[b"name"].decode("utf-8", "replace") if b"name" in options else None
        self._field, self._value = bytearray(), bytearray()

    def _headers(self) -> None:
        self._is_file = self._name == wire.FILE_PART and not self.has_file
        self.has_file |= self._is_file
        if not self._is_file and self._name is not None:
            if len(self._fields) >= MAX_FIELDS:
                raise MalformedMessage(f"At most {MAX_FIELDS} fields were expected.")
            self._fields.setdefault(self._name, bytearray())

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._is_file:
            self._sink.write(data[start:end])
        elif self._name is not None:
            self._fields_bytes += end - start
            if self._fields_bytes > AROUND_BYTES:
                raise TooLarge(f"At most {AROUND_BYTES} bytes of fields were expected.")
            self._fields[self._name].extend(data[start:end])

    def _end(self) -> None:
        self.has_ended = True
