"""Passing folders: where an operation works on files, in the spool, and which go with its end."""

import errno
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sheepfold.blobs.spool import translated_os_errors
from sheepfold.farm.farm import Farm

OF_THE_MACHINE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS,
                            errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN})  # fmt: skip
"""Errors that are no word about a file, such as a full disk's."""


@contextmanager
def passing_folder(farm: Farm, purpose: str) -> Iterator[Path]:
    """Give an empty folder, which is removed at the end; a crash leaves it behind for `sweep_folders`.

    Raises StoreUnavailable where it cannot be made, and in the place of an error within that is the machine's, such as
    a full disk. Others, such as FileNotFoundError, stay as they are.
    """
    with translated_os_errors("make a folder"):
        folder = Path(tempfile.mkdtemp(prefix=f"{purpose}-", dir=farm.spool_folder))
    try:
        yield folder
    except OSError as error:
        if error.errno not in OF_THE_MACHINE:
            raise
        with translated_os_errors("work on files"):
            raise
    finally:
        shutil.rmtree(folder, ignore_errors=True)
