"""The workbench of a task: a folder, a log, and programs that run confined and end when they must."""

import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import psutil

from sheepfold.kinds import walls
from sheepfold.kinds.seam import RenderFailed, RenderStopped
from sheepfold.worker import sandbox
from sheepfold.worker.folder import remove_folder
from sheepfold.worker.gauge import Peak, Usage, usage_of
from sheepfold.worker.record import Record, last_line, pump
from sheepfold.worker.sandbox import Limits

_PUMP_PATIENCE_S = 5.0
_END_PATIENCE_S = 10.0
_LONGEST_ANSWER_BYTES = 64 * 1024


class Bench:
    """Where a task is rendered; fulfils `Workbench`. `stop` may be called by any thread.

    `has_walls` says whether programs run behind bubblewrap, found out where it is not given. The log is kept to
    `limits.log_bytes`: its beginning and its end. One program runs at a time. A bench whose program stays may serve one
    task after the other: `turn_to` gives it the next one's log. `kept` is a folder that outlives the bench; a bench
    that is given none has one beside its own.
    """

    def __init__(self, folder: Path, log: Path, limits: Limits, *, has_walls: bool | None = None,
                 kept: Path | None = None) -> None:
        self._folder = folder.resolve()
        self._kept = kept or self._folder.with_name(f"{self._folder.name}-kept")
        self._log = log
        self._limits = limits
        self._has_walls = sandbox.has_walls() if has_walls is None else has_walls
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._record: Record | None = None
        self._is_stopped = False
        self._is_late = False
        self._usage = Usage()
        self._running = Peak()
        self._asides: list[Bench] = []

    @property
    def folder(self) -> Path:
        """Return the only folder that a program may write to."""
        return self._folder

    @property
    def kept(self) -> Path:
        """Return the folder that outlives the bench, which no program can write to."""
        return self._kept

    @property
    def usage(self) -> Usage:
        """Return what the programs have used, for this log's task; while one runs, what is known of it."""
        return self._usage.plus(self._running.usage)

    @property
    def is_stopped(self) -> bool:
        """Say whether nothing runs here any more."""
        return self._is_stopped

    def run(self, argv: Sequence[str], env: Mapping[str, str], *, readable: Sequence[Path] = ()) -> None:
        """Run a program to its end; see `Workbench.run`. Whatever it started ends with it."""
        process = self._start(self._command(argv, env, readable), env, subprocess.DEVNULL, subprocess.STDOUT)
        with self._logging(process), self.in_time(), self._running.watching(process.pid):
            status, cpu_s = self.ended(process)
        seen, self._running = self._running.usage, Peak()
        self.note(Usage(max(cpu_s, seen.cpu_s), seen.memory_kib))
        self.check()
        if status:
            raise RenderFailed(f"{Path(argv[0]).name} ended with status {status}: {last_line(self._log)}")

    def start(self, argv: Sequence[str], env: Mapping[str, str], *, readable: Sequence[Path] = ()) -> "Staying":
        """Start a program that stays; see `Workbench.start`. Its owner closes it."""
        process = self._start(self._command(argv, env, readable), env, subprocess.PIPE, subprocess.PIPE)
        self._record = Record(self._log, self._limits.log_bytes)
        assert process.stderr is not None
        pumping = pump(process.stderr, lambda chunk: self._record.add(chunk) if self._record else None)
        return Staying(self, process, pumping)

    @contextmanager
    def aside(self, time_s: float) -> Iterator["Bench"]:
        """Give another bench; see `Workbench.aside`. What is used there counts here; `stop` stops it, too."""
        place = Path(tempfile.mkdtemp(prefix="aside-", dir=self._folder.parent))
        (place / "room").mkdir()
        limits = replace(self._limits, time_s=min(time_s, self._limits.time_s))
        other = Bench(place / "room", place / "log.txt", limits, has_walls=self._has_walls, kept=self._kept)
        with self._lock:
            self._asides.append(other)
            if self._is_stopped:
                other.stop()
        try:
            yield other
        finally:
            with self._lock:
                self._asides.remove(other)
            self.note(other.usage)
            remove_folder(place)

    def turn_to(self, log: Path) -> None:
        """Write to another log from now on, and count anew what is used: the next task has begun."""
        self.finish_log()
        self._log = log
        self._usage = Usage()
        self._record = Record(log, self._limits.log_bytes)

    def finish_log(self) -> None:
        """Write the end of a staying program's log, with what it has printed so far."""
        if self._record is not None:
            self._record.finish()

    def note(self, used: Usage) -> None:
        """Count what a program used."""
        with self._lock:
            self._usage = self._usage.plus(used)

    def stop(self) -> None:
        """Kill what runs, and let nothing run from now on."""
        with self._lock:
            self._is_stopped = True
            for aside in self._asides:
                aside.stop()
            _kill(self._process)

    def check(self) -> None:
        """Raise RenderStopped or RenderFailed where the program was ended from outside."""
        if self._is_stopped:
            raise RenderStopped("The render was stopped.")
        if self._is_late:
            raise RenderFailed(f"the render took more than {self._limits.time_s:g} seconds")

    @contextmanager
    def in_time(self) -> Iterator[None]:
        """Kill the program where the block takes longer than a task may."""
        with later(self._limits.time_s, self._end_as_late):
            yield

    def ended(self, process: "subprocess.Popen[bytes]") -> tuple[int, float]:
        """Wait for a program's end and kill what it left behind; returns its status, and its seconds of processor time.

        Of a program behind walls the seconds are bubblewrap's own.
        """
        if not hasattr(os, "waitid"):
            status = process.wait()
            with self._lock:
                self._process = None
            return status, 0.0
        # The process stays a zombie until the lock is held, so that `stop` never kills a stranger of the same number.
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        with self._lock:
            _kill(process)
            _, raw, used = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(raw)
            self._process = None
        # Its memory is not taken from here: the system begins to count with the process that forked it.
        return process.returncode, used.ru_utime + used.ru_stime

    def kill(self) -> None:
        """Kill what runs."""
        with self._lock:
            _kill(self._process)

    def _end_as_late(self) -> None:
        with self._lock:
            if self._process is not None:
                self._is_late = True
                _kill(self._process)

    def _command(self, argv: Sequence[str], env: Mapping[str, str], readable: Sequence[Path]) -> list[str]:
        inner = walls.walled(argv, self._folder, readable) if self._has_walls else argv
        return sandbox.confined(inner, env, self._limits)

    def _start(self, command: Sequence[str], env: Mapping[str, str], stdin: int, stderr: int
               ) -> "subprocess.Popen[bytes]":
        with self._lock:
            if self._is_stopped:
                raise RenderStopped("The render was stopped.")
            try:
                self._process = _open(command, env, self._folder, stdin, stderr)
            except OSError as error:
                raise RenderFailed(f"{command[0]} cannot be started: {error}") from error
            return self._process

    @contextmanager
    def _logging(self, process: "subprocess.Popen[bytes]") -> Iterator[None]:
        record = Record(self._log, self._limits.log_bytes)
        assert process.stdout is not None
        pumping = pump(process.stdout, record.add)
        try:
            yield
        finally:
            pumping.join(_PUMP_PATIENCE_S)  # what escaped the kill may hold the line open
            record.finish()


