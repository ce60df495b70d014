"""An upload as it arrives: written to a file, hashed, counted and limited in one pass."""

import hashlib
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, NewType, Self

from sheepfold.model.errors import StoreUnavailable, TooLarge, UnknownBlob

Digest = NewType("Digest", str)
"""A blob's name: the SHA-256 of its bytes, 64 small hex digits."""

CHUNK_BYTES = 1024 * 1024
_BOUNDLESS = 2**63 - 1
_DIGEST = re.compile(r"[0-9a-f]{64}", re.ASCII)


def parse_digest(text: str) -> Digest:
    """Check that a text can be a digest; raises UnknownBlob, since nothing else names a blob."""
    if not _DIGEST.fullmatch(text):
        raise UnknownBlob(f"A file's name is 64 small hex digits, not {text[:80]!r}.")
    return Digest(text)


@dataclass(frozen=True, slots=True)
class Spooled:
    """A whole upload: a local file, and what was found out while it was written."""

    path: Path
    sha256: Digest
    size_bytes: int

    def discard(self) -> None:
        """Remove the file; nothing happens where it is gone."""
        with translated_os_errors("remove a spool file"):
            self.path.unlink(missing_ok=True)


class Spool:
    """A file that grows with an upload. Used by one thread at a time.

    As a context manager it removes its file at the end, kept as a blob or not (a blob does not need it any more),
    unless `release` was called. A crash leaves the file behind for `sweep_spools`.
    """

    def __init__(self, folder: Path, limit_bytes: int) -> None:
        """Open a new file in `folder`, which is made where it is missing; raises StoreUnavailable where that fails."""
        with translated_os_errors("open a spool file"):
            self.path, descriptor = _new_file(folder)
        self.size_bytes = 0
        self._file: BinaryIO = os.fdopen(descriptor, "wb")
        self._limit_bytes = limit_bytes
        self._sha256 = hashlib.sha256()
        self._is_released = False

    def write(self, chunk: bytes | bytearray | memoryview) -> None:
        """Append bytes. Raises TooLarge, and removes the file, before one byte above the limit is written."""
        arrived_bytes = self.size_bytes + memoryview(chunk).nbytes
        if arrived_bytes > self._limit_bytes:
            self.discard()
            raise TooLarge(f"At most {self._limit_bytes} bytes are allowed; at least {arrived_bytes} arrived.")
        with translated_os_errors("write an upload"):
            self._file.write(chunk)
        self._sha256.update(chunk)
        self.size_bytes = arrived_bytes

    def finish(self) -> Spooled:
        """Close the file and say what it is; may be called again. Nothing can be written afterwards."""
        with translated_os_errors("write an upload"):
            self._file.close()
        return Spooled(self.path, Digest(self._sha256.hexdigest()), self.size_bytes)

    def release(self) -> Spooled:
        """Finish, and leave the file to the caller, who calls `Spooled.discard` in the end."""
        spooled = self.finish()
        self._is_released = True
        return spooled

    def discard(self) -> None:
        """Close and remove the file; may be called again."""
        with translated_os_errors("remove a spool file"):
            try:
                self._file.close()
            finally:
                self.path.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if not self._is_released:
            self.discard()


def _new_file(folder: Path) -> tuple[Path, int]:
    """Make an empty file, and its folder where that is missing; returns its path and a descriptor to write to."""
    try:
        descriptor, name = tempfile.mkstemp(prefix="spool-", dir=folder)
    except FileNotFoundError:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(prefix="spool-", dir=folder)
    return Path(name), descriptor


def spool_file(path: Path, folder: Path, limit_bytes: int = _BOUNDLESS) -> Spooled:
    """Copy a local file into a spool folder and hash it on the way; the caller discards the copy in the end.

    Raises TooLarge, StoreUnavailable, and OSError where `path` cannot be read.
    """
    with path.open("rb") as source, Spool(folder, limit_bytes) as spool:
        while chunk := source.read(CHUNK_BYTES):
            spool.write(chunk)
        return spool.release()


def spooled_already(path: Path, limit_bytes: int = _BOUNDLESS) -> Spooled:
    """Hash a file that lies in a spool folder already. Raises TooLarge, and OSError where it cannot be read."""
    size_bytes = path.stat().st_size
    if size_bytes > limit_bytes:
        raise TooLarge(f"At most {limit_bytes} bytes are allowed; the file has {size_bytes}.")
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256")
    return Spooled(path, Digest(sha256.hexdigest()), size_bytes)


def sweep_spools(folder: Path, older_than: float) -> int:
    """Remove what crashes left in a spool folder, last written before `older_than` (Unix seconds); count the files."""
    removed = 0
    for path in folder.glob("spool-*"):
        try:
            if path.stat().st_mtime < older_than:
                path.unlink()
                removed += 1
        except FileNotFoundError:
            continue  # its upload ended meanwhile
    return removed


def sweep_folders(folder: Path, older_than: float) -> int:
    """Remove what crashes left of passing folders in a spool folder, once all within was last written before
    `older_than` (Unix seconds); count them.

    Such a folder has a dash in its name, as `mkdtemp` is asked for; any other has rules of its own, and stays.
    """
    removed = 0
    for path in folder.glob("*-*"):
        if _is_forsaken(path, older_than):
            _remove_folder(path)
            removed += not path.exists()
    return removed


def _is_forsaken(path: Path, older_than: float) -> bool:
    """Say whether a path is a folder, no link to one, in which nothing was written since."""
    return _is_folder(path) and not any(_is_written_since(one, older_than) for one in _all_of(path))


def _is_written_since(path: Path, moment: float) -> bool:
    try:
        return path.lstat().st_mtime >= moment
    except FileNotFoundError:
        return True  # somebody is at work there
    except PermissionError:
        return False  # the folder around it shuts it off; that one's time counts


def _is_folder(path: Path) -> bool:
    try:
        return stat.S_ISDIR(path.lstat().st_mode)
    except OSError:
        return False


def _all_of(folder: Path) -> Iterator[Path]:
    """Yield a folder and all within, as they are met; links are not followed."""
    yield folder
    for at, folders, files in os.walk(folder):
        yield from (Path(at, name) for name in folders + files)


def _remove_folder(folder: Path) -> None:
    """Remove a folder as far as that can be done, with those within that a program has made read-only."""
    for path in _all_of(folder):
        with suppress(OSError):
            if _is_folder(path):
                path.chmod(0o700)
    shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def translated_os_errors(deed: str) -> Iterator[None]:
    """Turn an error of the file system, such as a full disk, into StoreUnavailable. The text names no path."""
    try:
        yield
    except OSError as error:
        raise StoreUnavailable(f"The farm cannot {deed}: {error.strerror or type(error).__name__}.") from error
