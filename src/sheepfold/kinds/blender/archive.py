"""A project as SheepIt's clients download it: the zip that it came as, or a .blend packed into one.

Their reader, zip4j, takes a name for code page 437 where no flag says that it is UTF-8, and sets the modes that a zip
tells. A zip by which it would misname a file, or make a folder that it cannot write to, is copied with such headers set
right in their places; nothing is packed anew.
"""

import shutil
import struct
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

from sheepfold.kinds import zips
from sheepfold.kinds.blender.project import MAX_ENTRIES, SCENE, look_into, only
from sheepfold.kinds.seam import Archive, Spec

EPOCH = (1980, 1, 1, 0, 0, 0)
"""The date of every file in an archive that the farm makes, so that the same bytes make the same archive."""

_PACKED = (b"\x28\xb5\x2f\xfd", b"\x1f\x8b")
"""How a .blend begins that Blender has compressed by Zstandard or gzip: packing it again would only take time."""
_IS_UTF8 = 0x800
_FOLDER_ATTRIBUTES, _FILE_ATTRIBUTES = 0o040755 << 16 | 0x10, 0o100644 << 16
_ODD_MODES, _DOS_ODD = 0o7000, 0x7  # another user's or group's rights, sticky; read-only, hidden, of the system
# an entry of the table of contents, and places in it and in a file's own header; APPNOTE 6.3.10, 4.3.12 and 4.3.7
_ENTRY = struct.Struct("<8xH18x3H4xI4x")
_FLAGS_AT, _ATTRIBUTES_AT, _OWN_FLAGS_AT = 8, 38, 6


def pack(inputs: Mapping[str, Path], spec: Spec, folder: Path) -> Archive:
    """Return a project's archive, written to `folder` where it is made; the same project makes the same bytes.

    Raises InvalidSpec with a sentence, and OSError as a full disk does.
    """
    project = only(inputs)
    contents = look_into(project, spec.get("main", ""))
    target = folder / "archive.zip"
    if contents.files:
        return Archive(_set_right(project, target), contents.main)
    return Archive(_zipped(project, target), SCENE)


def _set_right(archive: Path, target: Path) -> Path:
    """Return a checked zip, or a copy of it at `target` where some of its headers would mislead a client."""
    with zips.opened(archive, MAX_ENTRIES) as opened, archive.open("rb") as file:
        amended = list(_amended(opened, file))
    if not amended:
        return archive
    shutil.copyfile(archive, target)
    with target.open("r+b") as file:
        for place, content in amended:
            file.seek(place)
            file.write(content)
    return target


def _amended(archive: zipfile.ZipFile, file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Yield what must be otherwise in a zip for all clients to unpack the same, each with its place."""
    entry_at = archive.start_dir
    for info in archive.infolist():
        file.seek(entry_at)
        flags, *lengths, attributes = _ENTRY.unpack(file.read(_ENTRY.size))
        if not (flags & _IS_UTF8 or info.orig_filename.isascii()):
            yield entry_at + _FLAGS_AT, struct.pack("<H", flags | _IS_UTF8)
            own_at = info.header_offset + _OWN_FLAGS_AT
            file.seek(own_at)
            yield own_at, struct.pack("<H", int.from_bytes(file.read(2), "little") | _IS_UTF8)
        if not _is_harmless(attributes, is_folder=info.is_dir()):
            plain = _FOLDER_ATTRIBUTES if info.is_dir() else _FILE_ATTRIBUTES
            yield entry_at + _ATTRIBUTES_AT, struct.pack("<I", plain)
        entry_at += _ENTRY.size + sum(lengths)


def _is_harmless(attributes: int, *, is_folder: bool) -> bool:
    """Say whether who unpacks an entry with its attributes may still read, write and remove it, and nothing more."""
    mode, needed = attributes >> 16, 0o700 if is_folder else 0o600
    return not attributes & _DOS_ODD and (not mode or mode & (needed | _ODD_MODES) == needed)


def _zipped(blend: Path, target: Path) -> Path:
    """Pack a .blend into a zip that can be sought in, since the oldest clients want the sizes before the bytes."""
    with blend.open("rb") as file:
        is_packed = file.read(4).startswith(_PACKED)
    entry = zipfile.ZipInfo(SCENE, EPOCH)
    entry.compress_type = zipfile.ZIP_STORED if is_packed else zipfile.ZIP_DEFLATED
    entry.external_attr = 0o644 << 16
    entry.file_size = blend.stat().st_size
    with zipfile.ZipFile(target, "w") as archive, archive.open(entry, "w") as packed, blend.open("rb") as file:
        shutil.copyfileobj(file, packed, 1024 * 1024)
    return target
