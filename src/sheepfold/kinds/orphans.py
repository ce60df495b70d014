"""A pool's children: they end with their parent, however that ended, and may give way to it."""

import os
import threading
from multiprocessing import parent_process
from multiprocessing.connection import wait

HUMBLE_NICE = 10
"""How much children that nobody waits for give way, in the system's own measure of 0 to 19."""


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
