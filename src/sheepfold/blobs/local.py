"""Blobs in a local folder: `aa/DIGEST`, each a read-only file that appears whole or not at all."""

import errno
import fcntl
import hashlib
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from sheepfold.blobs.blobs import OWNER, Blob
from sheepfold.blobs.spool import CHUNK_BYTES, Digest, Spool, Spooled, parse_digest, sweep_spools, translated_os_errors
from sheepfold.files import sync
from sheepfold.model.errors import UnknownBlob

_DAY_S = 24 * 3600
_FILE_MODE = 0o440
# What a file system answers where it knows no hard links, or where the spool lies on another one.
_NO_LINK = {errno.EXDEV, errno.EPERM, errno.EMLINK, errno.ENOTSUP, errno.EOPNOTSUPP}


class LocalBlobs:
    """The store of blobs that is a folder. A blob's age is its file's modification time."""

    fresh_s = 0
    is_local = True

    def __init__(self, root: Path, spool_folder: Path) -> None:
        """Make the folder where it is missing; raises StoreUnavailable where it cannot be made."""
        self._root = root
        self._spool_folder = spool_folder
        self._incoming = root / "incoming"
        self._durable: set[Path] = set()
        self._durable_lock = threading.Lock()
        with translated_os_errors("open its store of files"):
            self._incoming.mkdir(parents=True, exist_ok=True)
            self._sweep_incoming()

    def keep(self, spooled: Spooled) -> Blob:
        """See Blobs."""
        target = self._path(spooled.sha256)
        with translated_os_errors("keep a file"):
            self._make_durable(target.parent)
            with _locked(target.parent) as folder:
                if _has_size(target, spooled.size_bytes):
                    os.utime(target)
                else:
                    self._put(spooled.path, target)
                os.fsync(folder)
        return Blob(spooled.sha256, spooled.size_bytes)

    def keep_bytes(self, data: bytes) -> Blob:
        """See Blobs."""
        with Spool(self._spool_folder, len(data)) as spool:
            spool.write(data)
            return self.keep(spool.finish())

    def open_stream(self, digest: Digest, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """See Blobs. The file is opened at once, so a blob deleted meanwhile is still read to its end."""
        with _translated("read", digest):
            file = self._path(digest).open("rb")
            size_bytes = os.fstat(file.fileno()).st_size
        return _read_range(file, max(start, 0), size_bytes if end is None else min(end, size_bytes))

    def size(self, digest: Digest) -> int:
        """See Blobs."""
        with _translated("read", digest):
            return self._path(digest).stat().st_size

    def local_path(self, digest: Digest, folder: Path) -> Path:
        """See Blobs. The folder stays empty."""
        self.size(digest)
        return self._path(digest)

    def exists(self, digest: Digest) -> bool:
        """See Blobs."""
        return self._path(digest).is_file()

    def delete(self, digest: Digest, *, older_than: float | None = None) -> bool:
        """See Blobs. It and a keep of the same bytes wait for each other, so `older_than` is exact."""
        path = self._path(digest)
        try:
            with _translated("delete", digest), _locked(path.parent) as folder:
                if older_than is not None and path.stat().st_mtime >= older_than:
                    return False
                path.unlink()
                os.fsync(folder)
        except UnknownBlob:
            return False
        return True

    def list_digests(self) -> Iterator[tuple[Digest, float]]:
        """See Blobs."""
        for folder in self._root.glob("[0-9a-f][0-9a-f]"):
            with os.scandir(folder) as entries:
                for entry in entries:
                    try:
                        yield parse_digest(entry.name), entry.stat(follow_symlinks=False).st_mtime
                    except (UnknownBlob, FileNotFoundError):
                        continue  # not ours, or deleted meanwhile

    def owner(self) -> str:
        """See Blobs."""
        with translated_os_errors("read whose files these are"), suppress(FileNotFoundError):
            return (self._root / OWNER).read_text(errors="replace").strip()
        return ""

    def belong_to(self, farm: str) -> None:
        """See Blobs. The file appears whole or not at all."""
        with translated_os_errors("write whose files these are"), Spool(self._incoming, len(farm)) as spool:
            spool.write(farm.encode())
            written = spool.finish().path
            _complete(written)
            written.rename(self._root / OWNER)
            sync(self._root)

    def check(self, digest: Digest) -> bool:
        """See Blobs."""
        with _translated("read", digest), self._path(digest).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == digest

    def _path(self, digest: str) -> Path:
        name = parse_digest(digest)
        return self._root / name[:2] / name

    def _make_durable(self, folder: Path) -> None:
        """Make `aa` and see that its name is on the disk, once a process: of 256, soon all are there."""
        if folder in self._durable and folder.is_dir():
            return
        with self._durable_lock:
            folder.mkdir(parents=True, exist_ok=True)
            sync(self._root)
            self._durable.add(folder)

    def _put(self, source: Path, target: Path) -> None:
        """Give the spool file a second name, or copy it where that cannot be. What stood there had another size."""
        target.unlink(missing_ok=True)
        _complete(source)
        try:
            os.link(source, target)
        except OSError as error:
            if error.errno not in _NO_LINK:
                raise
            self._copy(source, target)

    def _sweep_incoming(self) -> None:
        """Remove copies that a crash left behind a day ago."""
        sweep_spools(self._incoming, time.time() - _DAY_S)

    def _copy(self, source: Path, target: Path) -> None:
        self._sweep_incoming()
        with source.open("rb") as file, Spool(self._incoming, source.stat().st_size) as spool:
            while chunk := file.read(CHUNK_BYTES):
                spool.write(chunk)
            _complete(spool.finish().path)
            spool.path.rename(target)


def _has_size(path: Path, size_bytes: int) -> bool:
    try:
        return path.stat().st_size == size_bytes
    except FileNotFoundError:
        return False


def _read_range(file: BinaryIO, start: int, end: int) -> Iterator[bytes]:
    with file, translated_os_errors("read a file"):
        file.seek(start)
        left = end - start
        while left > 0 and (chunk := file.read(min(left, CHUNK_BYTES))):
            left -= len(chunk)
            yield chunk


def _complete(path: Path) -> None:
    """Make a file read-only and of this moment, and see that it is on the disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.utime(descriptor)
        os.fchmod(descriptor, _FILE_MODE)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _locked(folder: Path) -> Iterator[int]:
    """Hold a folder against all other threads and processes that lock it; its descriptor comes along."""
    with _opened(folder) as descriptor:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield descriptor


@contextmanager
def _opened(folder: Path) -> Iterator[int]:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def _translated(deed: str, digest: Digest) -> Iterator[None]:
    """Turn a missing file into UnknownBlob, and every other error of the file system into StoreUnavailable."""
    with translated_os_errors(f"{deed} a file"):
        try:
            yield
        except FileNotFoundError as error:
            raise UnknownBlob(f"There is no file {digest}.") from error
