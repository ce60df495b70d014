"""Pictures and leases on their way back to the farm, from a thread of their own: nothing is lost while it is away."""

import logging
import random
import threading
from collections import deque
from typing import Any

from sheepfold.protocols.link import FarmRefused, FarmUnreachable
from sheepfold.worker.backoff import backoff_s
from sheepfold.worker.folder import Desk
from sheepfold.worker.line import Line
from sheepfold.worker.pulse import Pulse
from sheepfold.worker.stopping import Stop

MOST_WAITING = 3
"""How many pictures may wait before no new task is begun; a picture that waits too long is made for nothing."""
_PATIENCE_TRIES = 3
_log = logging.getLogger(__name__)


class Deliveries:
    """A queue of closed desks; each is delivered until the farm has taken or refused it, and then cleared.

    `refusal` says why the farm, or this program, will deliver no more; what waits then stays on the disk.
    """

    def __init__(self, line: Line, pulse: Pulse, stop: Stop) -> None:
        self._line = line
        self._pulse = pulse
        self._stop = stop
        self._changed = threading.Condition()
        self._waiting: deque[Desk] = deque()
        self._tries = 0
        self._is_ending = False
        self.refusal = ""
        self._thread = threading.Thread(target=self._run, name="deliveries", daemon=True)
        self._thread.start()

    def put(self, desk: Desk) -> None:
        """Take over a desk whose outcome is written down."""
        with self._changed:
            self._waiting.append(desk)
            self._changed.notify_all()

    def wait_for_room(self) -> None:
        """Wait until a new task may be begun, the worker is asked to stop, or the farm has refused."""
        self._wait_until(lambda: len(self._waiting) < MOST_WAITING)

    def drain(self) -> bool:
        """Wait until nothing is waiting; returns whether nothing was from the start.

        Returns early when the worker is asked to stop or the farm has refused; raises FarmUnreachable when the farm
        stays away.
        """
        was_empty = not self._waiting
        self._wait_until(lambda: not self._waiting or self._tries >= _PATIENCE_TRIES)
        if self._waiting and self._tries >= _PATIENCE_TRIES:
            raise FarmUnreachable(f"{len(self._waiting)} results wait for the farm.")
        return was_empty

    def finish(self) -> int:
        """End the thread: each desk is tried once more, unless the stop is urgent; returns how many are left."""
        with self._changed:
            self._is_ending = True
            self._changed.notify_all()
        with self._stop.telling(self._wake), self._changed:
            self._changed.wait_for(lambda: not self._thread.is_alive() or not self._waiting or self._stop.is_urgent)
            return len(self._waiting)

    def deliver(self, desk: Desk) -> None:
        """Deliver a desk in the caller's thread and clear it; raises FarmUnreachable, FarmRefused, OSError."""
        work, outcome = desk.work, desk.outcome()
        if outcome.has_picture:
            receipt = self._line.link.submit(work, desk.picture, outcome.figures)
            _log.info("submitted lease=%s frame=%d part=%d receipt=%s", work.handle, work.frame, work.part, receipt)
        else:
            log = desk.log if desk.log.is_file() else None
            self._line.link.give_up(work, outcome.reason, log, failed=outcome.failed)
            _log.info("given_back lease=%s frame=%d failed=%s reason=%s", work.handle, work.frame, outcome.failed,
                      outcome.reason)
        self._pulse.forget(desk.name)
        desk.clear()
