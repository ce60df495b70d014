"""What a process does to itself before it becomes a stranger's program."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sheepfold.kinds import becoming


def confined(parent: int, *argv: str, **limits: int) -> "subprocess.CompletedProcess[str]":
    order = {"limits": limits, "environment": {"A": "b"}, "parent": parent, "nice": 19}
    words = [sys.executable, "-I", "-S", becoming.__file__, json.dumps(order), *argv]
    return subprocess.run(words, capture_output=True, text=True, env={"C": "d"}, check=False)


def test_the_environment_is_replaced() -> None:
    assert confined(os.getpid(), "/usr/bin/env").stdout == "A=b\n"


def test_limits_hold_for_the_program() -> None:
    assert confined(os.getpid(), "/bin/sh", "-c", "ulimit -f", RLIMIT_FSIZE=1024 * 1024).stdout == "2048\n"


def test_a_limit_that_this_system_does_not_know_is_left_out() -> None:
    assert confined(os.getpid(), "/bin/true", RLIMIT_OF_TOMORROW=1).returncode == 0


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Only Linux is told who goes first.")
def test_where_memory_runs_out_the_program_goes_first() -> None:
    assert confined(os.getpid(), "/bin/cat", "/proc/self/oom_score_adj").stdout == "1000\n"


def test_a_program_whose_parent_died_already_does_not_start() -> None:
    done = confined(1, "/bin/echo", "started")
    assert done.returncode
    assert "started" not in done.stdout


def test_a_program_that_cannot_be_started_is_told() -> None:
    done = confined(os.getpid(), "/no/such/program")
    assert done.returncode
    assert "/no/such/program cannot be started" in done.stderr


FAKE = """#!/bin/sh
[ "$1" = -- ] && shift
outer=$$
(while kill -0 $outer 2>/dev/null; do :; done; "$@"; echo $? > {folder}/ended) &
[ -e {folder}/lives ] && wait || kill -9 $$
"""
"""A bubblewrap whose child goes its own way, and begins only when bubblewrap has died, unless it is to live."""


def run_behind(folder: Path, fake: str) -> None:
    program = folder / "bwrap"
    program.write_text(fake.format(folder=folder))
    program.chmod(0o755)
    order = {"limits": {}, "environment": {}, "parent": os.getpid(), "nice": 19}
    words = [sys.executable, "-I", "-S", becoming.__file__, json.dumps(order), str(program), "--", "/bin/sh", "-c"]
    subprocess.run([*words, f"echo rendered > {folder}/picture"], check=False)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Only Linux has bubblewrap.")
def test_a_program_behind_walls_does_not_begin_when_bubblewrap_died_before_it_was_bound(tmp_path: Path) -> None:
    run_behind(tmp_path, FAKE)
    while not (tmp_path / "ended").exists() or not (tmp_path / "ended").read_text():
        time.sleep(0.01)
    assert (tmp_path / "ended").read_text() == "1\n"
    assert not (tmp_path / "picture").exists()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Only Linux has bubblewrap.")
def test_a_program_behind_walls_begins_while_bubblewrap_lives(tmp_path: Path) -> None:
    (tmp_path / "lives").touch()
    run_behind(tmp_path, FAKE.replace("while kill -0 $outer 2>/dev/null; do :; done; ", ""))
    assert (tmp_path / "picture").read_text() == "rendered\n"
