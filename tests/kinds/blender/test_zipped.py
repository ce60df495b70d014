"""Zips that one reader sees otherwise than another are refused; what packers write is taken."""

import io
import os
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from sheepfold.kinds.blender.project import Contents, look_into, read_through
from sheepfold.model.errors import InvalidSpec

BLEND = b"BLENDER-v402RENDH" + bytes(100)
NAME = b"a.blend"
EVIL = b"../../evil"


def local(name: bytes, packed: bytes, *, flags: int = 0, method: int = 0, extra: bytes = b"", size: int | None = None,
          packed_bytes: int | None = None, crc: int | None = None) -> bytes:
    """Write a file with its own header, which says what is asked for."""
    head = struct.pack("<4s5H3I2H", b"PK\3\4", 20, flags, method, 0, 33, zlib.crc32(packed) if crc is None else crc,
                       len(packed) if packed_bytes is None else packed_bytes, len(packed) if size is None else size,
                       len(name), len(extra))
    return head + name + extra + packed


def told(name: bytes, packed: bytes, at: int = 0, *, flags: int = 0, method: int = 0, extra: bytes = b"",
         size: int | None = None, crc: int | None = None) -> bytes:
    """Write a file's entry in the table of contents."""
    head = struct.pack("<4s6H3I5H2I", b"PK\1\2", 0x314, 20, flags, method, 0, 33,
                       zlib.crc32(packed) if crc is None else crc, len(packed), len(packed) if size is None else size,
                       len(name), len(extra), 0, 0, 0, 0o644 << 16, at)
    return head + name + extra


def zipped(files: bytes, contents: bytes, count: int = 1, comment: bytes = b"", disk: int = 0) -> bytes:
    end = struct.pack("<4s4H2IH", b"PK\5\6", disk, disk, count, count, len(contents), len(files), len(comment))
    return files + contents + end + comment


def wide(at: int, count: int = 1, disk: int = 0, more: bytes = b"", **other: int) -> bytes:
    """Write zip64's end and what leads to it."""
    end = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44 + len(more), 45, 45, disk, disk, count, count,
                      len(told(NAME, BLEND)), other.get("place", len(local(NAME, BLEND)))) + more
    return end + struct.pack("<4sLQL", b"PK\6\7", 0, other.get("said", at), 1)


def second_name(name: bytes) -> bytes:
    return struct.pack("<HHBI", 0x7075, 5 + len(name), 1, zlib.crc32(NAME)) + name


def deflated(content: bytes) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    return packer.compress(content) + packer.flush()


HIDDEN = local(EVIL, b"x")
ZEROS = deflated(bytes(2**22))
TWICE = BLEND + HIDDEN
LATE = deflated(BLEND) + struct.pack("<4s3I", b"PK\7\10", zlib.crc32(BLEND), len(deflated(BLEND)), len(BLEND)) + HIDDEN
PLAIN = zipped(local(NAME, BLEND), told(NAME, BLEND))
OTHER_END = told(EVIL, b"x", len(local(NAME, BLEND)))
HOSTILE = {
    "a file that no table names": zipped(local(NAME, BLEND) + HIDDEN, told(NAME, BLEND)),
    "a file before the first": zipped(HIDDEN + local(NAME, BLEND), told(NAME, BLEND, len(HIDDEN))),
    "another name at its own place": zipped(local(b"../evil", BLEND), told(NAME, BLEND)),
    "a second name in the table": zipped(local(NAME, BLEND), told(NAME, BLEND, extra=second_name(b"../evil"))),
    "a second name at its own place": zipped(local(NAME, BLEND, extra=second_name(b"../evil")), told(NAME, BLEND)),
    "two tables": PLAIN[:-22] + told(NAME, BLEND) + PLAIN[-22:],
    "another end in its comment": zipped(local(NAME, BLEND), told(NAME, BLEND), comment=OTHER_END + PLAIN[-22:]),
    "bytes behind its end": PLAIN + bytes(100),
    "a comment that is not there": PLAIN[:-2] + b"\1\0",
    "shorter at its own place": zipped(local(NAME, TWICE, size=len(BLEND), packed_bytes=len(BLEND)), told(NAME, TWICE)),
    "shorter in a zip64 field": zipped(
        local(NAME, TWICE, size=2**32 - 1, packed_bytes=2**32 - 1,
              extra=struct.pack("<HHQQ", 1, 16, len(BLEND), len(BLEND))), told(NAME, TWICE)),
    "a file behind the end of a stream": zipped(
        local(NAME, LATE, flags=8, method=8, size=0, packed_bytes=0, crc=0),
        told(NAME, LATE, flags=8, method=8, size=len(BLEND), crc=zlib.crc32(BLEND))),
    "plain bytes without an end": zipped(local(NAME, TWICE, flags=8, size=0, packed_bytes=0),
                                         told(NAME, TWICE, flags=8)),
    "more than it says": zipped(
        local(NAME, ZEROS, method=8, size=100, crc=zlib.crc32(bytes(100))),
        told(NAME, ZEROS, method=8, size=100, crc=zlib.crc32(bytes(100)))),
    "another checksum": zipped(local(NAME, BLEND, crc=1), told(NAME, BLEND, crc=1)),
    "two files of one place": zipped(local(NAME, BLEND), told(NAME, BLEND) + told(NAME[:-1] + b"x", BLEND), 2),
    "other numbers of files": zipped(local(NAME, BLEND), told(NAME, BLEND), 9),
    "several disks": zipped(local(NAME, BLEND), told(NAME, BLEND), disk=3),
    "far too far away": zipped(local(NAME, BLEND), told(NAME, BLEND, 2**31)),
    "a folder with bytes": zipped(local(NAME, BLEND) + local(b"d/", b"x"),
                                  told(NAME, BLEND) + told(b"d/", b"x", len(local(NAME, BLEND))), 2),
    **{f"named {name!r}": zipped(local(NAME, BLEND) + local(name, b"x", flags=0x800),
                                 told(NAME, BLEND) + told(name, b"x", len(local(NAME, BLEND)), flags=0x800), 2)
       for name in (b"", b".", b"/", b".. /x", b"a/.. /b", b". ./x", b"...", b"../", b"..\\x", b"a\r\nb", b"C:x")},
}


