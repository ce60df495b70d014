"""Turns of those who write to one SQLite database, in however many processes: a lock on its folder.

It wakes who waits at once; SQLite's own would have them look again ever more seldom.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import make_url


class Turns:
    """The place of one thread among all writers of a database."""

    def __init__(self, url: str) -> None:
        folder = Path(str(make_url(url).database)).parent
        self._lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Have the turn for the block; waits for it."""
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(self._lock, fcntl.LOCK_UN)

    def close(self) -> None:
        """Leave for good."""
        os.close(self._lock)
