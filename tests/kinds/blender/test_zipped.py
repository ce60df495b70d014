"""Zips that one reader sees otherwise than another are refused; what packers write is taken."""

import io
import os
import struct
import zipfile
import zlib
from collections.abc import Callable
from functools import partial
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
         size: int | None = None, crc: int | None = None, more_bytes: tuple[int, int, int] = (0, 0, 0),
         disk: int = 0) -> bytes:
    """Write a file's entry in the table of contents; it may say that its name, extra fields or comment go on."""
    head = struct.pack("<4s6H3I5H2I", b"PK\1\2", 0x314, 20, flags, method, 0, 33,
                       zlib.crc32(packed) if crc is None else crc, len(packed), len(packed) if size is None else size,
                       len(name) + more_bytes[0], len(extra) + more_bytes[1], more_bytes[2], disk, 0,
                       0o100644 << 16, at)
    return head + name + extra


def zipped(files: bytes, contents: bytes, count: int = 1, comment: bytes = b"", disk: int = 0) -> bytes:
    end = struct.pack("<4s4H2IH", b"PK\5\6", disk, disk, count, count, len(contents), len(files), len(comment))
    return files + contents + end + comment


def wide(at: int, count: int = 1, disk: int = 0, more: bytes = b"", **other: int) -> bytes:
    """Write zip64's end and what leads to it."""
    end = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44 + len(more), 45, 45, disk, disk, count, count,
                      len(told(NAME, BLEND)), other.get("place", len(local(NAME, BLEND)))) + more
    return end + struct.pack("<4sLQL", b"PK\6\7", 0, other.get("said", at), other.get("disks", 1))


def field(sort: int, content: bytes = b"") -> bytes:
    return struct.pack("<HH", sort, len(content)) + content


def second_name(name: bytes) -> bytes:
    return field(0x7075, struct.pack("<BI", 1, zlib.crc32(NAME)) + name)


def attributes(mode: int) -> bytes:
    """Write libarchive's copy of what the table of contents says of a file."""
    return field(0x6C78, struct.pack("<BHHL", 7, 0x314, 0, mode << 16))


def with_fields(*, here: bytes = b"", in_table: bytes = b"") -> bytes:
    return zipped(local(NAME, BLEND, extra=here), told(NAME, BLEND, extra=in_table))


def told_after(descriptor: bytes) -> bytes:
    """Write a packed file of which only what follows it tells the size."""
    packed = deflated(BLEND)
    return zipped(local(NAME, packed, flags=8, method=8, size=0, packed_bytes=0, crc=0) + descriptor,
                  told(NAME, packed, flags=8, method=8, size=len(BLEND), crc=zlib.crc32(BLEND)))


def deflated(content: bytes) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    return packer.compress(content) + packer.flush()


