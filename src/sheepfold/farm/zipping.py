"""A zip that is written in one go to a line that cannot be sought in, its table of contents in a file until the end.

Python's own writer keeps an object for each member until then: 350 MB for a job of a million frames. What is written
here is told in APPNOTE.TXT of PKWARE, 4.3 and 4.5: members stored as they are, their checksums behind them.
"""

import struct
import zlib
from collections.abc import Iterator
from typing import IO

CHUNK_BYTES = 2**20
_LOCAL = struct.Struct("<4s5H3L2H")
_CENTRAL = struct.Struct("<4s6H3L5H2L")
_ZIP64_END = struct.Struct("<4sQ2H2L4Q")
_ZIP64_PLACE = struct.Struct("<4sLQL")
_END = struct.Struct("<4s4H2LH")
_VERSION, _UNIX = 45, 3 << 8
_CHECKSUM_BEHIND = 0x08
_DATE, _TIME = 1 << 5 | 1, 0  # 1980-01-01, the first that a zip can say: the same members are the same zip
_MODE = 0o100644 << 16
_ALL_16, _ALL_32 = 2**16 - 1, 2**32 - 1


class Zip:
    """A zip under way: `begin`, `add` and `end` return what is to be written of each member, `finish` what of all."""

    def __init__(self, contents: IO[bytes]) -> None:
        """Gather the table of contents in an empty file, which is read again at the end."""
        self._contents = contents
        self._members = 0
        self._at = 0
        self._name = b""
        self._is_large = False
        self._crc = 0
        self._begun_at = 0
        self._size_bytes = 0

    def begin(self, name: str, size_bytes: int) -> bytes:
        """Begin a member of a name in ASCII, which will have so many bytes."""
        self._name, self._begun_at, self._crc, self._size_bytes = name.encode("ascii"), self._at, 0, 0
        self._is_large = size_bytes >= _ALL_32
        extra = struct.pack("<2H2Q", 1, 16, 0, 0) if self._is_large else b""
        sizes = _ALL_32 if self._is_large else 0
        head = _LOCAL.pack(b"PK\3\4", _VERSION, _CHECKSUM_BEHIND, 0, _TIME, _DATE, 0, sizes, sizes, len(self._name),
                           len(extra))
        return self._written(head + self._name + extra)

    def add(self, chunk: bytes) -> bytes:
        """Add bytes to the member that was begun."""
        self._crc = zlib.crc32(chunk, self._crc)
        self._size_bytes += len(chunk)
        return self._written(chunk)

    def end(self) -> bytes:
        """End the member that was begun."""
        sizes = struct.pack("<2Q" if self._is_large else "<2L", self._size_bytes, self._size_bytes)
        self._contents.write(self._entry())
        self._members += 1
        return self._written(b"PK\7\10" + struct.pack("<L", self._crc) + sizes)

    def finish(self) -> Iterator[bytes]:
        """Yield the table of contents."""
        begun_at, length = self._at, self._contents.tell()
        self._contents.seek(0)
        while chunk := self._contents.read(CHUNK_BYTES):
            yield self._written(chunk)
        yield self._last(begun_at, length)

    def _written(self, data: bytes) -> bytes:
        self._at += len(data)
        return data

    def _entry(self) -> bytes:
        large = [self._size_bytes, self._size_bytes] if self._is_large else []
        large += [self._begun_at] if self._begun_at >= _ALL_32 else []
        extra = struct.pack(f"<2H{len(large)}Q", 1, 8 * len(large), *large) if large else b""
        size = _ALL_32 if self._is_large else self._size_bytes
        head = _CENTRAL.pack(b"PK\1\2", _UNIX | _VERSION, _VERSION, _CHECKSUM_BEHIND, 0, _TIME, _DATE, self._crc, size,
                             size, len(self._name), len(extra), 0, 0, 0, _MODE, min(self._begun_at, _ALL_32))
        return head + self._name + extra

    def _last(self, begun_at: int, length: int) -> bytes:
        ended_at, members = self._at, self._members
        far = b""
        if members >= _ALL_16 or ended_at >= _ALL_32:
            far = _ZIP64_END.pack(b"PK\6\6", _ZIP64_END.size - 12, _UNIX | _VERSION, _VERSION, 0, 0, members, members,
                                  length, begun_at)
            far += _ZIP64_PLACE.pack(b"PK\6\7", 0, ended_at, 1)
        count = min(members, _ALL_16)
        return far + _END.pack(b"PK\5\6", 0, 0, count, count, min(length, _ALL_32), min(begun_at, _ALL_32), 0)
