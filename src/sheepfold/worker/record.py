"""The log of one task: what renderers print, kept to a size, its beginning as it comes and its end at the end."""

import logging
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO

_CHUNK_BYTES = 64 * 1024
_log = logging.getLogger(__name__)


class Record:
    """A log that grows; what comes after `finish`, or finds the disk full, is dropped. Safe for many threads."""

    def __init__(self, path: Path, limit_bytes: int) -> None:
        self._lock = threading.Lock()
        self._half_bytes = limit_bytes // 2
        self._file = _opened(path)
        self._room = max(0, self._half_bytes - os.fstat(self._file.fileno()).st_size)
        self._tail = b""
        self._left_out = 0

    def add(self, chunk: bytes) -> None:
        """Append what a renderer printed."""
        with self._lock:
            if self._file.closed:
                return
            self._write(chunk[: self._room])
            kept = self._tail + chunk[self._room :]
            self._room = max(0, self._room - len(chunk))
            self._tail = kept[-self._half_bytes :]
            self._left_out += len(kept) - len(self._tail)

    def finish(self) -> None:
        """Write the end; may be called again."""
        with self._lock:
            if self._file.closed:
                return
            if self._left_out:
                self._write(f"\n… {self._left_out} bytes left out …\n".encode())
            self._write(self._tail)
            with suppress(OSError):  # as a full disk far away may answer
                self._file.close()

    def _write(self, chunk: bytes) -> None:
        """Write what the disk takes: a renderer whose pipe nobody reads would wait for ever."""
        with suppress(OSError):
            self._file.write(chunk)


def _opened(path: Path) -> IO[bytes]:
    try:
        return path.open("ab", buffering=0)
    except OSError as error:
        _log.warning("no_log path=%s error=%s", path, error)
        return Path(os.devnull).open("ab", buffering=0)


def pump(source: IO[bytes], add: Callable[[bytes], None]) -> threading.Thread:
    """Hand on what a pipe brings until it ends, in a thread that is returned."""
    thread = threading.Thread(target=_pump, args=(source, add), name="pump", daemon=True)
    thread.start()
    return thread


def _pump(source: IO[bytes], add: Callable[[bytes], None]) -> None:
    with source:
        while chunk := os.read(source.fileno(), _CHUNK_BYTES):
            add(chunk)


def last_line(log: Path) -> str:
    """Return the last line of a log that says something, cut short."""
    if not log.is_file():
        return ""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - 4096))
        lines = [line.strip() for line in file.read().decode("utf-8", "replace").splitlines()]
    return next((line[:200] for line in reversed(lines) if line), "")
