"""Walls around a program that reads a stranger's file: bubblewrap, the same on the farm's side and on the worker's."""

import functools
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

_SYSTEM = ("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
# What programs of the system need of /etc; there is no account, no host and no secret in these.
_ETC = ("alternatives", "fonts", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "localtime")
_TMP_BYTES = 256 * 2**20


def walled(argv: Sequence[str], folder: Path, readable: Sequence[Path]) -> list[str]:
    """Return the command that runs a program behind bubblewrap's walls.

    It sees the system's programs, `readable`, and its folder, the only place it can write to besides a small /tmp. It
    has no network, no other processes, no home and no accounts, and dies with who started it.
    """
    return [*_walls(folder, readable), "--", found(argv[0]), *argv[1:]]


@functools.cache
def why_none() -> str:
    """Try bubblewrap on nothing, once in a process; returns why it does not work, or an empty text."""
    if not sys.platform.startswith("linux"):
        return "There is no sandbox for this system."
    if not _bubblewrap():
        return "bubblewrap is not installed (Debian has it in the package bubblewrap)."
    try:
        with tempfile.TemporaryDirectory() as folder:
            argv = walled([found("true")], Path(folder).resolve(), ())
            done = subprocess.run(argv, env={}, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"bubblewrap does not work here: {error}."
    if done.returncode:
        return f"bubblewrap does not work here: {done.stderr.strip()[:300] or f'status {done.returncode}'}."
    return ""


def found(program: str) -> str:
    """Return the path of a program, its name where there is none."""
    return shutil.which(program) or program


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


def _bubblewrap() -> str:
    return shutil.which("bwrap") or ""
