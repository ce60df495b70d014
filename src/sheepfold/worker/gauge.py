"""What running programs use, read while they run: the system's own count at their end mixes in who started them."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

_FIRST_LOOK_S, _LONGEST_S = 0.01, 0.5


@dataclass(frozen=True, slots=True)
class Usage:
    """What programs used: seconds of processor time, and KiB of memory at the peak, zero where it is not known."""

    cpu_s: float = 0.0
    memory_kib: int = 0

    def plus(self, other: "Usage") -> "Usage":
        """Return what two programs used, run one after the other."""
        return Usage(self.cpu_s + other.cpu_s, max(self.memory_kib, other.memory_kib))


class Peak:
    """The most that a tree of processes was seen to have used; looked at often in the first moments, then less.

    Memory is that of the largest process. The processor's time lacks up to the last half a second. Of a program behind
    bubblewrap's walls nothing else is known: bubblewrap ends without waiting for it.
    """

    def __init__(self) -> None:
        self.usage = Usage()
        self._is_over = threading.Event()

    @contextmanager
    def watching(self, pid: int) -> Iterator[None]:
        """Watch a process and its children while the block runs."""
        self._look(pid)
        thread = threading.Thread(target=self._watch, args=(pid,), name="gauge", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._is_over.set()
            thread.join()

    def _watch(self, pid: int) -> None:
        pause_s = _FIRST_LOOK_S
        while not self._is_over.wait(pause_s):
            self._look(pid)
            pause_s = min(pause_s * 1.5, _LONGEST_S)

    def _look(self, pid: int) -> None:
        seen, known = usage_of(pid), self.usage
        self.usage = Usage(max(known.cpu_s, seen.cpu_s), max(known.memory_kib, seen.memory_kib))


def usage_of(pid: int) -> Usage:
    """Return what a process and its children have used so far; the memory is that of the largest among them."""
    total = Usage()
    with suppress(psutil.Error):
        first = psutil.Process(pid)
        for process in (first, *first.children(recursive=True)):
            with suppress(psutil.Error):
                times = process.cpu_times()
                ended_s = getattr(times, "children_user", 0.0) + getattr(times, "children_system", 0.0)
                total = total.plus(Usage(times.user + times.system + ended_s, _peak_kib(process)))
    return total


def _peak_kib(process: psutil.Process) -> int:
    """Return the most memory that a process ever had, where the system tells, else what it has now."""
    with suppress(OSError, ValueError):
        for line in Path(f"/proc/{process.pid}/status").read_text("ascii", "replace").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1])
        return 0
    return int(process.memory_info().rss) // 1024