def taken(path: Path, archive: bytes) -> Contents:
    path.write_bytes(archive)
    contents = look_into(path)
    read_through(path)
    return contents
SIZE = struct.pack("<HHQ", 1, 8, len(BLEND))
HOSTILE |= {
    **{f"a file that its own header locks by {flags:#x}": zipped(local(NAME, BLEND, flags=flags), told(NAME, BLEND))
       for flags in (0x1, 0x20, 0x40, 0x2000)},
    **{f"a file that the table locks by {flags:#x}": zipped(local(NAME, BLEND, flags=flags),
                                                          told(NAME, BLEND, flags=flags))
       for flags in (0x20, 0x40, 0x2000)},
    "a name in one encoding here and in another there": zipped(
        local("\u00e9.blend".encode(), BLEND, flags=0x800), told("\u00e9.blend".encode(), BLEND)),
    "another checksum in its own header": zipped(local(NAME, BLEND, crc=5), told(NAME, BLEND)),
    "sixteen bytes that nothing announces": zipped(local(NAME, BLEND) + bytes(16), told(NAME, BLEND)),
    "two sizes": zipped(local(NAME, BLEND, extra=SIZE * 2), told(NAME, BLEND, extra=SIZE * 2)),
}


LEFT_TO_WIDE = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 2**16 - 1, 2**16 - 1, 2**32 - 1, 2**32 - 1, 0)
WIDE_AT = len(PLAIN) - 22
HOSTILE |= {
    "zip64 without its end": PLAIN[:-22] + LEFT_TO_WIDE,
    "other numbers of files in zip64's end": PLAIN[:-22] + wide(WIDE_AT, 2) + PLAIN[-22:],
    "another table in zip64's end": PLAIN[:-22] + wide(WIDE_AT, place=0) + PLAIN[-22:],
    "several disks in zip64's end": PLAIN[:-22] + wide(WIDE_AT, disk=1) + LEFT_TO_WIDE,
    "zip64's end elsewhere": PLAIN[:-22] + wide(WIDE_AT, said=0) + LEFT_TO_WIDE,
    "more than zip64's end holds": PLAIN[:-22] + wide(WIDE_AT, more=bytes(20)) + LEFT_TO_WIDE,
    "another number of files before zip64 is asked": PLAIN[:-22] + wide(WIDE_AT) + LEFT_TO_WIDE[:8] + b"\2\0\2\0" +
                                                     LEFT_TO_WIDE[12:],
}


@pytest.mark.parametrize("what", HOSTILE)
def test_an_archive_that_is_not_one_thing_to_all_is_refused(what: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidSpec):
        taken(tmp_path / "project.zip", HOSTILE[what])


class Pipe(io.BytesIO):
    """Where nothing can be put right afterwards."""

    def seekable(self) -> bool:
        return False

    def tell(self) -> int:
        raise OSError


def by_pipe() -> bytes:
    target = Pipe()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.blend", BLEND)
        archive.writestr("noise", os.urandom(3 * 2**20))
    return target.getvalue()


def by_hand() -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        with archive.open("a.blend", "w", force_zip64=True) as file:
            file.write(BLEND)
        archive.writestr("zeros", bytes(2**20))
        archive.writestr("one more", bytes(2**20 + 1))
        archive.comment = b"hello"
    return target.getvalue()


def by_zip64() -> bytes:
    """Pack with zip64's end, as programs do that cannot know how much comes; the old end leaves all to it."""
    return PLAIN[:-22] + wide(len(PLAIN) - 22) + LEFT_TO_WIDE


def half_by_zip64() -> bytes:
    """Pack as Info-ZIP does by `zip -fz`: the old end leaves but the table's place to zip64's."""
    old = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 1, 1, len(told(NAME, BLEND)), 2**32 - 1, 0)
    return PLAIN[:-22] + wide(len(PLAIN) - 22) + old


@pytest.mark.parametrize("pack", [lambda: PLAIN, by_pipe, by_hand, by_zip64, half_by_zip64])
def test_what_packers_write_is_taken(pack: Callable[[], bytes], tmp_path: Path) -> None:
    assert taken(tmp_path / "project.zip", pack()).main.endswith(".blend")


def test_an_odd_end_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(InvalidSpec, match="zip -r"):
        taken(tmp_path / "project.zip", PLAIN + bytes(100))
