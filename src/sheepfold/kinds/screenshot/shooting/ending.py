"""Ending a program with everything that belongs to its group."""

import os
import signal
import subprocess
from contextlib import suppress


def end_group(process: "subprocess.Popen[bytes]") -> None:
    """Kill a program that leads a group, with the group, and wait for it; may be called twice."""
    if process.returncode is None:  # else its number may be a stranger's by now
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    process.wait()
