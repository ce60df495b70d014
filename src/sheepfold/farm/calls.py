"""Calls to strangers' servers: to an address that was checked, and over in time whatever the other side does."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator

BEAT_S = 0.25
LAST_WORDS_S = 2.0
"""How long a call may go on when the farm is to end."""


@contextlib.contextmanager
def called(address: str, port: int, *, step_s: float, whole_s: float,
           closing: threading.Event | None = None) -> Iterator[socket.socket]:
    """Call an address and hand over its socket, which is hung up after `whole_s` seconds, or soon after `closing`.

    A side that sends a byte now and then stays below `step_s`, the timeout of each step, for ever; when it is hung up
    on, what waits for it sees the stream's end. Raises OSError where nobody answers.
    """
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM) as line:
        line.settimeout(step_s)
        over = threading.Event()
        own = line.dup()  # a TLS wrapper takes the first one away from us
        watch = (own, over, time.monotonic() + whole_s, closing or threading.Event())
        threading.Thread(target=_watch, args=watch, name="call-watch", daemon=True).start()
        try:
            line.connect((address, port))
            yield line
        finally:
            over.set()


def _watch(own: socket.socket, over: threading.Event, ends_at: float, closing: threading.Event) -> None:
    with own:
        while not over.wait(BEAT_S):
            if closing.is_set():
                ends_at = min(ends_at, time.monotonic() + LAST_WORDS_S)
            if time.monotonic() >= ends_at:
                with contextlib.suppress(OSError):  # it was over already
                    own.shutdown(socket.SHUT_RDWR)
                return
