"""Who hears a stream, looked up again while it lasts: keys are revoked, people signed out, and roles changed."""

import time
from collections.abc import Callable

from starlette.concurrency import run_in_threadpool

from sheepfold.farm.sight import Viewer

LOOK_AGAIN_S = 5.0
"""How old a look may be before anything more is told. A quiet stream looks at its own beat, which is slower."""


class Listener:
    """Who hears a stream, and `look`, which returns who they are by now; None where anybody may hear as much."""

    def __init__(self, viewer: Viewer, look: Callable[[], Viewer | None] | None) -> None:
        self.viewer = viewer
        self._look = look
        self._looked_at = time.monotonic()

    async def is_as_before(self) -> bool:
        """Say whether who listens is who they were at first; else the stream should end, and may be asked for anew."""
        now = time.monotonic()
        if self._look is None or now - self._looked_at < LOOK_AGAIN_S:
            return True
        self._looked_at = now
        return await run_in_threadpool(self._look) == self.viewer
