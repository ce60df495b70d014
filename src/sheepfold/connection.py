"""One connection of the server: what a stranger may send before it is a request, and how long it may take.

uvicorn collects a head without end, and each piece of a long line anew, so that 100 MiB of header took a gigabyte of
memory, or the event loop for twenty seconds; and it waits for ever for the rest of a request.
"""

import asyncio
from enum import Enum, auto
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MOST_HEAD_BYTES = 128 * 1024
"""Of a request's line and headers, and of whatever stands between two pieces of a body. Old clients send a few KiB, a
browser's cookies fit thrice; what comes in one piece from the network is taken whole."""
PATIENCE_S = 120.0
"""How long the head of a request may take, and each LEAST_BYTES of its body. It covers what a bad line repeats."""
LEAST_BYTES = 4096
"""So much of a body comes from the slowest of lines meanwhile; who lets it drip keeps a connection for no longer."""

_TOO_LARGE = (b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")


class _Stage(Enum):
    HEAD = auto()
    BODY = auto()
    ANSWER = auto()


class Connection(HttpToolsProtocol):
    """uvicorn's connection, with an end to what it collects and to how long it waits."""

    def __init__(self, *args: Any, **named: Any) -> None:  # noqa: ANN401 -- they are uvicorn's own
        super().__init__(*args, **named)
        self._stage = _Stage.HEAD
        self._bare_bytes = 0  # since something last came of what was sent
        self._dripped_bytes = 0
        self._moved_at = self.loop.time()
        self._has_moved = False
        self._look: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin, and look from time to time whether anything comes."""
        super().connection_made(transport)
        self._look = self.loop.call_later(PATIENCE_S / 2, self._look_again)

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        if self._look is not None:
            self._look.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what came, and count it where nothing comes of it."""
        self._has_moved = False
        super().data_received(data)
        self._bare_bytes = 0 if self._has_moved else self._bare_bytes + len(data)
        if self._bare_bytes > MOST_HEAD_BYTES and not self.transport.is_closing():
            if self._stage is _Stage.HEAD and (self.cycle is None or self.cycle.response_complete):
                self.transport.write(_TOO_LARGE)
            self.transport.close()

    def on_message_begin(self) -> None:
        """Note that a head begins."""
        super().on_message_begin()
        self._stage, self._moved_at = _Stage.HEAD, self.loop.time()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header; those behind a body say nothing here, and would be kept without end."""
        if self._stage is _Stage.HEAD:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Note that a body begins."""
        self._move(_Stage.BODY)
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Take a piece of a body."""
        self._has_moved = True
        self._dripped_bytes += len(body)
        if self._dripped_bytes >= LEAST_BYTES:
            self._move(_Stage.BODY)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Note that it is now for us to answer."""
        self._move(_Stage.ANSWER)
        super().on_message_complete()

    def _move(self, stage: _Stage) -> None:
        self._stage, self._has_moved, self._dripped_bytes, self._moved_at = stage, True, 0, self.loop.time()

    def _look_again(self) -> None:
        """Close where too little came for too long though it was the other side's turn."""
        if self.flow.read_paused:  # it is we who do not read
            self._moved_at = self.loop.time()
        if self._stage is not _Stage.ANSWER and self.loop.time() - self._moved_at >= PATIENCE_S:
            self.transport.close()
            return
        self._look = self.loop.call_later(PATIENCE_S / 2, self._look_again)
