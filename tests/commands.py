"""The command line as tests run it: all that it reads and writes, in this process or in one of its own."""

import io
import logging
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
from tests.serving import CLEAN

from sheepfold.cli.main import main


@dataclass(frozen=True)
class Ended:
    """How a command ended, and what it said."""

    status: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        """Return what it printed, line by line."""
        return self.out.splitlines()


def run_here(*words: object, said: str = "", environment: Mapping[str, str] = CLEAN) -> Ended:
    """Run a command to its end in this process, since in its own it would import for a second first."""
    out, err = io.TextIOWrapper(io.BytesIO(), "utf-8"), io.TextIOWrapper(io.BytesIO(), "utf-8")
    with pytest.MonkeyPatch.context() as patch, _logging_anew():
        _set_environment(patch, environment)
        patch.setattr(sys, "argv", ["sheepfold", *map(str, words)])
        patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(said.encode()), "utf-8"))
        patch.setattr(sys, "stdout", out)
        patch.setattr(sys, "stderr", err)
        status = _status_of_main()
    return Ended(status, _written(out), _written(err))


def run_apart(*words: object, said: str = "", environment: Mapping[str, str] = CLEAN) -> Ended:
    """Run a command to its end in a process of its own, for tests of what only a process shows."""
    command = [sys.executable, "-m", "sheepfold", *map(str, words)]
    ended = subprocess.run(command, input=said, env=environment, capture_output=True, text=True, timeout=300,
                           check=False)  # fmt: skip
    return Ended(ended.returncode, ended.stdout, ended.stderr)


def _set_environment(patch: pytest.MonkeyPatch, wanted: Mapping[str, str]) -> None:
    for name in os.environ.keys() - wanted.keys():
        patch.delenv(name)
    for name, value in wanted.items():
        patch.setenv(name, value)


@contextmanager
def _logging_anew() -> Iterator[None]:
    """Let a command set up its log as in a process of its own, and put all back after it."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    root.handlers = []
    try:
        yield
    finally:
        root.handlers = handlers
        root.setLevel(level)


def _status_of_main() -> int:
    """Return the exit status that the interpreter would make of how the command line ended."""
    try:
        main()
    except SystemExit as ended:
        if isinstance(ended.code, str):
            print(ended.code, file=sys.stderr)
            return 1
        return int(ended.code or 0)
    return 0


def _written(stream: io.TextIOWrapper) -> str:
    stream.flush()
    assert isinstance(stream.buffer, io.BytesIO)
    return stream.buffer.getvalue().decode()
