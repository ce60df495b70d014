"""The bell: wakes requests that wait for something to happen, without a thread for each.

Commits ring it, but most of them matter to nobody who waits: a claim that finds nothing is a commit too, and if it woke
the others, they would claim in vain and wake each other for ever. So one watcher reads the new events, once for all who
wait, and wakes those who wish for one of them. It runs only while somebody waits.
"""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

from starlette.concurrency import run_in_threadpool

from sheepfold.farm.browse import newest_event_id
from sheepfold.farm.farm import Farm
from sheepfold.farm.feed import Feed
from sheepfold.model.errors import Unavailable
from sheepfold.model.events import Event, What

POLL_S = 1.0
"""How often the watcher looks even if no commit rang: other processes write to the same database."""
GATHER_S = 0.05
"""How long the watcher lets commits gather before it looks, so that a busy farm costs 20 small reads a second."""

MAKES_WORK = frozenset({What.JOB_ORDERED, What.LEASE_FAILED, What.LEASE_RELEASED, What.LEASE_EXPIRED,
                        What.RESULT_SUBMITTED, What.RESULT_INVALID})
"""After any of these some task may have an opening that it had not before."""

Wish = Callable[[Event], bool]


class Ear:
    """One who waits for events of some sort."""

    def __init__(self, wish: Wish, closing: threading.Event) -> None:
        self.wish = wish
        self._closing = closing
        self._rung = asyncio.Event()

    def ring(self) -> None:
        """Wake who waits, or the next who does."""
        self._rung.set()

    async def wait(self, timeout_s: float) -> bool:
        """Wait until the bell rings, or rang since the last wait; False when the time is up or the server is to end."""
        clock = asyncio.get_running_loop()
        ends_at = clock.time() + timeout_s
        while (left_s := ends_at - clock.time()) > 0 and not self._rung.is_set() and not self._closing.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(min(left_s, POLL_S)):
                    await self._rung.wait()
        was_rung = self._rung.is_set()
        self._rung.clear()
        return was_rung


class Bell:
    """The bell of one application, used on its event loop; only `_on_commit` is called from elsewhere."""

    def __init__(self, farm: Farm) -> None:
        self._farm = farm
        self._ears: set[Ear] = set()
        self._watcher: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._committed = asyncio.Event()
        farm.db.listen(self._on_commit)

    @asynccontextmanager
    async def ear(self, wish: Wish) -> AsyncIterator[Ear]:
        """Listen for events that `wish` wants, from now on until the block ends."""
        ear = Ear(wish, self._farm.closing)
        self._ears.add(ear)
        try:
            if self._watcher is None or self._watcher.done():
                self._loop = asyncio.get_running_loop()
                feed = await run_in_threadpool(_feed_from_now, self._farm)
                if self._watcher is None or self._watcher.done():
                    self._watcher = asyncio.create_task(self._watch(feed))
            yield ear
        finally:
            self._ears.discard(ear)

    def _on_commit(self) -> None:
        loop = self._loop
        if loop is not None and self._ears:
            with suppress(RuntimeError):  # the loop has ended meanwhile
                loop.call_soon_threadsafe(self._committed.set)

    async def _watch(self, feed: Feed) -> None:
        while self._ears:
            with suppress(TimeoutError):
                async with asyncio.timeout(POLL_S):
                    await self._committed.wait()
            await asyncio.sleep(GATHER_S)
            self._committed.clear()
            with suppress(Unavailable):  # the next look comes in a second
                while events := await run_in_threadpool(feed.next):
                    self._tell(events)

    def _tell(self, events: list[Event]) -> None:
        for ear in self._ears:
            if any(ear.wish(event) for event in events):
                ear.ring()


def _feed_from_now(farm: Farm) -> Feed:
    return Feed(farm, newest_event_id(farm))
