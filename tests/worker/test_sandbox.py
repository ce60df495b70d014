import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sheepfold.kinds import walls
from sheepfold.worker import sandbox


@pytest.fixture
def anew() -> Iterator[None]:
    """Have bubblewrap tried anew, here and afterwards."""
    walls.why_none.cache_clear()
    yield
    walls.why_none.cache_clear()


@pytest.mark.usefixtures("anew")
def test_without_bubblewrap_there_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert not sandbox.has_walls()
    assert "bubblewrap is not installed" in sandbox.sandbox_warning()
    assert "limits alone" in sandbox.sandbox_warning()


@pytest.mark.usefixtures("anew")
def test_a_bubblewrap_that_does_not_work_is_a_warning_that_says_why(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program = tmp_path / "bwrap"
    program.write_text("#!/bin/sh\necho 'bwrap: No permissions to create new namespace' >&2\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert "No permissions to create new namespace" in sandbox.sandbox_warning()


@pytest.mark.usefixtures("anew")
def test_other_systems_have_no_sandbox_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert "no sandbox for this system" in sandbox.sandbox_warning()


def test_a_sandbox_that_works_is_no_warning() -> None:
    assert (sandbox.sandbox_warning() == "") is sandbox.has_walls()


def test_windows_runs_the_program_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    assert sandbox.confined(["flam3", "x"], {}, sandbox.Limits()) == ["flam3", "x"]
