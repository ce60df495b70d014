"""Browsershots' server: XML-RPC as it streams in, redirects, pictures and pages. Source: the protocol note."""

import logging
from functools import partial

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from sheepfold.blobs.spool import Spool, Spooled
from sheepfold.farm.farm import Farm
from sheepfold.model.errors import BadInput, MalformedMessage, SheepfoldError, TooLarge, Unavailable
from sheepfold.protocols.browsershots import pages, redirects, wire
from sheepfold.protocols.browsershots.answering import PROTOCOL, Caller, answer, for_log
from sheepfold.protocols.browsershots.wire import Fault, KnownFault, Limits, MessageReader
from sheepfold.protocols.direct import DirectRoute, at_once, judged
from sheepfold.protocols.uploads import announced_length

RETRY_S = 60
FRAMING_BYTES = 2**20
"""What a call may have beside its file."""

_log = logging.getLogger(__name__)


def routes(farm: Farm) -> list[BaseRoute]:
    """Return the routes of this wire, at the root of the application."""
    return [
        DirectRoute("/xmlrpc/", partial(_call, farm), methods=["POST"]),
        *pages.routes(farm),
        *redirects.routes(farm),
    ]


async def _call(farm: Farm, request: Request) -> Response:
    """Answer a call: status 200 with an answer or a fault, and 503 where the farm can do nothing now.

    Old factories end on any other body with status 200, and survive a 503 (protocol note, section 1.1).
    """
    file = _File(farm)
    reader = MessageReader(file.write, Limits(file_bytes=farm.settings.result_limit_bytes))
    try:
        if not await _fed(farm, request, reader):
            return pages.method_list()
        host = request.client.host if request.client else ""
        caller = Caller(farm, host, file.whole)
        run = judged if file.has_begun else at_once
        return _answered(wire.write_response(await run(answer, caller, reader.close_call())))
    except ClientDisconnect:
        return Response(status_code=400)
    except Unavailable as error:
        _log.warning("wire=%s method=%s unavailable=%s", PROTOCOL, _method(reader), error)
        return _answered(wire.write_fault(wire.fault_for(error)), 503)
    except Exception as error:  # noqa: BLE001 -- a factory ends on any answer that is not XML-RPC
        return _answered(wire.write_fault(_fault(reader, error)))
    finally:
        file.discard()


def _fault(reader: MessageReader, error: Exception) -> Fault:
    """Return the fault that tells an error, and log it."""
    if isinstance(error, MalformedMessage):
        fault = KnownFault.XML_ERROR.fault(detail=str(error))
    elif isinstance(error, Fault):
        fault = error
    elif isinstance(error, SheepfoldError):
        fault = wire.fault_for(error)
    else:
        _log.error("wire=%s method=%s failed", PROTOCOL, _method(reader), exc_info=error)
        fault = KnownFault.INTERNAL_ERROR.fault(type=type(error).__name__, detail="the server's log tells more")
    _log.info("wire=%s method=%s fault=%d reason=%s", PROTOCOL, _method(reader), fault.code,
              for_log(fault.message))
    return fault


def _method(reader: MessageReader) -> str:
    return for_log(reader.method or "")[:40]


async def _fed(farm: Farm, request: Request, reader: MessageReader) -> bool:
    """Feed a request's body to a reader; False where there was none.

    What is wrong with it is told when all of it has come: a client that still sends would not hear it.
    """
    limit_bytes = farm.settings.result_limit_bytes * 3 // 2 + FRAMING_BYTES
    if (announced_length(request) or 0) > limit_bytes:
        raise TooLarge(f"a call of at most {limit_bytes} bytes was expected")
    size_bytes = 0
    wrong: BadInput | None = None
    async for chunk in request.stream():
        size_bytes += len(chunk)
        if size_bytes > limit_bytes:
            raise TooLarge(f"a call of at most {limit_bytes} bytes was expected")
        if chunk and wrong is None:
            try:
                reader.feed(chunk)
            except BadInput as error:
                wrong = error
    if wrong is not None:
        raise wrong
    return size_bytes > 0


def _answered(body: bytes, status: int = 200) -> Response:
    headers = {"Retry-After": str(RETRY_S)} if status == 503 else {}
    return Response(body, status, headers, media_type=wire.CONTENT_TYPE)


class _File:
    """The file of a call, as a spool that is opened by its first byte."""

    def __init__(self, farm: Farm) -> None:
        self._farm = farm
        self._spool: Spool | None = None

    def write(self, piece: bytes) -> None:
        """Append decoded bytes."""
        self._opened().write(piece)

    @property
    def has_begun(self) -> bool:
        """Say whether the call brings a file at all."""
        return self._spool is not None

    def whole(self) -> Spooled:
        """Return the file, which is empty where nothing came."""
        return self._opened().finish()

    def discard(self) -> None:
        """Remove the file."""
        if self._spool is not None:
            self._spool.discard()

    def _opened(self) -> Spool:
        if self._spool is None:
            self._spool = Spool(self._farm.spool_folder, self._farm.settings.result_limit_bytes)
        return self._spool
