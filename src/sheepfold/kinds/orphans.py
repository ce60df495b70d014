"""A pool's children: they end with their parent, however that ended, and may give way to it."""

import os
import threading
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context, parent_process
from multiprocessing.connection import wait

HUMBLE_NICE = 10
"""How much children that nobody waits for give way, in the system's own measure of 0 to 19."""


class HumblePool(ProcessPoolExecutor):
    """Processes that give way to all others, and end with their parent, or as soon as it wants no more of them."""

    def __init__(self, processes: int) -> None:
        super().__init__(processes, mp_context=get_context("spawn"), initializer=begin_humbly)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the processes in the middle of what they do."""
        for process in list((self._processes or {}).values()):
            process.terminate()
        super().shutdown(wait, cancel_futures=cancel_futures)


def begin_humbly() -> None:
    """Have this process end with its parent, and take the processor only when its parent and others leave it."""
    os.nice(HUMBLE_NICE)
    end_with_parent()


def end_with_parent() -> None:
    """Have this process end as soon as its parent has; what a process pool's children do first.

    A child of a pool waits for work on a pipe whose other end it holds itself: without this, killing a server would
    leave its children waiting for ever.
    """
    parent = parent_process()
    if parent is not None:
        threading.Thread(target=_end_after, args=(parent.sentinel,), name="end with parent", daemon=True).start()


def _end_after(sentinel: int) -> None:
    wait([sentinel])
    os._exit(1)
