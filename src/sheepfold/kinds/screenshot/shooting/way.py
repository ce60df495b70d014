"""The inner end of the way to the network: a door for the browser, and how quiet it is there."""

import asyncio
import contextlib
import threading
import time
from dataclasses import dataclass, field

from sheepfold.kinds.screenshot.shooting.pipes import HEAD_BYTES, pump


@dataclass(slots=True, eq=False)
class _Line:
    """One connection: whether the browser has asked and waits for an answer."""

    is_awaited: bool = False
    seen_at: float = field(default_factory=time.monotonic)


class Way:
    """A port on the loopback address that leads to the gate's socket, run by a thread of its own."""

    def __init__(self, socket: str) -> None:
        self._socket = socket
        self._lines: set[_Line] = set()
        self._last = time.monotonic()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="way", daemon=True)
        self.port = 0

    def start(self) -> None:
        """Open the door."""
        self._thread.start()
        self.port = asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(10)

    def quiet_s(self) -> float:
        """Return for how many seconds nothing has passed; zero while an answer is awaited.

        An encrypted connection that is kept open in silence does not count as awaited once the server spoke last.
        """
        if any(line.is_awaited for line in list(self._lines)):
            return 0.0
        return time.monotonic() - self._last

    async def _listen(self) -> int:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=HEAD_BYTES)
        return int(self._server.sockets[0].getsockname()[1])

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = _Line()
        with contextlib.suppress(OSError):
            far_reader, far_writer = await asyncio.open_unix_connection(self._socket, limit=HEAD_BYTES)
            self._lines.add(line)
            going = asyncio.ensure_future(pump(reader, far_writer, lambda: self._seen(line, is_awaited=True)))
            coming = asyncio.ensure_future(pump(far_reader, writer, lambda: self._seen(line, is_awaited=False)))
            try:
                # A browser that hung up waits for nothing any more, whatever the server is about.
                await asyncio.wait((going, coming), return_when=asyncio.FIRST_COMPLETED)
            finally:
                going.cancel()
                coming.cancel()
                self._lines.discard(line)
                self._last = time.monotonic()
                far_writer.close()
        writer.close()

    def _seen(self, line: _Line, *, is_awaited: bool) -> None:
        line.is_awaited = is_awaited
        self._last = time.monotonic()
