"""Writing renderers' archives: a Blender download laid out anew for a client's system, or our tiny script with a name.

What is downloaded may have been tampered with: names that point outside, links that do, devices, and archives that
unpack to monstrous sizes are refused with a sentence. Nothing is unpacked to disk, and no file is whole in memory.
"""

import lzma
import posixpath
import shutil
import stat
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Protocol

from sheepfold.farm.passing import OF_THE_MACHINE
from sheepfold.kinds import zips
from sheepfold.kinds.zips import DAMAGE
from sheepfold.model.errors import InvalidSpec

EPOCH = (1980, 1, 1, 0, 0, 0)
"""The date of every file, so that the same renderer makes the same archive, and clients need not fetch it again."""
MAX_UNPACKED_BYTES = 8 * 2**30
MAX_FILES = 100_000
MAX_LINKS_IN_A_ROW = 40
"""As many as Linux follows."""
MAX_TOLD_BYTES = 2**20
"""Of what a tar tells before a file, such as a longer name, and of what it tells for all; a path has some hundred."""
PIECE_BYTES = 1024 * 1024
_TOO_MUCH = "The download unpacks to more than any Blender has."

_MAC_APP = "Blender/blender.app/"
EXECUTABLES = {
    "linux": "rend.exe",
    "freebsd": "rend.exe",
    "windows": "rend.exe",
    # newer clients write two of these words with a capital, which is the same file on a Mac
    "mac": _MAC_APP + "Contents/MacOS/blender",
}
"""Where the clients of each system look for the program in the archive."""
_HERE = Path(__file__).parents[1] / "kinds" / "blender"
RUNNER = _HERE / "runner.py"
SCRIPTS = {"local": _HERE / "rend.sh", "bundle": _HERE / "bundle.sh"}
"""What stands in the place of Blender's program: both run RUNNER, with the machine's own bpy or with a bundled one."""


@dataclass(frozen=True, slots=True)
class _Entry:
    """A file of a download: its path there, its mode, its size, and for a link what it points to."""

    path: str
    mode: int
    size_bytes: int
    link: str = ""


class _Download(Protocol):
    """A downloaded archive, read once from its begin to its end."""

    def entries(self) -> Iterator[tuple[_Entry, IO[bytes] | None]]:
        """Return its files and links, each with its bytes unless it is a link."""
        ...


def write_local(target: Path, system: str) -> None:
    """Write the archive whose program is a script that runs the Blender, or bpy, of the machine it lands on.

    Raises InvalidSpec for Windows, where such a script does not run.
    """
    if system not in EXECUTABLES or system == "windows":
        raise InvalidSpec("The local renderer is a shell script: it is for linux, mac and freebsd.")
    program = PurePosixPath(EXECUTABLES[system])
    with zipfile.ZipFile(target, "w") as archive:
        for path, name, mode in ((SCRIPTS["local"], program.name, 0o755), (RUNNER, RUNNER.name, 0o644)):
            with path.open("rb") as file:
                write_file(archive, str(program.parent / name), mode, file, path.stat().st_size)


def repack(source: Path, target: Path, system: str) -> None:
    """Lay a Blender download (tar.xz or another tar, zip) out for the clients of a system.

    Raises InvalidSpec with a sentence where it is no such archive, holds no Blender, or is not to be trusted, and
    OSError where the disk is full.
    """
    links: dict[str, _Entry] = {}
    written: set[str] = set()
    with _opened(source) as download, zipfile.ZipFile(target, "w") as archive:
        left = MAX_UNPACKED_BYTES
        for entry, file in download.entries():
            name = _place(_checked(entry.path), system)
            left -= entry.size_bytes
            if left < 0 or len(written) + len(links) >= MAX_FILES:
                raise InvalidSpec(_TOO_MUCH)
            if name in written or name in links:
                raise InvalidSpec(f"The download holds {entry.path[:100]!r} twice.")
            if file is None:
                links[name] = entry
                continue
            write_file(archive, name, entry.mode, file, entry.size_bytes)
            written.add(name)
    _follow(target, _ends(links, written, system), left)
    if EXECUTABLES[system] not in written | set(links):
        raise InvalidSpec(f"There is no Blender for {system} in the download.")


def write_file(archive: zipfile.ZipFile, name: str, mode: int, file: IO[bytes], size_bytes: int) -> None:
    """Write a file of an archive, so that the same file is the same bytes; raises InvalidSpec where it breaks off."""
    info = zipfile.ZipInfo(name, EPOCH)
    info.compress_type = zipfile.ZIP_DEFLATED
    info.external_attr = (stat.S_IFREG | (0o755 if mode & 0o100 else 0o644)) << 16
    info.file_size = size_bytes
    with archive.open(info, "w") as packed:
        left = size_bytes
        while left and (piece := file.read(min(PIECE_BYTES, left))):
            packed.write(piece)
            left -= len(piece)
    if left:
        raise InvalidSpec(f"The download breaks off in {name[:100]!r}.")


def _ends(links: dict[str, _Entry], written: set[str], system: str) -> dict[str, str]:
    """Return what links lead to in the end; those that lead nowhere, or to too many others, are refused."""
    return {name: _end_of(name, links, written, system) for name in links}


def _follow(target: Path, ends: dict[str, str], left: int) -> None:
    """Write what links lead to in their place, since clients know no links, of `left` bytes together at most."""
    if not ends:
        return
    with zipfile.ZipFile(target, "a") as archive, tempfile.TemporaryFile() as copy:
        for name, original in ends.items():
            left -= archive.getinfo(original).file_size
            if left < 0:
                raise InvalidSpec(_TOO_MUCH)
            copy.seek(0)
            copy.truncate()
            with archive.open(original) as file:
                shutil.copyfileobj(file, copy, PIECE_BYTES)
            size_bytes = copy.tell()
            copy.seek(0)
            write_file(archive, name, archive.getinfo(original).external_attr >> 16, copy, size_bytes)


