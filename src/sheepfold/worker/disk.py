"""The disk of the work folder: whether it is full, which is tried, as no figure tells of quotas."""

import errno
import os
import shutil
import tempfile
from pathlib import Path

SPARE_BYTES = 16 * 2**20
"""With less room no task is begun, and a render that fails is taken to have failed for want of it."""
AMPLE_BYTES = 2**30
"""With so much free nothing is tried where that would mean to write SPARE_BYTES before each task."""
_FULL = {errno.ENOSPC, errno.EDQUOT}


class NoRoom(Exception):
    """The machine's disk has no room for a task."""


def is_full(error: OSError) -> bool:
    """Say whether an error is the system's word that a disk, or what we may use of it, is full."""
    return error.errno in _FULL


def has_room(folder: Path) -> bool:
    """Say whether SPARE_BYTES more could be written to a folder; what else may be wrong with it is not asked."""
    try:
        if not hasattr(os, "posix_fallocate") and shutil.disk_usage(folder).free > AMPLE_BYTES:
            return True
        with tempfile.TemporaryFile(dir=folder) as file:
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(file.fileno(), 0, SPARE_BYTES)
            else:
                file.write(bytes(SPARE_BYTES))
    except OSError as error:
        return not is_full(error)
    return True
