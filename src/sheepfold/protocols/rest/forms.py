"""An order with its files, as a form of several parts: each file is hashed, limited and spooled as it arrives."""

from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fastapi import Request
from pydantic import ValidationError
from pydantic_core import from_json
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from sheepfold.blobs.spool import Spool
from sheepfold.farm.farm import Farm
from sheepfold.farm.orders import Order
from sheepfold.farm.uploads import uploaded_file
from sheepfold.model.accounts import Account
from sheepfold.model.errors import IncompleteUpload, MalformedMessage, MissingParameter, TooLarge
from sheepfold.protocols.rest.errors import invalid_message
from sheepfold.protocols.rest.wire import MOST_INPUTS, JobOrder, is_file_name
from sheepfold.protocols.uploads import announced_length

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

ORDER_FORM = {
    "requestBody": {
        "required": True,
        "description": "A part `order`, JSON, and a part for each file that the kind wants, named by the input.",
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["order"],
                    "properties": {"order": {"$ref": "#/components/schemas/JobOrder"}},
                    "additionalProperties": {"type": "string", "format": "binary"},
                },
                "encoding": {"order": {"contentType": "application/json"}},
            }
        },
    }
}
"""How the API's document describes the form of an order."""
ORDER_PART = "order"
ORDER_LIMIT_BYTES = 256 * 1024
FRAMING_BYTES = 1024 * 1024
"""What a form may have beside its files: boundaries, headers, the order itself."""


@dataclass(frozen=True, slots=True)
class OrderForm:
    """An order and its files by name, which are there until the block of `order_form` ends."""

    order: JobOrder
    inputs: dict[str, Path]


@contextmanager
def whole_order(farm: Farm, account: Account, form: OrderForm, key: str = "") -> Iterator[Order]:
    """Yield an order with the files that came with its form and those that were uploaded before, for this block alone.

    `key` is its Idempotency-Key. Raises MalformedMessage, UnknownBlob, IncompleteUpload.
    """
    asked = form.order
    if twice := form.inputs.keys() & asked.uploads.keys():
        raise MalformedMessage(f"The input {min(twice)!r} is both a part of the form and an upload.")
    with ExitStack() as opened:
        uploads = {name: opened.enter_context(uploaded_file(farm, account, upload))
                   for name, upload in asked.uploads.items()}
        yield Order(asked.kind, asked.spec, form.inputs | uploads, asked.title, asked.terms(), key, asked.private)


@asynccontextmanager
async def order_form(request: Request, farm: Farm) -> AsyncIterator[OrderForm]:
    """Read an order's form from a request as it streams in.

    Raises MalformedMessage, MissingParameter, TooLarge, and IncompleteUpload where the form has no end.
    """
    limit_bytes = farm.settings.input_limit_bytes + FRAMING_BYTES
    announced = announced_length(request)
    if announced is not None and announced > limit_bytes:
        raise TooLarge(f"An order has at most {limit_bytes} bytes; {announced} were announced.")
    parts = _Parts(farm.spool_folder, farm.settings.input_limit_bytes)
    try:
        await _feed(request, parts, limit_bytes)
        yield await run_in_threadpool(parts.finish)
    finally:
        parts.discard()


async def _feed(request: Request, parts: "_Parts", limit_bytes: int) -> None:
    arrived = 0
    try:
        parser = MultipartParser(_boundary(request), parts.callbacks())
        async for chunk in request.stream():
            arrived += len(chunk)
            if arrived > limit_bytes:
                raise TooLarge(f"An order has at most {limit_bytes} bytes.")
            if chunk:
                await run_in_threadpool(parser.write, chunk)
    except FormParserError as error:
        raise MalformedMessage("The form cannot be read.") from error
    except ClientDisconnect as error:
        raise IncompleteUpload("The client went away in the middle of its order.") from error


def _boundary(request: Request) -> bytes:
    media_type, options = parse_options_header(request.headers.get("content-type", ""))
    boundary = options.get(b"boundary", b"")
    if media_type != b"multipart/form-data" or not boundary:
        raise MalformedMessage("An order is a multipart/form-data with a boundary.")
    return boundary


class _Parts:
    """What the parser calls as it meets the parts of a form; the order goes to memory, files to the disk."""

    def __init__(self, folder: Path, limit_bytes: int) -> None:
        self._folder = folder
        self._limit_bytes = limit_bytes
        self._order: bytearray | None = None
        self._spools: dict[str, Spool] = {}
        self._target: Spool | None = None  # where the present part goes; None is the order
        self._headers: dict[bytes, bytes] = {}
        self._field = self._value = b""
        self._has_ended = False

    def callbacks(self) -> "MultipartCallbacks":
        """Return the parser's callbacks."""
        return {
            "on_part_begin": self._begin_part,
            "on_header_field": self._read_field,
            "on_header_value": self._read_value,
            "on_header_end": self._end_header,
            "on_headers_finished": self._open_part,
            "on_part_data": self._read_data,
            "on_end": self._end,
        }

    def finish(self) -> OrderForm:
        """Return the whole form."""
        if not self._has_ended:
            raise IncompleteUpload("The form ends before its last boundary.")
        if self._order is None:
            raise MissingParameter("The form has no part called 'order'.")
        inputs = {name: spool.finish().path for name, spool in self._spools.items()}
        return OrderForm(_parse_order(bytes(self._order)), inputs)

    def discard(self) -> None:
        """Remove the files."""
        for spool in self._spools.values():
            spool.discard()

    def _begin_part(self) -> None:
        self._headers = {}
        self._field = self._value = b""

    def _read_field(self, data: bytes, start: int, end: int) -> None:
        self._field += data[start:end]

    def _read_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _end_header(self) -> None:
        self._headers[self._field.lower()] = self._value
        self._field = self._value = b""

    def _open_part(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition", b""))
        name = options.get(b"name", b"").decode("utf-8", "replace")
        if name == ORDER_PART:
            if self._order is not None:
                raise MalformedMessage("The form has two parts called 'order'.")
            self._order, self._target = bytearray(), None
            return
        if not is_file_name(name):
            raise MalformedMessage(f"A file's part is named by letters, digits, '.', '_' and '-', not {name[:60]!r}.")
        if name in self._spools or len(self._spools) >= MOST_INPUTS:
            raise MalformedMessage(f"An order has at most {MOST_INPUTS} files, each with a name of its own.")
        self._target = self._spools[name] = Spool(self._folder, self._limit_bytes)

    def _read_data(self, data: bytes, start: int, end: int) -> None:
        if self._target is not None:
            self._target.write(memoryview(data)[start:end])
            return
        assert self._order is not None  # a part is opened before its data
        if len(self._order) + end - start > ORDER_LIMIT_BYTES:
            raise TooLarge(f"The part 'order' has at most {ORDER_LIMIT_BYTES} bytes.")
        self._order += data[start:end]

    def _end(self) -> None:
        self._has_ended = True


def _parse_order(raw: bytes) -> JobOrder:
    """Read an order's JSON; what no JSON has (NaN, halves of a surrogate pair) would come back as a broken answer."""
    try:
        return JobOrder.model_validate(from_json(raw, allow_inf_nan=False))
    except ValidationError as error:
        raise invalid_message(error) from error
    except ValueError as error:
        raise MalformedMessage(f"The part 'order' is no JSON: {error}") from error
