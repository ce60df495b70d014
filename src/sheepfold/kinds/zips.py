"""Opening a stranger's zip: Python's reader gets no table of contents that no honest archive has."""

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
_ENTRY = struct.Struct("<4s24x3H12x")  # how long its name, extra fields and comment are: APPNOTE 6.3.10, section 4.3.12
_ENTRY_MAGIC = b"PK\x01\x02"
_FIELD = struct.Struct("<2H")
_MOST_FIELDS = 16  # packers write one to four; Python reads them in a time that grows as the square of their number


@contextmanager
def opened(path: Path, most_files: int) -> Iterator[zipfile.ZipFile]:
    """Open a zip.

    Raises InvalidSpec where it holds more files, without looking at them, or where its table of contents is no table,
    and what DAMAGE names.
    """
    with _Careful(path, most_files) as file, zipfile.ZipFile(file) as archive:
        file.is_table_read = True
        yield archive


def extra_fields(extra: bytes) -> list[tuple[int, bytes]]:
    """Return a file's extra fields, each with its sort; raises InvalidSpec where no packer wrote them."""
    fields: list[tuple[int, bytes]] = []
    at = 0
    while len(extra) - at >= _FIELD.size and len(fields) <= _MOST_FIELDS:
        sort, size_bytes = _FIELD.unpack_from(extra, at)
        at += _FIELD.size + size_bytes
        fields.append((sort, extra[at - size_bytes : at]))
    if len(fields) > _MOST_FIELDS or at > len(extra) or any(extra[at:]):
        raise InvalidSpec("A file in the archive has extra fields that are too many or run over their end; pack it"
                          " anew, by `zip -r` or 7-Zip for instance.")
    return fields


class _Careful(io.BufferedReader):
    """A zip of which ZipFile gets no table of contents that is monstrous: it would make half a kilobyte of each entry.

    Nothing else in a zip is read in one piece as long as such a table. Where the last entry says that it goes on
    behind the table, ZipFile cuts it, and others read on in the archive's end and its comment.
    """

    def __init__(self, path: Path, most_files: int) -> None:
        super().__init__(io.FileIO(path))
        self._most_files = most_files
        self.is_table_read = False

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > _TABLE_BYTES:
            raise InvalidSpec("The archive's table of contents is too large; pack it anew, by `zip -r` for instance.")
        content = super().read(size)
        if not self.is_table_read and size is not None and content.startswith(_ENTRY_MAGIC):
            self._check_table(content)
        return content

    def _check_table(self, content: bytes) -> None:
        at = files = 0
        while len(content) - at >= _ENTRY.size:
            magic, name_bytes, extra_bytes, comment_bytes = _ENTRY.unpack_from(content, at)
            if magic != _ENTRY_MAGIC:
                break
            at += _ENTRY.size + name_bytes + extra_bytes
            extra_fields(content[at - extra_bytes : at])
            at += comment_bytes
            files += 1
        if files > self._most_files:
            raise InvalidSpec(f"The archive holds {files} files; {self._most_files} are allowed.")
        if at != len(content):
            raise InvalidSpec("The archive's table of contents is damaged: what it lists does not end where it does."
                              " Pack it anew, by `zip -r` or 7-Zip for instance.")