class Staying:
    """A program that stays at its bench and answers by lines; fulfils `Attendant`."""

    def __init__(self, bench: Bench, process: "subprocess.Popen[bytes]", pumping: threading.Thread) -> None:
        self._bench = bench
        self._process = process
        self._pumping = pumping
        self._counted_s = 0.0
        self._is_closed = False

    @property
    def is_alive(self) -> bool:
        """Say whether it still runs."""
        if self._is_closed or self._bench.is_stopped:
            return False
        try:
            return psutil.Process(self._process.pid).status() != psutil.STATUS_ZOMBIE
        except psutil.Error:
            return False

    def ask(self, line: bytes) -> bytes:
        """Send a line, unless it is empty, and return the next one; empty where the program ended."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with self._bench.in_time():
            with suppress(BrokenPipeError):  # its answer will be missing too
                self._process.stdin.write(line)
                self._process.stdin.flush()
            answer = self._process.stdout.readline(_LONGEST_ANSWER_BYTES)
        self._count()
        self._bench.check()
        return answer

    def close(self) -> None:
        """End it, by force where it does not end by itself."""
        if self._is_closed:
            return
        self._is_closed = True
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        with later(_END_PATIENCE_S, self._bench.kill):
            _, cpu_s = self._bench.ended(self._process)
        self._bench.note(Usage(max(0.0, cpu_s - self._counted_s)))
        self._process.stdout.close()
        self._pumping.join(_PUMP_PATIENCE_S)
        self._bench.finish_log()

    def _count(self) -> None:
        used = usage_of(self._process.pid)
        if used.cpu_s:
            self._bench.note(Usage(max(0.0, used.cpu_s - self._counted_s), used.memory_kib))
            self._counted_s = used.cpu_s


@contextmanager
def later(seconds: float, deed: Callable[[], None]) -> Iterator[None]:
    """Do a thing after a while, unless the block has ended before."""
    timer = threading.Timer(min(seconds, threading.TIMEOUT_MAX), deed)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _open(command: Sequence[str], env: Mapping[str, str], folder: Path, stdin: int, stderr: int
          ) -> "subprocess.Popen[bytes]":
    if sys.platform == "win32":
        flags = subprocess.BELOW_NORMAL_PRIORITY_CLASS | subprocess.CREATE_NEW_PROCESS_GROUP
    else:
        flags = 0
    return subprocess.Popen(
        command,
        env=dict(env),
        cwd=folder,
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=stderr,
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
