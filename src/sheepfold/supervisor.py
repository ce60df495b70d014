"""Several processes that serve a farm together, and who starts them anew when they die.

Python runs one thread of a process at a time, so one server never uses more than one core. Servers are strangers to
each other but for the database, the doors at which all of them listen, and a folder for what is counted.
"""

import fcntl
import logging
import os
import shutil
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from multiprocessing import get_context
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from pathlib import Path

from sheepfold.app import SHARED
from sheepfold.kinds.orphans import end_with_parent

BEAT_S = 0.2
HEALTHY_S = 60.0
"""A process that lived so long is started anew at once; one that dies sooner waits, twice as long each time."""
FIRST_WAIT_S, LONGEST_WAIT_S = 0.5, 5.0
END_S = 30.0
"""How long processes may take to end before they are killed."""
YOUNG_S = 60
"""How old a shared folder is at least that is nobody's any more."""
_PREFIX = "sheepfold-shared-"

_log = logging.getLogger(__name__)
_processes = get_context("spawn")


def supervise(shares: Sequence[Callable[[], None]], note_death: Callable[[int], None]) -> None:
    """Run each share in a process of its own until SIGINT or SIGTERM, and anew whenever it dies.

    `note_death` is told the place among them of each that dies, before. A share can be pickled; it ends in order at
    SIGTERM. All processes end with this one, however it ends.
    """
    ended = threading.Event()
    for sign in (signal.SIGINT, signal.SIGTERM):
        signal.signal(sign, lambda *_: ended.set())
    with _shared_folder():
        seats = [_Seat(number, share, partial(note_death, number - 1)) for number, share in enumerate(shares, 1)]
        while not ended.is_set():
            for seat in seats:
                seat.keep()
            wait([seat.process.sentinel for seat in seats if seat.process is not None], BEAT_S)
        for seat in seats:
            seat.tell_end()
        for seat in seats:
            seat.end()


@contextmanager
def _shared_folder() -> Iterator[None]:
    """Have a folder for what the processes count, in SHARED while the block runs; none where it cannot be made.

    Its lock says that it is used: folders of which nobody holds the lock any more are removed.
    """
    with ExitStack() as stack:
        try:
            _sweep_shared()
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix=_PREFIX, ignore_cleanup_errors=True))
            lock = os.open(folder, os.O_RDONLY)
            stack.callback(os.close, lock)
            fcntl.flock(lock, fcntl.LOCK_EX)
        except OSError as error:
            _log.warning("servers=%s reason=%s", "each counts for itself", error)
        else:
            os.environ[SHARED] = folder
            stack.callback(os.environ.pop, SHARED)
        yield


def _sweep_shared() -> None:
    """Remove the folders of those who were killed; who began within the last minute may be about to take its lock."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with suppress(OSError):  # another user's, say, or in use
            lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if os.fstat(lock).st_mtime < time.time() - YOUNG_S:
                    shutil.rmtree(folder)
            finally:
                os.close(lock)


class _Seat:
    """A place for one process at a time."""

    def __init__(self, number: int, share: Callable[[], None], note_death: Callable[[], None]) -> None:
        self.process: BaseProcess | None = None
        self._number = number
        self._share = share
        self._note_death = note_death
        self._started_at = 0.0
        self._wait_s = 0.0

    def keep(self) -> None:
        """See that the process lives, or soon will again, also where it cannot be started now."""
        if self.process is not None and not self.process.is_alive():
            self._note_death()
            self._mourn(self.process)
            self.process = None
        if self.process is None and time.monotonic() >= self._started_at + self._wait_s:
            self._begin()

    def _begin(self) -> None:
        self._started_at = time.monotonic()
        process = _processes.Process(target=_run, args=(self._share,), name=f"server {self._number}")
        try:
            process.start()
        except OSError as error:  # no memory, say, or no room for another process: the others serve on
            self._wait_s = self._longer_wait_s()
            _log.warning("server=%d not_started=%s", self._number, error)
        else:
            self.process = process

    def _mourn(self, process: BaseProcess) -> None:
        lived_s = time.monotonic() - self._started_at
        self._wait_s = 0.0 if lived_s >= HEALTHY_S else self._longer_wait_s()
        _log.warning("server=%d died=%s after_s=%.1f", self._number, process.exitcode, lived_s)

    def _longer_wait_s(self) -> float:
        return min(LONGEST_WAIT_S, max(FIRST_WAIT_S, self._wait_s * 2))

    def tell_end(self) -> None:
        """Ask the process to end."""
        if self.process is not None:
            self.process.terminate()

    def end(self) -> None:
        """Wait for the process to end, and make it where it does not."""
        if self.process is not None:
            self.process.join(END_S)
            self.process.kill()
            self.process.join()


def _run(share: Callable[[], None]) -> None:
    end_with_parent()
    share()
