"""Opening a stranger's zip: no table of contents is taken into memory that no honest archive has."""

import io
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sheepfold.model.errors import InvalidSpec

DAMAGE = (zipfile.BadZipFile, NotImplementedError, EOFError, ValueError, RuntimeError, OverflowError, struct.error,
          zlib.error)  # fmt: skip
"""What Python's readers of archives raise on hostile bytes, beside errors of the system."""

_TABLE_BYTES = 32 * 2**20
_ENTRY_MAGIC, _ENTRY_BYTES = b"PK\x01\x02", 46  # at the least, by section 4.3.12 of PKWARE's APPNOTE 6.3.10


@contextmanager
def opened(path: Path, most_files: int) -> Iterator[zipfile.ZipFile]:
    """Open a zip. Raises InvalidSpec where it holds more files, without looking at them, and what DAMAGE names."""
    with _Careful(path, most_files) as file, zipfile.ZipFile(file) as archive:
        yield archive


class _Careful(io.BufferedReader):
    """A zip of which ZipFile gets no table of contents that is monstrous: it would make half a kilobyte of each entry.

    Nothing else in a zip is read in one piece as long as such a table.
    """

    def __init__(self, path: Path, most_files: int) -> None:
        super().__init__(io.FileIO(path))
        self._most_files = most_files

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > _TABLE_BYTES:
            raise zipfile.BadZipFile("its table of contents is too large")
        content = super().read(size)
        if size is not None and size > self._most_files * _ENTRY_BYTES:
            files = content.count(_ENTRY_MAGIC)
            if files > self._most_files:
                raise InvalidSpec(f"The archive holds {files} files; {self._most_files} are allowed.")
        return content
