"""Several servers at one door: each leaves connections to another one that holds fewer.

Where servers wait at the same socket, whoever is awake first takes what comes, so one of two may hold nearly all
lasting connections while the other sleeps (docs/decisions/0031-fair-shares.md).
"""

import asyncio
import errno
import logging
import socket
import ssl
from collections.abc import Callable, Collection, MutableSequence
from contextlib import suppress
from functools import partial

PATIENCE_S = 0.05
"""So long connections are left to who holds fewer; they may be busy, frozen or dead."""
BEAT_S = 0.002
"""So often who leaves a connection to another one looks again."""
TELL_S = 0.1
"""So often others are told of connections that have ended."""
SHORT_S = 1.0
"""So long all wait where the system has no more files or memory."""
ABSENT = 2**31 - 1
"""What a server holds that does not listen: so much that nothing is left to it."""

_SHORT_OF = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}
_log = logging.getLogger(__name__)


class Doorkeeper:
    """Takes connections from a socket at which other servers listen, too, and has the event loop serve them.

    `held` is how many connections each server holds that came through this door, in memory that they share, and
    `number` one's own place in it. `make` makes the protocol of a connection; `connections` are those that live.
    """

    def __init__(self, bound: socket.socket, tls: ssl.SSLContext | None, held: MutableSequence[int], number: int,
                 make: Callable[[], asyncio.Protocol], connections: Collection[object]) -> None:
        self._bound = bound
        self._tls = tls
        self._held = held
        self._number = number
        self._make = make
        self._connections = connections
        self._arriving: set[asyncio.Task[None]] = set()
        self._loop = asyncio.get_running_loop()
        self._resting: asyncio.TimerHandle | None = None
        self._telling: asyncio.TimerHandle | None = None

    def open(self) -> None:
        """Begin to take what comes."""
        self._bound.setblocking(False)
        self._tell_again()
        self._watch()

    def close(self) -> None:
        """Take nothing any more; what was taken is served."""
        self._held[self._number] = ABSENT
        self._loop.remove_reader(self._bound)
        for timer in (self._resting, self._telling):
            if timer is not None:
                timer.cancel()
        for arrival in self._arriving:
            arrival.cancel()  # who has not ended the handshake has asked nothing yet

    async def wait_closed(self) -> None:
        """Wait until nobody arrives any more."""
        if self._arriving:
            await asyncio.wait(self._arriving)

    def _watch(self) -> None:
        self._loop.add_reader(self._bound, self._look)

    def _rest(self, for_s: float, then: Callable[[], None]) -> None:
        self._loop.remove_reader(self._bound)
        self._resting = self._loop.call_later(for_s, then)

    def _look(self) -> None:
        """Take one of those who wait, or leave them to who holds fewer."""
        if self._is_ahead():
            self._rest(BEAT_S, partial(self._leave, self._loop.time() + PATIENCE_S))
        else:
            self._take()

    def _leave(self, until: float) -> None:
        """Go on as soon as nobody holds fewer; at last take all whom nobody else has taken."""
        if not self._is_ahead():
            self._watch()
        elif self._loop.time() < until:
            self._resting = self._loop.call_later(BEAT_S, self._leave, until)
        else:
            self._watch()
            while self._take():
                pass

    def _is_ahead(self) -> bool:
        self._tell()
        return self._held[self._number] > min(self._held)

    def _tell(self) -> None:
        self._held[self._number] = len(self._connections) + len(self._arriving)

    def _tell_again(self) -> None:
        self._tell()
        self._telling = self._loop.call_later(TELL_S, self._tell_again)

    def _take(self) -> bool:
        """Take who has waited longest; returns whether there may be others."""
        try:
            taken, _ = self._bound.accept()
        except (BlockingIOError, InterruptedError):
            return False
        except ConnectionAbortedError:
            return True
        except OSError as error:
            if error.errno not in _SHORT_OF:
                raise
            _log.warning("connections=waiting reason=%s", error.strerror)
            self._rest(SHORT_S, self._watch)
            return False
        taken.setblocking(False)
        arrival = self._loop.create_task(self._receive(taken))
        self._arriving.add(arrival)
        arrival.add_done_callback(self._arriving.discard)
        self._tell()
        return True

    async def _receive(self, taken: socket.socket) -> None:
        with suppress(OSError):  # a handshake that failed
            await self._loop.connect_accepted_socket(self._make, taken, ssl=self._tls)
