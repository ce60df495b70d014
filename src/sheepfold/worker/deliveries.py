"""Pictures and leases on their way back to the farm, from a thread of their own: nothing is lost while it is away."""

import errno
import logging
import random
import threading
from collections import deque
from collections.abc import Callable

from sheepfold.protocols.link import FarmRefused, FarmUnreachable
from sheepfold.worker.backoff import backoff_s
from sheepfold.worker.folder import Desk
from sheepfold.worker.line import Line
from sheepfold.worker.pulse import Pulse
from sheepfold.worker.stopping import Stop

MOST_WAITING = 3
"""How many pictures may wait before no new task is begun; a picture that waits too long is made for nothing."""
_PATIENCE_TRIES = 3
_CHUNK_BYTES = 256 * 1024
_NO_FILE_OPENS = {errno.EMFILE, errno.ENFILE, errno.ENOMEM}
_log = logging.getLogger(__name__)


class Deliveries:
    """A queue of closed desks; each is delivered until the farm has taken or refused it, and then cleared.

    What cannot be read is cleared, too; all other trouble puts it off.

    `refusal` says why the farm, or this program, will deliver no more; what waits then stays on the disk.
    """

    def __init__(self, line: Line, pulse: Pulse, stop: Stop) -> None:
        self._line = line
        self._pulse = pulse
        self._stop = stop
        self._changed = threading.Condition()
        self._waiting: deque[Desk] = deque()
        self._tries = 0
        self._has_delivered = False
        self._is_ending = False
        self._has_ended = False
        self.refusal = ""
        self._thread = threading.Thread(target=self._run, name="deliveries", daemon=True)
        self._thread.start()

    def put(self, desk: Desk) -> None:
        """Take over a desk whose outcome is written down."""
        with self._changed:
            self._waiting.append(desk)
            self._changed.notify_all()

    def wait_for_room(self) -> None:
        """Wait, before a claim, until a task may be begun, the worker is asked to stop, or the farm has refused."""
        self._wait_until(lambda: len(self._waiting) < MOST_WAITING)
        with self._changed:
            self._has_delivered = False

    def drain(self) -> bool:
        """Wait until nothing is waiting; returns whether nothing was, nor was delivered since the last claim.

        What was delivered while the farm said that there is no task may have freed one. Returns early when the worker
        is asked to stop or the farm has refused; raises FarmUnreachable when the farm stays away.
        """
        self._wait_until(lambda: not self._waiting or self._tries >= _PATIENCE_TRIES)
        if self._waiting and self._tries >= _PATIENCE_TRIES:
            raise FarmUnreachable(f"{len(self._waiting)} results wait for the farm.")
        return not self._has_delivered and not self._waiting

    def finish(self) -> int:
        """End the thread: each desk is tried once more, unless the stop is urgent; returns how many are left."""
        with self._changed:
            self._is_ending = True
            self._tries = 0
            self._changed.notify_all()
        with self._stop.telling(self._wake), self._changed:
            self._changed.wait_for(lambda: self._has_ended or self._stop.is_urgent)
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

    def _run(self) -> None:
        try:
            while (desk := self._next()) is not None:
                self._try(desk)
        except Exception as error:  # noqa: BLE001 -- the loop must hear of it
            _log.exception("deliveries_broken")
            self._refuse(f"Deliveries broke down: {error!r}")
        finally:
            with self._changed:
                self._has_ended = True
                self._changed.notify_all()

    def _next(self) -> Desk | None:
        """Wait for the desk that waits longest; None at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._is_ending)
            is_over = self._stop.is_urgent or (self._is_ending and self._tries)
            return self._waiting[0] if self._waiting and not is_over else None

    def _try(self, desk: Desk) -> None:
        try:
            self._line.open()
            self.deliver(desk)
        except FarmUnreachable as error:
            self._line.lost()
            self._put_off(error)
        except FarmRefused as error:
            self._refuse(str(error))
        except OSError as error:
            self._put_off_unless_lost(desk, error)
        except Exception as error:  # noqa: BLE001 -- an unattended worker outlives an odd farm, and bugs of ours
            _log.exception("delivery_broken lease=%s", desk.work.handle)
            self._line.lost()
            self._put_off(FarmUnreachable(f"A delivery broke down: {error!r}"))
        else:
            self._done()

    def _put_off_unless_lost(self, desk: Desk, error: OSError) -> None:
        if not _is_lost(desk):
            self._put_off(FarmUnreachable(str(error)))
            return
        _log.error("result_lost lease=%s error=%s", desk.work.handle, error)
        self._pulse.forget(desk.name)
        desk.clear()
        self._done()

    def _done(self) -> None:
        with self._changed:
            self._waiting.popleft()
            self._tries = 0
            self._has_delivered = True
            self._changed.notify_all()

    def _put_off(self, error: FarmUnreachable) -> None:
        """Wait before the next try, which is another desk's, lest one that the farm fails on holds up all."""
        with self._changed:
            self._waiting.rotate(-1)
            self._tries += 1
            self._changed.notify_all()
            seconds = backoff_s(self._tries, error.retry_after_s, random.random())  # noqa: S311 -- no secret
            _log.warning("undelivered waiting=%d retry_s=%.0f error=%s", len(self._waiting), seconds, error)
            self._changed.wait_for(lambda: self._is_ending, seconds)

    def _refuse(self, message: str) -> None:
        with self._changed:
            self.refusal = message
            self._is_ending = True
            self._tries = 1
            self._changed.notify_all()

    def _wait_until(self, is_so: Callable[[], bool]) -> None:
        with self._stop.telling(self._wake), self._changed:
            self._changed.wait_for(lambda: is_so() or self.refusal or self._stop.is_asked)

    def _wake(self) -> None:
        with self._changed:
            self._changed.notify_all()


def _is_lost(desk: Desk) -> bool:
    """Say whether a picture cannot be read, or a log where there is none; where no file opens at all, nobody knows."""
    try:
        with (desk.picture if desk.picture.exists() else desk.log).open("rb") as file:
            while file.read(_CHUNK_BYTES):
                pass
    except FileNotFoundError:
        return False
    except OSError as error:
        return error.errno not in _NO_FILE_OPENS
    return False
