"""What a process does to itself before it becomes the renderer: limits, lowest priority, death with the worker.

Run as a program of its own, `python -I -S confine.py ORDER PROGRAM ARG…`, since code between fork and exec is not
safe in a process with threads. ORDER is JSON: `limits` by the names of the system, `environment`, `parent`.
"""

import contextlib
import json
import os
import sys

_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG of Linux's prctl.h
_KILL = 9


def main(order: str, argv: list[str]) -> None:
    """Confine this process, then become the program; returns only where it cannot be started."""
    told = json.loads(order)
    _limit(told["limits"])
    if hasattr(os, "nice"):
        os.nice(19)
    _die_with(told["parent"])
    os.execve(argv[0], argv, told["environment"])  # noqa: S606 -- there is no shell, by intent


def _limit(limits: dict[str, int]) -> None:
    import resource  # noqa: PLC0415 -- Windows has none, and does not run this

    for name, wanted in limits.items():
        number = getattr(resource, name, None)
        if number is None:
            continue
        _, most = resource.getrlimit(number)
        value = wanted if most == resource.RLIM_INFINITY else min(wanted, most)
        with contextlib.suppress(ValueError):  # macOS refuses some
            resource.setrlimit(number, (value, value))


def _die_with(parent: int) -> None:
    """Have Linux kill this process when the worker dies, also of SIGKILL."""
    if not sys.platform.startswith("linux"):
        return
    import ctypes  # noqa: PLC0415 -- only where it is needed, as each render waits for it

    ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, _KILL)
    if os.getppid() != parent:
        sys.exit(f"The worker {parent} died.")


if __name__ == "__main__":
    try:
        main(sys.argv[1], sys.argv[2:])
    except OSError as error:
        sys.exit(f"{sys.argv[2]} cannot be started: {error.strerror}.")
