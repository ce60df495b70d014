"""Running a program that reads a stranger's file on the farm's side: behind walls where they stand, within limits."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sheepfold.kinds import becoming, walls
from sheepfold.kinds.cores import all_cores

MIB = 2**20


@dataclass(frozen=True, slots=True)
class Limits:
    """What a program may use: seconds of wall time, of processor time, MiB of memory, MiB of a file it writes.

    Memory is counted in two ways: address space, and what the program writes itself (0: as much as that allows).
    """

    time_s: float = 120.0
    cpu_s: int = 120
    memory_mib: int = 16 * 1024  # of which bpy reserves far more than it uses
    own_mib: int = 0
    file_mib: int = 16


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a program ended: its status (negative for a signal; None where it took too long) and what it printed."""

    status: int | None
    output: bytes
    errors: bytes


def run(
    argv: Sequence[str], env: Mapping[str, str], folder: Path, readable: Sequence[Path], limits: Limits | None = None
) -> Outcome:
    """Run a program to its end. Behind bubblewrap it sees the system, `readable`, and `folder`, where it may write.

    It has no network there. Where bubblewrap does not work the limits alone hold it.
    """
    held = limits or Limits()
    command = _limited(argv if walls.why_none() else walls.walled(argv, folder, readable), env, held)
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        with all_cores():
            process = subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=output, stderr=errors)
        status = _awaited(process, held.time_s)
        output.seek(0)
        errors.seek(0)
        return Outcome(status, output.read(4 * MIB), errors.read(MIB))


def _limited(command: Sequence[str], env: Mapping[str, str], limits: Limits) -> list[str]:
    """Return the command that sets limits and becomes the program; set from outside they would come too late."""
    rlimits = {"RLIMIT_CORE": 0, "RLIMIT_CPU": limits.cpu_s, "RLIMIT_FSIZE": limits.file_mib * MIB,
               "RLIMIT_AS": limits.memory_mib * MIB}
    if limits.own_mib:
        rlimits["RLIMIT_DATA"] = limits.own_mib * MIB
    order = {"limits": rlimits, "environment": dict(env), "parent": os.getpid(), "nice": 0}
    return [sys.executable, "-I", "-S", becoming.__file__, json.dumps(order), walls.found(command[0]), *command[1:]]


def _awaited(process: "subprocess.Popen[bytes]", time_s: float) -> int | None:
    """Wait for a program's end; None where it was ended as late."""
    try:
        return process.wait(time_s)
    except subprocess.TimeoutExpired:
        return None
    finally:
        process.kill()
        process.wait()
