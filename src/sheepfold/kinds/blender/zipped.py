"""Whether all readers of a zip see the same files in it.

A project's archive is handed on as it came, but for two fields of its headers, and the machines of volunteers unpack it
with readers of many makes: some go by the table of contents at its end, as the farm does, others from its begin from
file to file, some by a name in an extra field. So nothing may be in a zip that one of them sees and another does not.
"""

import struct
import zipfile
import zlib
from typing import BinaryIO

from sheepfold.kinds import zips
from sheepfold.kinds.fields import shown
from sheepfold.model.errors import InvalidSpec

# the layouts are those of PKWARE's APPNOTE 6.3.10, sections 4.3.7, 4.3.9, 4.3.14 to 4.3.16, 4.5.3 and 4.6.9
_LOCAL, _END = struct.Struct("<4s5H3I2H"), struct.Struct("<4s4H2IH")
_WIDE_END, _LOCATOR = struct.Struct("<4sQ2H2L4Q"), struct.Struct("<4sLQL")  # of zip64
_LOCAL_MAGIC, _END_MAGIC = b"PK\x03\x04", b"PK\x05\x06"
_WIDE_END_MAGIC, _LOCATOR_MAGIC = b"PK\x06\x06", b"PK\x06\x07"
_WIDE_END_REST_BYTES = _WIDE_END.size - 12
_IN_DESCRIPTOR, _IS_UTF8 = 0x8, 0x800
_UNSHOWN = 0x1 | 0x20 | 0x40 | 0x2000  # locked, in two ways, or a patch: who reads from the begin goes by it
_DESCRIPTOR_MAGIC, _DESCRIPTORS = b"PK\x07\x08", (struct.Struct("<3L"), struct.Struct("<L2Q"))  # the latter of zip64
_LONGEST_DESCRIPTOR = 24
_IN_ZIP64 = 0xFFFFFFFF
_MOST_TOLD = 0xFFFF, 0xFFFF, _IN_ZIP64, _IN_ZIP64  # files here and in all, the table's bytes and its place
_ODD_END = ("The zip archive's end is not that of one whole archive: it names several parts or another number of files,"
            " or has bytes behind it. Pack it anew, as one file, by `zip -r` for instance.")
_ZIP64, _UNICODE_PATH, _ATTRIBUTES = 0x1, 0x7075, 0x6C78
_KNOWN = {  # extra fields that packers write and that make no file another one; those of the line above are checked
    _ZIP64, _UNICODE_PATH, _ATTRIBUTES,  # the last by libarchive
    0x000A, 0x5455,  # times: 7-Zip, WinRAR and .NET; Info-ZIP, Java, Go and libarchive
    0x5855, 0x7855, 0x7875,  # times and owners on Unix: macOS, Info-ZIP, libarchive
    0x4453,  # rights on Windows, by Info-ZIP there
    0x6375,  # a comment: WinRAR, JSZip
    0x9999, 0xA11E, 0xA220, 0xD935,  # room that is left: DotNetZip and rubyzip, Apache's, Microsoft's, Android's
    0xCAFE,  # Java's mark
}  # fmt: skip
_XL = struct.Struct("<B2HL")  # libarchive's copy of the table: its first byte, 7, says that all three follow
_UNICODE_PATH_HEAD_BYTES = 5
_CHUNK_BYTES = 1 << 20


def check(file: BinaryIO, archive: zipfile.ZipFile) -> None:
    """Check that an archive's files lie one behind the other from its begin, each as the table of contents has it.

    Raises InvalidSpec, and what ZipFile raises on hostile bytes.
    """
    end, told_later = 0, None
    for info in _in_order(archive):
        _check_gap(file, end, info.header_offset, told_later)
        start, is_told_later = _start_of(file, info)
        end, told_later = start + info.compress_size, info if is_told_later else None
    _check_gap(file, end, archive.start_dir, told_later)
    _check_end(file, archive)


def check_bytes(file: BinaryIO, archive: zipfile.ZipFile) -> None:
    """Check that each file unpacks from exactly its packed bytes to exactly its size; reads all that there is.

    To be asked after `check`; raises as it does.
    """
    for info in _in_order(archive):
        start, _ = _start_of(file, info)
        file.seek(start)
        if not (_inflates(file, info) if info.compress_type == zipfile.ZIP_DEFLATED else _is_plain(file, info)):
            raise InvalidSpec(f"{_called(info)} in the archive is damaged; pack it anew.")


