"""An artist's project as it comes: a .blend, or a zip that holds some; checked, and unpacked with limits.

Both sides use it, since an archive is a stranger's to the farm, and a farm is a stranger to the worker.
"""

import errno
import os
import re
import shutil
import stat
import struct
import unicodedata
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from operator import itemgetter
from pathlib import Path, PurePosixPath

from sheepfold.kinds import zips
from sheepfold.kinds.blender import signs, zipped
from sheepfold.kinds.fields import shown
from sheepfold.kinds.zips import DAMAGE
from sheepfold.model.errors import InvalidSpec

GIB = 2**30
MAX_UNPACKED_BYTES = 16 * GIB
MAX_ENTRIES = 50_000  # in as many folders, most of which only their names tell of
MAX_DEPTH = 64  # folders within folders: without end, the names alone would take a minute to look at
# Deflate reaches 1032; the caches and images of real projects stay far below.
MAX_RATIO = 200
SMALL_BYTES = 256 * 2**20  # what may be packed as tightly as it likes
SCENE = "scene.blend"

_BLEND = b"BLENDER"
_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_ZIPS = (b"PK\x03\x04", b"PK\x05\x06")
_DRIVE = re.compile(r"[A-Za-z]:")
_NOT_ON_WINDOWS = frozenset('<>:"|?*')  # a colon would name a second stream of a file
_DEVICE = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³]) *(\..*)?", re.IGNORECASE | re.DOTALL)
_MAX_NAME_BYTES, _MAX_PATH_BYTES = 255, 1000
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_IS_UTF8, _LOCKED, _PATCHED = 0x800, 0x1 | 0x40 | 0x2000, 0x20
_DOS_FOLDER = 0x10
_SEEKABLE, _END_OF_TABLE, _HAS_SUMS = b"\xb1\xea\x92\x8f", struct.Struct("<IB4s"), 0x80  # zstd's seekable format
_MOST_PIECES = 2**20  # of a MiB each, as Blender packs them
_GZIP_START_BYTES = 64 * 1024  # of a stranger's file, in which Blender's first word must be found


@dataclass(frozen=True, slots=True)
class Contents:
    """What a project holds: its files by path with their sizes, and which .blend is rendered.

    A project that is a .blend itself has no files, and `main` is empty.
    """

    main: str = ""
    files: tuple[tuple[str, int], ...] = ()


def only(inputs: Mapping[str, Path]) -> Path:
    """Return the one file that an order of Blender frames comes with; raises InvalidSpec for none and for several."""
    if not inputs:
        raise InvalidSpec("An order of kind blender needs a .blend file, or an archive that holds one.")
    if len(inputs) > 1:
        raise InvalidSpec("An order of kind blender takes one file; pack several into a zip archive.")
    return next(iter(inputs.values()))


def look_into(path: Path, main: str = "") -> Contents:
    """Check a project without unpacking it. `main` names the .blend to render, where an archive holds several.

    Raises InvalidSpec with a sentence for the artist where it is no project, or not one to be trusted.
    """
    with path.open("rb") as file:
        start = file.read(len(_BLEND))
    if start.startswith(_ZIPS):
        with _opened(path) as archive:
            contents = _contents(archive, main, path.stat().st_size)
            with path.open("rb") as file:
                zipped.check(file, archive)
            return contents
    if not is_blend(path):
        raise InvalidSpec("The project is neither a .blend file nor a zip archive.")
    if main:
        raise InvalidSpec(f"The project is a single .blend file, so that there is no {shown(main)} in it.")
    return Contents()


def read_through(path: Path) -> None:
    """Read all that is packed in a project that `look_into` has checked: some readers unpack what sizes do not tell.

    Raises InvalidSpec where a file is not what the archive says of it.
    """
    with path.open("rb") as file:
        if file.read(len(_ZIPS[0])).startswith(_ZIPS):
            with _opened(path) as archive:
                zipped.check_bytes(file, archive)


def unpack(path: Path, folder: Path, main: str = "") -> Path:
    """Put a project into an empty folder and return its .blend, checked as `look_into` does.

    Files become plain files of this user; nothing of the archive decides their modes. Raises InvalidSpec, and OSError
    as a full disk does, before anything is written, where there is no room for all of it.
    """
    contents = look_into(path, main)
    _check_room(folder, sum(size for _, size in contents.files) or path.stat().st_size)
    if not contents.files:
        shutil.copyfile(path, folder / SCENE)
        return folder / SCENE
    with _opened(path) as archive:
        for info in archive.infolist():
            _unpack_one(archive, info, folder)
    scene = folder / contents.main
    if not is_blend(scene):
        raise InvalidSpec(f"{shown(contents.main)} is no Blender file, although it is called so.")
    return scene


def _check_room(folder: Path, promised_bytes: int) -> None:
    room = shutil.disk_usage(folder)
    if room.free < promised_bytes and room.total:  # some file systems tell of nothing, by zeros
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder))


