"""The walls around a renderer: bubblewrap where it works, else limits alone and a warning."""

import functools
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from sheepfold.worker import confine

MIB = 1024 * 1024
_SYSTEM = ("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
# What programs of the system need of /etc; there is no account, no host and no secret in these.
_ETC = ("alternatives", "fonts", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "localtime")
_TMP_BYTES = 256 * MIB
_SPARE_PROCESSES = 512


@dataclass(frozen=True, slots=True)
class Limits:
    """What one program may use: seconds of wall time, MiB of address space (0: all), MiB of one file, bytes of log."""

    time_s: float = 6 * 3600
    memory_mib: int = 0
    file_mib: int = 4096
    log_bytes: int = MIB


def sandbox_warning() -> str:
    """Say what is wrong with this machine's sandbox; an empty text where renderers are walled in."""
    reason = _why_no_walls()
    if not reason:
        return ""
    return f"{reason} Renderers are held by limits alone: they can read what you can, and reach the network."


def has_walls() -> bool:
    """Say whether bubblewrap works here; tried once in a process."""
    return not _why_no_walls()


def walled(argv: Sequence[str], folder: Path, readable: Sequence[Path]) -> list[str]:
    """Return the command that runs a program behind bubblewrap's walls.

    It sees the system's programs, `readable`, and its folder, the only place it can write to besides a small /tmp. It
    has no network, no other processes, no home and no accounts, and dies with the worker.
    """
    return [*_walls(folder, readable), "--", _found(argv[0]), *argv[1:]]


def confined(argv: Sequence[str], env: Mapping[str, str], limits: Limits) -> list[str]:
    """Return the command that puts limits on a program and lowers its priority; the program itself on Windows."""
    if sys.platform == "win32":
        return list(argv)
    order = {"limits": _rlimits(limits), "environment": dict(env), "parent": os.getpid()}
    return [sys.executable, "-I", "-S", confine.__file__, json.dumps(order), _found(argv[0]), *argv[1:]]


def _walls(folder: Path, readable: Sequence[Path]) -> list[str]:
    inside = [path for path in readable if path.is_relative_to(folder)]
    outside = [path for path in readable if path not in inside]
    words = [_bubblewrap(), "--unshare-all", "--die-with-parent", "--new-session", "--hostname", "sheepfold"]
    # A worker that runs as root would keep all capabilities, and could write to the kernel's settings.
    words += ["--cap-drop", "ALL", "--proc", "/proc", "--ro-bind", "/proc/sys", "/proc/sys", "--dev", "/dev"]
    words += ["--ro-bind", "/usr", "/usr", *_system_words()]
    words += ["--size", str(_TMP_BYTES), "--tmpfs", "/tmp"]  # noqa: S108 -- a new one of its own
    # What is mounted later lies above: the folder stays writable within a readable one, and the reverse.
    words += [word for path in outside for word in ("--ro-bind", str(path.absolute()), str(path.absolute()))]
    words += ["--bind", str(folder), str(folder)]
    words += [word for path in inside for word in ("--ro-bind", str(path.absolute()), str(path.absolute()))]
    return [*words, "--remount-ro", "/", "--chdir", str(folder)]


def _system_words() -> list[str]:
    words: list[str] = []
    for name in _SYSTEM:
        path = Path(name)
        if path.is_symlink():
            words += ["--symlink", str(path.readlink()), name]
        elif path.is_dir():
            words += ["--ro-bind", name, name]
    for name in _ETC:
        words += ["--ro-bind-try", f"/etc/{name}", f"/etc/{name}"]
    return words


@functools.cache
def _why_no_walls() -> str:
    """Try bubblewrap on nothing; returns why it does not work, or an empty text."""
    if not sys.platform.startswith("linux"):
        return "There is no sandbox for this system."
    if not _bubblewrap():
        return "bubblewrap is not installed (Debian has it in the package bubblewrap)."
    try:
        with tempfile.TemporaryDirectory() as folder:
            argv = walled([_found("true")], Path(folder).resolve(), ())
            done = subprocess.run(argv, env={}, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"bubblewrap does not work here: {error}."
    if done.returncode:
        return f"bubblewrap does not work here: {done.stderr.strip()[:300] or f'status {done.returncode}'}."
    return ""


def _bubblewrap() -> str:
    return shutil.which("bwrap") or ""


def _found(program: str) -> str:
    return shutil.which(program) or program


def _rlimits(limits: Limits) -> dict[str, int]:
    cores = os.cpu_count() or 1
    wanted = {
        "RLIMIT_CORE": 0,
        "RLIMIT_CPU": int(limits.time_s * cores) + 1,
        "RLIMIT_FSIZE": limits.file_mib * MIB,
        "RLIMIT_NPROC": _own_threads() + _SPARE_PROCESSES,
    }
    if limits.memory_mib:
        wanted["RLIMIT_AS"] = limits.memory_mib * MIB
    return wanted


def _own_threads() -> int:
    """Count what RLIMIT_NPROC counts: the threads that this user runs already, of all programs."""
    own = os.getuid()
    seen = psutil.process_iter(["uids", "num_threads"])
    return sum(one.info["num_threads"] or 0 for one in seen if one.info["uids"] and one.info["uids"].real == own)
