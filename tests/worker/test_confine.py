import json
import os
import subprocess
import sys

from sheepfold.worker import confine


def confined(parent: int, *argv: str, **limits: int) -> "subprocess.CompletedProcess[str]":
    order = {"limits": limits, "environment": {"A": "b"}, "parent": parent}
    words = [sys.executable, "-I", "-S", confine.__file__, json.dumps(order), *argv]
    return subprocess.run(words, capture_output=True, text=True, env={"C": "d"}, check=False)


def test_the_environment_is_replaced() -> None:
    assert confined(os.getpid(), "/usr/bin/env").stdout == "A=b\n"


def test_limits_hold_for_the_program() -> None:
    assert confined(os.getpid(), "/bin/sh", "-c", "ulimit -f", RLIMIT_FSIZE=1024 * 1024).stdout == "2048\n"


def test_a_limit_that_this_system_does_not_know_is_left_out() -> None:
    assert confined(os.getpid(), "/bin/true", RLIMIT_OF_TOMORROW=1).returncode == 0


def test_a_program_whose_worker_died_already_does_not_start() -> None:
    done = confined(1, "/bin/echo", "started")
    assert done.returncode
    assert "started" not in done.stdout


def test_a_program_that_cannot_be_started_is_told() -> None:
    done = confined(os.getpid(), "/no/such/program")
    assert done.returncode
    assert "/no/such/program cannot be started" in done.stderr
