"""Which cores of the machine a server runs on, and the programs that it starts.

Python runs one thread of a process at a time. Those that run on several cores hand each other its lock, and what a core
remembers, from one to the other (docs/decisions/0031-fair-shares.md). What a server starts has no part in that.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_given: set[int] = set()
"""The cores that this process may use, where it keeps to some of them."""


def keep_to_share(number: int, of: int) -> None:
    """Run this thread, and threads that it begins, on one share of the cores, of as many as servers serve together.

    Nothing happens for one server alone, where there are fewer cores than servers, and on systems other than Linux.
    """
    if sys.platform == "linux":
        cores = sorted(os.sched_getaffinity(0))
        if 1 < of <= len(cores):
            with suppress(OSError):  # where a service may not
                os.sched_setaffinity(0, cores[number::of])
                _given.update(cores)


@contextmanager
def all_cores() -> Iterator[None]:
    """Have a program that this thread starts in the block run on all cores that this process may use."""
    if not _given or sys.platform != "linux":
        yield
        return
    kept = os.sched_getaffinity(0)
    os.sched_setaffinity(0, _given)
    try:
        yield
    finally:
        os.sched_setaffinity(0, kept)
