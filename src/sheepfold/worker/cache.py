"""Inputs that tasks share, kept by their digests: checked, and the least recently used go first."""

import hashlib
import logging
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

from sheepfold.kinds.seam import RenderFailed
from sheepfold.protocols.link import FarmUnreachable

_DIGEST = re.compile(r"[0-9a-f]{64}")
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")
_log = logging.getLogger(__name__)


class Cache:
    """A folder of files named by their SHA-256, kept below `limit_bytes` between tasks; one user at a time."""

    def __init__(self, folder: Path, limit_bytes: int) -> None:
        self._folder = folder
        self._limit_bytes = limit_bytes
        self._checked: set[str] = set()
        self._arriving = folder / "arriving"
        shutil.rmtree(self._arriving, ignore_errors=True)
        self._arriving.mkdir(parents=True)

    def fetch(self, inputs: Mapping[str, str], download: Callable[[str, Path], None]) -> dict[str, Path]:
        """Return local files for inputs, given as names and digests; what is not here is downloaded.

        `download` takes a name and a target. Files are for reading only. Raises RenderFailed for names and digests
        that cannot be, FarmUnreachable where other bytes came than were promised, and what `download` raises.
        """
        for name, digest in inputs.items():
            if not _NAME.fullmatch(name) or not _DIGEST.fullmatch(digest):
                raise RenderFailed(f"the farm names an input {name[:60]!r} with the digest {digest[:80]!r}")
        files = {name: self._one(name, digest, download) for name, digest in inputs.items()}
        self._trim(keep=set(inputs.values()))
        return files

    def _one(self, name: str, digest: str, download: Callable[[str, Path], None]) -> Path:
        path = self._folder / digest
        if self._is_sound(path, digest):
            os.utime(path)
            return path
        with tempfile.TemporaryDirectory(dir=self._arriving) as arriving:
            target = Path(arriving) / "file"
            download(name, target)
            found = _sha256(target)
            if found != digest:
                raise FarmUnreachable(f"The input {name} should have the digest {digest}, but came with {found}.")
            target.chmod(0o444)
            target.replace(path)
        self._checked.add(digest)
        _log.info("fetched input=%s digest=%s size_bytes=%d", name, digest, path.stat().st_size)
        return path

    def _is_sound(self, path: Path, digest: str) -> bool:
        """Say whether a file is here, read whole once in a worker's life."""
        if not path.is_file():
            return False
        if digest not in self._checked:
            if _sha256(path) != digest:
                _log.warning("cached_file_broken digest=%s", digest)
                return False
            self._checked.add(digest)
        return True

    def _trim(self, keep: Collection[str]) -> None:
        files = [(path.stat().st_mtime_ns, path.stat().st_size, path) for path in self._folder.iterdir()
                 if path.is_file()]
        too_much = sum(size for _, size, _ in files) - self._limit_bytes
        for _, size, path in sorted(files):
            if too_much <= 0:
                return
            if path.name not in keep:
                path.unlink()
                too_much -= size


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