def is_blend(path: Path) -> bool:
    """Say whether a file begins as Blender's do: plain, or compressed by gzip or by Zstandard.

    What lies within Zstandard is not looked at; Blender will.
    """
    with path.open("rb") as file:
        start = file.read(len(_BLEND))
    if start.startswith(_GZIP):
        return _unzipped_start(path) == _BLEND
    return start == _BLEND or start.startswith(_ZSTD)


def _unzipped_start(path: Path) -> bytes:
    with path.open("rb") as file:
        start = file.read(_GZIP_START_BYTES)
    try:
        return zlib.decompressobj(16 + zlib.MAX_WBITS).decompress(start, len(_BLEND))
    except zlib.error:
        return b""


def opened_bytes(folder: Path) -> int:
    """Return what Blender reads where it opens the scenes of an unpacked project: a compressed one unpacked, by its own
    word, which may be a lie; by its size where it says nothing.
    """
    scenes = (path for path in folder.rglob("*") if path.suffix.lower() == ".blend" and path.is_file())
    return sum(max(path.stat().st_size, _promised_bytes(path)) for path in scenes)


def _promised_bytes(path: Path) -> int:
    """Return how long a compressed file says that it is, by gzip's last word or the table that ends Blender's."""
    with path.open("rb") as file:
        start, size = file.read(len(_ZSTD)), file.seek(0, os.SEEK_END)
        if start.startswith(_GZIP):
            file.seek(max(0, size - 4))
            return int.from_bytes(file.read(4), "little")
        if start != _ZSTD or size < _END_OF_TABLE.size:
            return 0
        file.seek(size - _END_OF_TABLE.size)
        pieces, told, magic = _END_OF_TABLE.unpack(file.read(_END_OF_TABLE.size))
        piece = struct.Struct("<4xI4x" if told & _HAS_SUMS else "<4xI")
        begin = size - _END_OF_TABLE.size - pieces * piece.size
        if magic != _SEEKABLE or pieces > _MOST_PIECES or begin < 0:
            return 0
        file.seek(begin)
        return sum(length for length, in piece.iter_unpack(file.read(pieces * piece.size)))


@contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile]:
    with _damage_told(), zips.opened(path, MAX_ENTRIES) as archive:
        yield archive


@contextmanager
def _damage_told() -> Iterator[None]:
    """Turn what Python's reader raises on hostile bytes into a sentence."""
    try:
        yield
    except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
        raise InvalidSpec("The archive holds a file and a folder of one name.") from error
    except OSError as error:
        if error.errno != errno.EINVAL:  # a place before the file's begin; a full disk is another matter
            raise
        raise InvalidSpec("The zip archive is damaged.") from error
    except UnicodeDecodeError as error:
        raise InvalidSpec("A name in the archive says that it is written in UTF-8, and is not; use another packer, or"
                          " plain letters.") from error
    except DAMAGE as error:
        raise InvalidSpec("The zip archive is damaged, cut off, or packed in a way that not every program reads; pack"
                          " it anew, by `zip -r` or 7-Zip for instance, and send all of it.") from error


def _contents(archive: zipfile.ZipFile, main: str, size_bytes: int) -> Contents:
    infos = archive.infolist()
    _check_folders(map(name_of, infos))
    for info in infos:
        _check(info)
    _check_size(sum(info.file_size for info in infos), size_bytes)
    files = [(name_of(info), info.file_size) for info in infos if not info.is_dir()]
    _check_distinct([name for name, _ in files] + [f"{name_of(info)}/" for info in infos if info.is_dir()])
    return Contents(_main([name for name, _ in files], main), tuple(files))


def _check(info: zipfile.ZipInfo) -> None:
    name = name_of(info)
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise InvalidSpec(f"{shown(name)} in the archive is a link or a device; put the file itself there.")
    if not info.is_dir() and (kind == stat.S_IFDIR or info.external_attr & _DOS_FOLDER):
        raise InvalidSpec(f"{shown(name)} in the archive is a file and a folder at once.")
    if info.flag_bits & _LOCKED:
        raise InvalidSpec(f"{shown(name)} in the archive is locked with a password; pack it without one.")
    if info.is_dir() and info.file_size:
        raise InvalidSpec(f"{shown(name)} in the archive is a folder and yet has bytes; pack it anew.")
    if info.compress_type not in _METHODS or info.flag_bits & _PATCHED:
        raise InvalidSpec(f"{shown(name)} is packed by a method that not every machine knows; use plain zip (Deflate).")


