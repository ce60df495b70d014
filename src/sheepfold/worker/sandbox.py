"""How a renderer is held: walls where they stand, else limits alone and a warning."""

import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import psutil

from sheepfold.kinds import becoming, walls

MIB = 1024 * 1024
_SPARE_PROCESSES = 512
_LOWEST = 19  # of all priorities


@dataclass(frozen=True, slots=True)
class Limits:
    """What one program may use: seconds of wall time, MiB of own memory (0: all), MiB of one file, bytes of log."""

    time_s: float = 6 * 3600
    memory_mib: int = 0
    file_mib: int = 4096
    log_bytes: int = MIB


def sandbox_warning() -> str:
    """Say what is wrong with this machine's sandbox; an empty text where renderers are walled in."""
    reason = walls.why_none()
    if not reason:
        return ""
    return f"{reason} Renderers are held by limits alone: they can read what you can, and reach the network."


def has_walls() -> bool:
    """Say whether bubblewrap works here; tried once in a process."""
    return not walls.why_none()


def confined(argv: Sequence[str], env: Mapping[str, str], limits: Limits) -> list[str]:
    """Return the command that puts limits on a program and lowers its priority; the program itself on Windows."""
    if sys.platform == "win32":
        return list(argv)
    order = {"limits": _rlimits(limits), "environment": dict(env), "parent": os.getpid(), "nice": _LOWEST}
    return [sys.executable, "-I", "-S", becoming.__file__, json.dumps(order), walls.found(argv[0]), *argv[1:]]


def _rlimits(limits: Limits) -> dict[str, int]:
    cores = os.cpu_count() or 1
    wanted = {
        "RLIMIT_CORE": 0,
        "RLIMIT_CPU": int(limits.time_s * cores) + 1,
        "RLIMIT_FSIZE": limits.file_mib * MIB,
        "RLIMIT_NPROC": _own_threads() + _SPARE_PROCESSES,
    }
    if limits.memory_mib:
        # Not the address space: browsers reserve more of that than any machine has memory.
        wanted["RLIMIT_DATA"] = limits.memory_mib * MIB
    return wanted


def _own_threads() -> int:
    """Count what RLIMIT_NPROC counts: the threads that this user runs already, of all programs."""
    own = os.getuid()
    seen = psutil.process_iter(["uids", "num_threads"])
    return sum(one.info["num_threads"] or 0 for one in seen if one.info["uids"] and one.info["uids"].real == own)
