"""A bell that commits ring: how many coroutines wait for news without holding a thread each."""

import asyncio
import contextlib

from sheepfold.farm.farm import Farm

POLL_S = 1.0
"""A waiter looks again after this time even if no bell rang, since the commits of other processes ring none here."""


class Bell:
    """Rings for everybody who waits, whenever the database of a farm has committed."""

    def __init__(self, farm: Farm) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._rung = asyncio.Event()
        farm.db.listen(self._hear)

    async def wait(self, limit_s: float = POLL_S) -> None:
        """Return at the next commit, or after a time limit in seconds, at most a second."""
        self._loop = asyncio.get_running_loop()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._rung.wait(), min(limit_s, POLL_S))

    def _hear(self) -> None:
        """Take note of a commit, on whatever thread that was."""
        loop = self._loop
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(self._ring)

    def _ring(self) -> None:
        self._rung.set()
        self._rung = asyncio.Event()