def name_of(info: zipfile.ZipInfo) -> str:
    """Return a checked path of plain parts within the archive; raises InvalidSpec."""
    name = _decoded(info)
    if sign := signs.odd_sign(name):
        raise InvalidSpec(f"The name {shown(name)} in the archive has the sign {sign}, which means another thing on"
                          " another system; give the file another name.")
    if name.count("/") > MAX_DEPTH:
        raise InvalidSpec(f"{shown(name)} in the archive lies more than {MAX_DEPTH} folders deep.")
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or _DRIVE.match(name):
        raise InvalidSpec(f"{shown(name)} points out of the archive; pack the project's folder with relative paths.")
    is_root = name == "./"  # as `bsdtar -cf project.zip .` has it
    # Windows takes ".. " for ".."
    if not (path.parts or is_root) or any(not signs.visible(part).rstrip(" .") for part in path.parts):
        raise InvalidSpec(f"The name {shown(name)} in the archive is none; pack it anew.")
    if _NOT_ON_WINDOWS & set(name) or any(map(_DEVICE.fullmatch, path.parts)):
        raise InvalidSpec(f"{shown(name)} in the archive cannot be a file's name on Windows; give it another one.")
    if len(name.encode()) > _MAX_PATH_BYTES or any(len(part.encode()) > _MAX_NAME_BYTES for part in path.parts):
        raise InvalidSpec(f"The name {shown(name)} in the archive is too long.")
    return str(path)


def _decoded(info: zipfile.ZipInfo) -> str:
    """Return the name as UTF-8: macOS writes it without the flag, which Python takes for code page 437."""
    if "\0" in info.orig_filename:
        raise InvalidSpec(f"The name {shown(info.orig_filename)} in the archive has a zero byte.")
    if info.flag_bits & _IS_UTF8:
        return info.orig_filename
    try:
        return info.orig_filename.encode("cp437").decode("utf-8")
    except UnicodeError as error:
        raise InvalidSpec(
            f"The name {shown(info.orig_filename)} in the archive is in an old encoding in which the scene would not"
            " find it; use a packer that writes UTF-8, or plain letters."
        ) from error


def _check_folders(names: Iterable[str]) -> None:
    """Refuse entries that lie in more folders than there may be entries: each name may make MAX_DEPTH of its own."""
    seen: set[int] = set()  # of hashes, since as many long names would fill the memory
    for name in names:
        folder = name.rpartition("/")[0]
        while folder and hash(folder) not in seen:
            if len(seen) == MAX_ENTRIES:
                raise InvalidSpec(f"The archive's files lie in more than {MAX_ENTRIES} folders; so many are allowed.")
            seen.add(hash(folder))
            folder = folder.rpartition("/")[0]


def _check_size(unpacked_bytes: int, size_bytes: int) -> None:
    if unpacked_bytes > MAX_UNPACKED_BYTES:
        raise InvalidSpec(
            f"The archive unpacks to {unpacked_bytes / GIB:.1f} GiB; {MAX_UNPACKED_BYTES // GIB} GiB are allowed."
        )
    if unpacked_bytes > max(SMALL_BYTES, MAX_RATIO * size_bytes):
        raise InvalidSpec(f"The archive unpacks to {unpacked_bytes // max(1, size_bytes)} times its size: a zip bomb.")


def _check_distinct(names: list[str]) -> None:
    """Refuse two files of one name, and a file and a folder (whose name ends with a slash) of one.

    Some systems cannot tell names apart where only capitals, the way of writing an accent, signs without a shape, or
    dots and blanks at the end differ.
    """
    # a zero byte comes before all others, so that whatever lies in a folder follows a file of the folder's name
    for (one, name), (other, twin) in pairwise(sorted(((_folded(name), name) for name in names), key=itemgetter(0))):
        if one == other and not one.endswith("\0"):
            raise InvalidSpec(f"The archive holds {shown(twin)} twice, as {shown(name)} too.")
        if other.startswith(f"{one}\0") and not one.endswith("\0"):
            raise InvalidSpec(f"{shown(name)} in the archive is a file and a folder at once.")


def _folded(name: str) -> str:
    written = unicodedata.normalize("NFC", signs.visible(name)).casefold()
    return "\0".join(part.rstrip(" .") for part in written.split("/"))


def _main(names: list[str], wanted: str) -> str:
    scenes = [name for name in names if _is_scene(PurePosixPath(name))]
    if wanted:
        if wanted not in scenes:
            raise InvalidSpec(f"The archive holds no {shown(wanted)}; its scenes are {_listed(scenes)}.")
        return wanted
    if not scenes:
        raise InvalidSpec("The archive holds no .blend file.")
    if len(scenes) > 1:
        raise InvalidSpec(f"The archive holds {len(scenes)} scenes; choose one with main: {_listed(scenes)}.")
    return scenes[0]


def _is_scene(path: PurePosixPath) -> bool:
    """Say whether this is a scene; the finder of macOS packs a shadow of each file besides."""
    return path.suffix.lower() == ".blend" and not path.name.startswith("._") and "__MACOSX" not in path.parts


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - 10} more" if len(names) > 10 else ""
    return (", ".join(map(shown, names[:10])) or "none") + more


def _unpack_one(archive: zipfile.ZipFile, info: zipfile.ZipInfo, folder: Path) -> None:
    target = folder / name_of(info)
    if info.is_dir():
        target.mkdir(parents=True, exist_ok=True)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    # O_EXCL follows no link and overwrites nothing, should the folder not have been empty
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    with os.fdopen(descriptor, "wb") as file, archive.open(info) as packed:
        shutil.copyfileobj(packed, file, 1 << 20)  # ZipFile hands out no more than the size that was checked
