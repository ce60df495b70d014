"""What all parts ask of files and folders: that they are on the disk for good, and nobody else's."""

import os
import sys
from pathlib import Path


def sync(path: Path) -> None:
    """See that a file, or the names in a folder, are on the disk; Windows does that with folders by itself."""
    if sys.platform == "win32" and path.is_dir():
        return
    descriptor = os.open(path, os.O_RDWR if sys.platform == "win32" else os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_private_folder(folder: Path) -> None:
    """Make a folder for its user alone where there is none, whatever the umask lets; one that is there stays as it is.

    A farm's database has secrets in it that open something: those of webhooks, and what factories answer with.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
