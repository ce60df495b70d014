"""What a process does to itself before it becomes a stranger's program: limits, priority, with whom and when it dies.

Run as a program of its own, `python -I -S becoming.py ORDER PROGRAM ARG…`, since code between fork and exec is not
safe in a process with threads. ORDER is JSON: `limits` by the names of the system, `environment`, `parent`, `nice`.
"""

import contextlib
import json
import os
import sys

_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG of Linux's prctl.h
_KILL = 9
_KNOCK, _BEGIN = 8, 9  # file descriptors of which a plain shell still knows the numbers


def main(order: str, argv: list[str]) -> None:
    """Confine this process, then become the program; returns only where it cannot be started."""
    told = json.loads(order)
    _limit(told["limits"])
    if hasattr(os, "nice"):
        os.nice(told["nice"])
    if sys.platform.startswith("linux"):
        _die_first()
        _die_with(told["parent"])
        if os.path.basename(argv[0]) == "bwrap":  # noqa: PTH119 -- pathlib would take longer to load than all of this
            argv = _in_step(argv)
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


def _die_first() -> None:
    """Have Linux kill this process before all others where memory runs out; nothing is done where /proc has no say."""
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as score:  # noqa: PTH123 -- as above
        score.write("1000")


def _die_with(parent: int) -> None:
    """Have Linux kill this process when its parent dies, also of SIGKILL."""
    import ctypes  # noqa: PLC0415 -- only where it is needed, as each render waits for it

    ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, _KILL)
    if os.getppid() != parent:
        sys.exit(f"Process {parent} died.")


def _in_step(argv: list[str]) -> list[str]:
    """Return bubblewrap's command, of which the program begins only once it will die with bubblewrap.

    What bubblewrap forks asks for that only after it has built its walls: were bubblewrap, or who started it, killed
    meanwhile, it would leave behind a program that nobody ends. So the program knocks when it could begin, and begins
    when it is answered by a child of this process, which dies with bubblewrap.
    """
    knocked, knock = os.pipe()
    begin, answer = os.pipe()
    bubblewrap = os.getpid()
    if os.fork() == 0:
        os.close(knock)
        os.close(begin)
        _die_with(bubblewrap)
        if os.read(knocked, 1):
            os.write(answer, b"\n")
        os._exit(0)
    os.dup2(knock, _KNOCK)
    os.dup2(begin, _BEGIN)
    at = argv.index("--") + 1
    wait = f'echo >&{_KNOCK}; read -r _ <&{_BEGIN} || exit 1; exec {_KNOCK}>&- {_BEGIN}<&-; exec "$@"'
    return [*argv[:at], "/bin/sh", "-c", wait, "sh", *argv[at:]]


if __name__ == "__main__":
    try:
        main(sys.argv[1], sys.argv[2:])
    except OSError as error:
        sys.exit(f"{sys.argv[2]} cannot be started: {error.strerror}.")
