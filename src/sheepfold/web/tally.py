"""Files in which each of the processes that serve together counts, so that any of them can tell the sum."""

import logging
from pathlib import Path

from prometheus_client import values

FILE_BYTES = 2**19
"""Room for what is counted of all protocols and statuses, some 1,600 bytes of each: no file has to grow."""
_FILES = ("counter", "histogram")

_log = logging.getLogger(__name__)


def count_in(folder: Path, number: int) -> bool:
    """Have all metrics that this process makes from now on count in the files of a place, and go on from what its
    predecessor there had counted; False where the disk has no room for them, and the process counts for itself.

    The files are mapped into memory: the system kills a process with SIGBUS that writes to a page for which the disk
    has no room. So they are written whole before.
    """
    try:
        for name in _FILES:
            _fill(folder / f"{name}_{number}.db")
    except OSError as error:
        _log.warning("server=%d counts=alone reason=%s", number, error.strerror)
        values.ValueClass = values.MutexValue
        return False
    values.ValueClass = values.MultiProcessValue(lambda: number)  # type: ignore[no-untyped-call]
    return True


def _fill(path: Path) -> None:
    """Make a file of zeros, in which nothing was counted, unless it is there; no reader ever finds half of it."""
    if path.exists():
        return
    anew = path.with_suffix(".part")
    try:
        anew.write_bytes(bytes(FILE_BYTES))
        anew.replace(path)
    finally:
        anew.unlink(missing_ok=True)
