from pathlib import Path

import pytest

from sheepfold.kinds.blender import home
from sheepfold.model.matching import Needs, Program, satisfies
from sheepfold.worker import hardware


@pytest.fixture(autouse=True)
def _no_bpy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(home.VARIABLE, "/nowhere/python")


def test_this_machine_can_do_what_flames_need() -> None:
    able = hardware.abilities("rest")
    assert satisfies(able, Needs("flame", renderer="flam3", renderer_version="3", protocol="rest", memory_mib=100))
    assert able.platform in {"linux", "windows", "mac"}


def test_a_machine_limited_to_another_kind_can_do_nothing() -> None:
    assert hardware.abilities("rest", "blender").kinds == frozenset()


def test_without_flam3_the_engine_offers_flames_under_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert satisfies(hardware.abilities("rest"), Needs("flame", renderer="flam3", renderer_version="3.1.1"))


def test_a_renderer_that_cannot_even_say_its_version_is_not_offered(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("flam3-genome", "flam3-animate"):
        (tmp_path / name).write_bytes(b"\x7fELF and no more")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert list(hardware.installed("flame")) == []


def test_a_container_may_allow_less_memory_than_is_built_in(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    built_in = hardware.memory_mib()
    monkeypatch.setattr(hardware, "_CGROUP_LIMIT", tmp_path / "memory.max")
    (tmp_path / "memory.max").write_text(f"{64 * 2**20}\n")
    assert hardware.memory_mib() == 64
    (tmp_path / "memory.max").write_text("max\n")
    assert hardware.memory_mib() >= built_in > 0


def test_a_bpy_that_is_there_renders_blender(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "python").write_text("#!/bin/sh\necho Blender 4.5.15\n")
    (tmp_path / "python").chmod(0o755)
    monkeypatch.setenv(home.VARIABLE, str(tmp_path / "python"))
    assert hardware.abilities("rest", "blender").renderers == {Program("blender", "4.5.15")}


def test_a_machine_has_cores_and_a_load() -> None:
    assert hardware.cores() >= 1
    assert hardware.load_average() >= 0


def test_the_browsers_that_are_here_are_told_with_their_versions() -> None:
    able = hardware.abilities("rest", "screenshot")
    assert able.renderers == frozenset()
    assert satisfies(able, Needs("screenshot", browser="chromium", protocol="rest"))
    assert all(browser.version for browser in able.browsers)