def _end_of(name: str, links: dict[str, _Entry], written: set[str], system: str) -> str:
    seen = {name}
    while name not in written:
        entry = links.get(name)
        if entry is None:
            raise InvalidSpec(f"{min(seen)[:100]!r} in the download is a link that leads to no file of it.")
        name = _place(_checked(entry.link), system)
        if name in seen:
            raise InvalidSpec(f"{name[:100]!r} in the download is a link that leads back to itself.")
        if len(seen) > MAX_LINKS_IN_A_ROW:
            raise InvalidSpec(f"{name[:100]!r} in the download is one of over {MAX_LINKS_IN_A_ROW} links in a row.")
        seen.add(name)
    return name


def _checked(path: str) -> str:
    parts = PurePosixPath(path).parts
    if not parts or not path.isprintable() or path.startswith("/") or ".." in parts or "\\" in path or ":" in path:
        raise InvalidSpec(f"{path[:100]!r} in the download points out of it.")
    return "/".join(part for part in parts if part != ".")


def _place(path: str, system: str) -> str:
    """Return where a file of a download belongs in the archive: without its top folder, the program renamed."""
    if system == "mac":
        inside = path.lower().find("blender.app/")
        rest = path[inside + len("blender.app/"):] if inside >= 0 else ""
        name = _MAC_APP + rest if rest else path
        return EXECUTABLES["mac"] if name.lower() == EXECUTABLES["mac"].lower() else name
    _, _, rest = path.partition("/")
    name = rest or path
    program = "blender.exe" if system == "windows" else "blender"
    return EXECUTABLES[system] if name == program and rest else name


_TELLING = (tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE, tarfile.GNUTYPE_LONGNAME,
            tarfile.GNUTYPE_LONGLINK)  # fmt: skip


class _Header(tarfile.TarInfo):
    """A header of a tar. Python would read all that it tells into memory, and a map of a file's holes, however long."""

    __slots__ = ()

    def _proc_member(self, archive: "_TarFile") -> tarfile.TarInfo:
        """Look at a header before what follows it is read, where Python has subclasses step in."""
        if self.type == tarfile.GNUTYPE_SPARSE:
            raise tarfile.ReadError("it holds a file with holes")
        if self.type in _TELLING:
            archive.count(self.size, is_for_all=self.type == tarfile.XGLTYPE)
        else:
            archive.told_bytes = 0
        return super()._proc_member(archive)  # type: ignore[misc, no-any-return]

    def _proc_gnusparse_10(self, *_: object) -> None:
        raise tarfile.ReadError("it holds a file with holes")


class _TarFile(tarfile.TarFile):
    """A tar that is read once, of which nothing stays in memory but what it tells for all files."""

    tarinfo = _Header
    members: list[tarfile.TarInfo]
    told_bytes = told_for_all_bytes = 0

    def count(self, size_bytes: int, *, is_for_all: bool) -> None:
        """Count what is told before a file, or for all; raises ReadError where it is too much."""
        if is_for_all:
            self.told_for_all_bytes += size_bytes
        else:
            self.told_bytes += size_bytes
        if size_bytes < 0 or max(self.told_bytes, self.told_for_all_bytes) > MAX_TOLD_BYTES:
            raise tarfile.ReadError("it tells too much of its files")

    def each(self) -> Iterator[tarfile.TarInfo]:
        """Return its members, one after the other; raises InvalidSpec for more than MAX_FILES."""
        for count, member in enumerate(self):
            if count == MAX_FILES:
                raise InvalidSpec(_TOO_MUCH)
            self.members.clear()
            yield member


class _Tar:
    """A download of Linux."""

    def __init__(self, archive: _TarFile) -> None:
        self._archive = archive

    def entries(self) -> Iterator[tuple[_Entry, IO[bytes] | None]]:
        """Return its files and links."""
        for member in self._archive.each():
            if member.isdir():
                continue
            if member.issym():
                link = posixpath.normpath(posixpath.join(posixpath.dirname(member.name), member.linkname))
                yield _Entry(member.name, 0o644, 0, link), None
            elif member.islnk():
                yield _Entry(member.name, 0o644, 0, member.linkname), None
            elif member.isreg():
                yield _Entry(member.name, member.mode, member.size), self._archive.extractfile(member)
            else:
                raise InvalidSpec(f"{member.name[:100]!r} in the download is no plain file.")


class _Zip:
    """A download of Windows."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive

    def entries(self) -> Iterator[tuple[_Entry, IO[bytes] | None]]:
        """Return its files."""
        for info in self._archive.infolist():
            mode = info.external_attr >> 16
            if info.is_dir():
                continue
            if stat.S_IFMT(mode) not in {0, stat.S_IFREG} or info.flag_bits & 1:
                raise InvalidSpec(f"{info.filename[:100]!r} in the download is no plain file.")
            with self._archive.open(info) as file:
                yield _Entry(info.filename, mode, info.file_size), file


@contextmanager
def _opened(source: Path) -> Iterator[_Download]:
    """Open a download, and turn what Python's readers raise on damaged bytes into a sentence."""
    try:
        if zipfile.is_zipfile(source):
            with zips.opened(source, MAX_FILES) as zipped:
                yield _Zip(zipped)
        else:
            with _TarFile.open(source, "r|*") as tarred:
                yield _Tar(tarred)
    except (*DAMAGE, tarfile.TarError, lzma.LZMAError, OSError) as error:
        if isinstance(error, OSError) and error.errno in OF_THE_MACHINE:
            raise
        raise InvalidSpec(f"The download {source.name!r} cannot be read: {error}.") from error