def _in_order(archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    return sorted(archive.infolist(), key=lambda info: info.header_offset)


def _check_gap(file: BinaryIO, end: int, begin: int, told_later: zipfile.ZipInfo | None) -> None:
    """Refuse bytes between two files, but for those that tell a file's size after it, which must be there and true."""
    if told_later is None:
        if begin != end:
            raise InvalidSpec("The archive holds bytes that its table of contents does not name; pack it anew.")
        return
    file.seek(end)
    if not 0 < begin - end <= _LONGEST_DESCRIPTOR or file.read(begin - end) not in _descriptors(told_later):
        raise InvalidSpec(f"What the archive tells behind {_called(told_later)} of its size and checksum is"
                          " missing or false; pack it anew.")


def _descriptors(info: zipfile.ZipInfo) -> list[bytes]:
    """Return what may tell a file's size after it: with a magic or without, in numbers of 32 bits or of 64."""
    told = info.CRC, info.compress_size, info.file_size
    forms = _DESCRIPTORS if max(told) < _IN_ZIP64 else _DESCRIPTORS[1:]
    return [magic + form.pack(*told) for magic in (b"", _DESCRIPTOR_MAGIC) for form in forms]


def _start_of(file: BinaryIO, info: zipfile.ZipInfo) -> tuple[int, bool]:
    """Compare a file's own header with the table of contents.

    Returns where its packed bytes begin, and whether its size may be told after them.
    """
    if info.volume:
        raise InvalidSpec(_ODD_END)
    file.seek(info.header_offset)
    magic, _, flags, method, _, _, crc, packed, size, name_bytes, extra_bytes = _LOCAL.unpack(file.read(_LOCAL.size))
    name, extra = file.read(name_bytes), file.read(extra_bytes)
    if _IN_ZIP64 in {packed, size}:
        packed, size = _sizes_in(extra, packed, size)
    is_told = (crc, packed, size) == (info.CRC, info.compress_size, info.file_size)
    # what is not packed has no end of its own to read up to; Info-ZIP tells the unpacked size at once, if it can
    is_told_later = (bool(flags & _IN_DESCRIPTOR) and method == zipfile.ZIP_DEFLATED
                     and packed == 0 and size in {0, info.file_size})
    if flags & _IN_DESCRIPTOR and method == zipfile.ZIP_STORED and not is_told:
        raise InvalidSpec(f"{_called(info)} is in the archive uncompressed, with its size told only after"
                          " it, so that some programs cannot find its end. Packers do so where compression is off and"
                          " they write to a pipe or stream: write to a file, or turn compression on (Deflate).")
    is_read_alike = name.isascii() or not (flags ^ info.flag_bits) & _IS_UTF8
    is_same = (magic, method, name) == (_LOCAL_MAGIC, info.compress_type, _written(info)) and not flags & _UNSHOWN
    if not (is_same and is_read_alike and (is_told or is_told_later)):
        raise InvalidSpec(f"{_called(info)} is another file in the archive than its table of contents says;"
                          " pack it anew.")
    for fields in (extra, info.extra):
        _check_extra(fields, info)
    return file.tell(), bool(flags & _IN_DESCRIPTOR)


def _sizes_in(extra: bytes, packed: int, size: int) -> tuple[int, int]:
    """Return the sizes of which a zip64 field tells those that the header has no room for."""
    told = next((content for sort, content in zips.extra_fields(extra) if sort == _ZIP64), b"")
    sizes = iter(struct.unpack(f"<{len(told) // 8}Q", told[: len(told) // 8 * 8]))
    size = next(sizes, -1) if size == _IN_ZIP64 else size
    return next(sizes, -1) if packed == _IN_ZIP64 else packed, size


def _check_extra(extra: bytes, info: zipfile.ZipInfo) -> None:
    """Refuse what makes a file another one to some: a second name or size, other attributes, what is unknown."""
    fields = zips.extra_fields(extra)
    if sum(sort == _ZIP64 for sort, _ in fields) > 1:
        raise InvalidSpec(f"{_called(info)} has two sizes in the archive; pack it anew.")
    attributes = _XL.pack(7, info.create_system << 8 | info.create_version, info.internal_attr, info.external_attr)
    for sort, content in fields:
        if sort not in _KNOWN:
            raise InvalidSpec(f"{_called(info)} has an extra field in the archive, 0x{sort:04x}, by which some programs"
                              " unpack it otherwise than others; pack it anew, by `zip -r` or 7-Zip for instance.")
        if sort == _UNICODE_PATH and content[_UNICODE_PATH_HEAD_BYTES:] != _written(info):
            raise InvalidSpec(f"{_called(info)} has a second name in the archive; pack it anew.")
        if sort == _ATTRIBUTES and content != attributes:
            raise InvalidSpec(f"{_called(info)} has other attributes in the archive than its table of contents says;"
                              " pack it anew.")


def _written(info: zipfile.ZipInfo) -> bytes:
    """Return a file's name as it is written in the archive."""
    return info.orig_filename.encode("utf-8" if info.flag_bits & _IS_UTF8 else "cp437")


def _called(info: zipfile.ZipInfo) -> str:
    return shown(_written(info).decode("utf-8", "replace"))


def _check_end(file: BinaryIO, archive: zipfile.ZipFile) -> None:
    """Check that the archive ends once, on one disk, with as many files as it says, and nothing behind it."""
    file.seek(max(0, file.seek(0, 2) - _END.size - len(archive.comment)))
    end_at, tail = file.tell(), file.read()
    magic, disk, first_disk, *told, comment_bytes = _END.unpack(tail[: _END.size])
    is_last = magic == _END_MAGIC and _END_MAGIC not in tail[4:] and comment_bytes == len(tail) - _END.size
    if not is_last or disk or first_disk:
        raise InvalidSpec(_ODD_END)
    wide_at, wide_told = _wide_end(file, end_at)
    count = len(archive.infolist())
    table = [count, count, wide_at - archive.start_dir, archive.start_dir]
    is_left_to_wide = [bool(wide_told) and said == most for said, most in zip(told, _MOST_TOLD, strict=True)]
    is_told = all(said == true or left for said, true, left in zip(told, table, is_left_to_wide, strict=True))
    if not is_told or wide_told not in ([], table):
        raise InvalidSpec(_ODD_END)


def _wide_end(file: BinaryIO, end_at: int) -> tuple[int, list[int]]:
    """Return where zip64's own end begins and what it tells, where there is one before the end; else `end_at`."""
    at = end_at - _LOCATOR.size - _WIDE_END.size
    file.seek(max(0, at))
    both = file.read(_WIDE_END.size + _LOCATOR.size)
    if at < 0 or not both[_WIDE_END.size:].startswith(_LOCATOR_MAGIC):
        return end_at, []
    magic, rest_bytes, _, _, disk, first_disk, *told = _WIDE_END.unpack(both[:_WIDE_END.size])
    _, end_disk, said_at, disks = _LOCATOR.unpack(both[_WIDE_END.size:])
    is_so = (magic, rest_bytes, said_at) == (_WIDE_END_MAGIC, _WIDE_END_REST_BYTES, at)
    if not is_so or disk or first_disk or end_disk or disks != 1:
        raise InvalidSpec(_ODD_END)
    return at, told


def _inflates(file: BinaryIO, info: zipfile.ZipInfo) -> bool:
    """Say whether a Deflate stream ends with the last byte that it has, and gives what was promised."""
    stream, left, unpacked_bytes, crc = zlib.decompressobj(-zlib.MAX_WBITS), info.compress_size, 0, 0
    while not stream.eof and unpacked_bytes <= info.file_size:
        if not (chunk := stream.unconsumed_tail):
            chunk = file.read(min(left, _CHUNK_BYTES))
            left -= len(chunk)
        try:
            unpacked = stream.decompress(chunk, _CHUNK_BYTES)
        except zlib.error:
            return False
        if not chunk and not unpacked:
            return False
        crc, unpacked_bytes = zlib.crc32(unpacked, crc), unpacked_bytes + len(unpacked)
    is_whole = stream.eof and not left and not stream.unused_data
    return is_whole and (unpacked_bytes, crc) == (info.file_size, info.CRC)


def _is_plain(file: BinaryIO, info: zipfile.ZipInfo) -> bool:
    """Say whether a file that is not packed is what was promised."""
    left, crc = info.compress_size, 0
    while left > 0 and (chunk := file.read(min(left, _CHUNK_BYTES))):
        left -= len(chunk)
        crc = zlib.crc32(chunk, crc)
    return not left and info.compress_size == info.file_size and crc == info.CRC
