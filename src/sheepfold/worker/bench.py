"""The workbench of one task: a folder, a log, and programs that run confined and end when they must."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import psutil

from sheepfold.kinds.seam import RenderFailed, RenderStopped
from sheepfold.worker import sandbox
from sheepfold.worker.sandbox import Limits

_CHUNK_BYTES = 64 * 1024
_PUMP_PATIENCE_S = 5.0


@dataclass(frozen=True, slots=True)
class Usage:
    """What programs used: seconds of processor time, and KiB of memory at the peak, zero where it is not known."""

    cpu_s: float = 0.0
    memory_kib: int = 0

    def plus(self, other: "Usage") -> "Usage":
        """Return what two programs used, run one after the other."""
        return Usage(self.cpu_s + other.cpu_s, max(self.memory_kib, other.memory_kib))


class Bench:
    """Where a task is rendered; fulfils `Workbench`. `stop` may be called by any thread.

    `has_walls` says whether programs run behind bubblewrap, found out where it is not given. The log is kept to
    `limits.log_bytes`: its beginning and its end.
    """

    def __init__(self, folder: Path, log: Path, limits: Limits, *, has_walls: bool | None = None) -> None:
        self._folder = folder.resolve()
        self._log = log
        self._limits = limits
        self._has_walls = sandbox.has_walls() if has_walls is None else has_walls
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._is_stopped = False
        self._is_late = False
        self._usage = Usage()

    @property
    def folder(self) -> Path:
        """Return the only folder that a program may write to."""
        return self._folder

    @property
    def usage(self) -> Usage:
        """Return what the programs used that have ended."""
        return self._usage

    def run(self, argv: Sequence[str], env: Mapping[str, str], *, readable: Sequence[Path] = ()) -> None:
        """Run a program to its end; see `Workbench.run`. Whatever it started ends with it."""
        inner = sandbox.walled(argv, self._folder, readable) if self._has_walls else argv
        process = self._start(sandbox.confined(inner, env, self._limits), env)
        with self._logging(process), _later(self._limits.time_s, self._end_as_late):
            status = self._ended(process)
        if self._is_stopped:
            raise RenderStopped("The render was stopped.")
        name = Path(argv[0]).name
        if self._is_late:
            raise RenderFailed(f"{name} took more than {self._limits.time_s:g} seconds")
        if status:
            raise RenderFailed(f"{name} ended with status {status}: {last_line(self._log)}")

    def stop(self) -> None:
        """Kill what runs, and let nothing run from now on."""
        with self._lock:
            self._is_stopped = True
            _kill(self._process)

    def _end_as_late(self) -> None:
        with self._lock:
            if self._process is not None:
                self._is_late = True
                _kill(self._process)

    def _start(self, command: Sequence[str], env: Mapping[str, str]) -> "subprocess.Popen[bytes]":
        with self._lock:
            if self._is_stopped:
                raise RenderStopped("The render was stopped.")
            try:
                self._process = _open(command, env, self._folder)
            except OSError as error:
                raise RenderFailed(f"{command[0]} cannot be started: {error}") from error
            return self._process

    def _ended(self, process: "subprocess.Popen[bytes]") -> int:
        """Wait for a program's end and kill what it left behind; returns its status."""
        if not hasattr(os, "waitid"):
            status = process.wait()
            with self._lock:
                self._process = None
            return status
        # The process stays a zombie until the lock is held, so that `stop` never kills a stranger of the same number.
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        with self._lock:
            _kill(process)
            _, raw, used = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(raw)
            self._process = None
        self._usage = self._usage.plus(Usage(used.ru_utime + used.ru_stime, used.ru_maxrss))
        return process.returncode

    @contextmanager
    def _logging(self, process: "subprocess.Popen[bytes]") -> Iterator[None]:
        pump = threading.Thread(target=_pump, args=(process.stdout, self._log, self._limits.log_bytes), daemon=True)
        pump.start()
        try:
            yield
        finally:
            pump.join(_PUMP_PATIENCE_S)  # what escaped the kill may hold the line open


def last_line(log: Path) -> str:
    """Return the last line of a log that says something, cut short."""
    if not log.is_file():
        return ""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - 4096))
        lines = [line.strip() for line in file.read().decode("utf-8", "replace").splitlines()]
    return next((line[:200] for line in reversed(lines) if line), "")


def _open(command: Sequence[str], env: Mapping[str, str], folder: Path) -> "subprocess.Popen[bytes]":
    if sys.platform == "win32":
        flags = subprocess.BELOW_NORMAL_PRIORITY_CLASS | subprocess.CREATE_NEW_PROCESS_GROUP
    else:
        flags = 0
    return subprocess.Popen(
        command,
        env=dict(env),
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,  # without meaning on Windows
        creationflags=flags,
    )


def _kill(process: "subprocess.Popen[bytes] | None") -> None:
    """Kill a process that was not waited for yet, its group, and its children in groups of their own."""
    if process is None:
        return
    children: list[psutil.Process] = []
    with suppress(psutil.Error):
        children = psutil.Process(process.pid).children(recursive=True)
    with suppress(ProcessLookupError, PermissionError):  # macOS forbids to signal a group of zombies
        if sys.platform == "win32":
            process.kill()
        else:
            os.killpg(process.pid, signal.SIGKILL)
    for child in children:
        with suppress(psutil.Error):
            child.kill()


@contextmanager
def _later(seconds: float, deed: Callable[[], None]) -> Iterator[None]:
    timer = threading.Timer(min(seconds, threading.TIMEOUT_MAX), deed)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _pump(source: IO[bytes], log: Path, limit_bytes: int) -> None:
    """Append a program's output to the log: the first half of what fits as it comes, the last half at the end."""
    tail, left_out = b"", 0
    with log.open("ab", buffering=0) as file:
        room = max(0, limit_bytes // 2 - log.stat().st_size)
        while chunk := os.read(source.fileno(), _CHUNK_BYTES):
            file.write(chunk[:room])
            kept = tail + chunk[room:]
            room = max(0, room - len(chunk))
            tail = kept[-(limit_bytes // 2):]
            left_out += len(kept) - len(tail)
        if left_out:
            file.write(f"\n… {left_out} bytes left out …\n".encode())
        file.write(tail)
    source.close()


