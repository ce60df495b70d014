import os
from pathlib import Path

import pytest

from sheepfold.kinds.blender import home


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv(home.VARIABLE, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "sheepfold"


def environment(cache: Path, name: str, *, age_s: int, is_ready: bool = True) -> Path:
    folder = cache / name
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "python").symlink_to("/bin/sh")
    if is_ready:
        (folder / ".ready").touch()
        os.utime(folder / ".ready", (1e9 - age_s, 1e9 - age_s))
    return folder / "bin" / "python"


def test_the_environment_made_last_and_wholly_is_found(cache: Path) -> None:
    environment(cache, "bpy-1", age_s=9)
    newest = environment(cache, "bpy-2", age_s=1)
    environment(cache, "bpy-3", age_s=0, is_ready=False)
    assert home.find() == newest


def test_the_variable_goes_before_and_a_wrong_one_finds_nothing(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    environment(cache, "bpy-1", age_s=9)
    monkeypatch.setenv(home.VARIABLE, "/bin/sh")
    assert home.find() == Path("/bin/sh")
    monkeypatch.setenv(home.VARIABLE, "/nowhere/python")
    assert home.find() is None


def test_without_any_environment_nothing_is_found(cache: Path) -> None:
    assert home.find() is None


def test_a_sandbox_sees_the_environment_its_base_and_the_runner(cache: Path, tmp_path: Path) -> None:
    base = tmp_path / "python" / "bin" / "python3.11"
    base.parent.mkdir(parents=True)
    base.touch()
    python = environment(cache, "bpy-1", age_s=9)
    python.unlink()
    python.symlink_to(base)
    assert home.readable(python) == [python.parents[1], tmp_path / "python", home.RUNNER]