SIZES = zlib.crc32(BLEND), len(deflated(BLEND)), len(BLEND)
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
OVER = second_name(EVIL)
LINK = local(NAME, BLEND, extra=attributes(0o120777))
HOSTILE |= {
    "an extra field that goes on in the comment": zipped(
        local(NAME, BLEND), told(NAME, BLEND, more_bytes=(0, 0x605 + 4 + len(OVER), 0)),
        comment=bytes(0x605 - 18) + OVER),
    "a name that goes on in the comment": zipped(local(NAME, BLEND), told(NAME, BLEND, more_bytes=(31, 0, 0)),
                                                 comment=b"/../../evil"),
    "a comment that goes on in the archive's": zipped(local(NAME, BLEND), told(NAME, BLEND, more_bytes=(0, 0, 30)),
                                                      comment=bytes(30)),
    "a link to libarchive": zipped(LINK, told(NAME, BLEND)),
    "a link to libarchive in the table": with_fields(in_table=attributes(0o120777)),
    "a program of another's to libarchive": with_fields(here=attributes(0o104755)),
    "more of libarchive's than it wrote": with_fields(here=field(0x6C78, b"\x05" + bytes(6))),
    **{f"an extra field {sort:#x}": with_fields(here=field(sort, b"NUCX" + bytes(20)))
       for sort in (0x0000, 0x000D, 0x0017, 0x2605, 0x554E, 0x756E, 0x9901, 0xE57A)},
    "an unknown extra field in the table": with_fields(in_table=field(0x9901, b"\2\0AE\3\0\0")),
    "an extra field longer than all": with_fields(here=field(0x5455, b"")[:2] + b"\xff\xff\1"),
    "a scrap of an extra field": with_fields(here=b"up\x09"),
    "part of another disk": zipped(local(NAME, BLEND), told(NAME, BLEND, disk=1)),
    "no disk in what leads to zip64's end": PLAIN[:-22] + wide(WIDE_AT, disks=0) + LEFT_TO_WIDE,
    "a false size after it": told_after(struct.pack("<4s3L", b"PK\7\10", 1, 2, 3)),
    "no size after it": told_after(b""),
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


def by_libarchive() -> bytes:
    return with_fields(here=field(0x5455, bytes(13)) + field(0x7875, bytes(11)) + attributes(0o100644),
                       in_table=field(0x5455, bytes(13)) + field(0x7875, bytes(11)))


def by_others() -> bytes:
    """Pack with the fields of 7-Zip, Java, WinRAR, macOS and DotNetZip, all at once, and the zeros of an alignment."""
    fields = field(0x000A, bytes(32)) + field(0xCAFE) + second_name(NAME) + field(0x5855, bytes(12)) + field(0x9999)
    return with_fields(here=fields + bytes(3), in_table=fields)


@pytest.mark.parametrize("pack", [
    lambda: PLAIN, by_pipe, by_hand, by_zip64, half_by_zip64, by_libarchive, by_others,
    *(partial(told_after, magic + struct.pack(form, *SIZES)) for form in ("<3L", "<L2Q")
      for magic in (b"", b"PK\7\10"))])
def test_what_packers_write_is_taken(pack: Callable[[], bytes], tmp_path: Path) -> None:
    assert taken(tmp_path / "project.zip", pack()).main.endswith(".blend")


def test_an_odd_end_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(InvalidSpec, match="zip -r"):
        taken(tmp_path / "project.zip", PLAIN + bytes(100))


def test_plain_bytes_written_to_a_pipe_say_what_to_do(tmp_path: Path) -> None:
    target = Pipe()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("a.blend", BLEND)
    with pytest.raises(InvalidSpec, match=r"'a\.blend' is in the archive uncompressed.*turn compression on"):
        taken(tmp_path / "project.zip", target.getvalue())


def test_an_extra_field_that_is_not_known_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidSpec, match=r"'a\.blend' has an extra field in the archive, 0x756e, .*`zip -r` or 7-Zip"):
        taken(tmp_path / "project.zip", with_fields(here=field(0x756E, bytes(14))))


@pytest.mark.parametrize("where", ["here", "in_table"])
def test_no_more_extra_fields_are_read_than_packers_write(where: str, tmp_path: Path) -> None:
    taken(tmp_path / "project.zip", with_fields(**{where: field(0xCAFE) * 16}))
    with pytest.raises(InvalidSpec, match="too many"):
        taken(tmp_path / "project.zip", with_fields(**{where: field(0xCAFE) * 17}))


def test_python_reads_no_table_of_many_extra_fields(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(zipfile.ZipInfo, "_decodeExtra")
    with pytest.raises(InvalidSpec, match="too many"):
        taken(tmp_path / "project.zip", with_fields(in_table=field(0xCAFE) * 17))


def test_a_stream_that_is_none_is_told_by_its_name(tmp_path: Path) -> None:
    noise = b"\xff" * 20
    archive = zipped(local(NAME, noise, method=8, size=9), told(NAME, noise, method=8, size=9))
    with pytest.raises(InvalidSpec, match=r"^'a\.blend' in the archive is damaged; pack it anew\.$"):
        taken(tmp_path / "project.zip", archive)


def test_what_python_cannot_read_is_told_in_words_of_the_farm(tmp_path: Path) -> None:
    with pytest.raises(InvalidSpec, match="pack it anew") as refused:
        taken(tmp_path / "project.zip", PLAIN.replace(b"PK\1\2\x14\3\x14", b"PK\1\2\x14\3\xff"))
    assert "25.5" not in str(refused.value)
