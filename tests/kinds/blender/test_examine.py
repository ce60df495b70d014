import io
import json
import math
import shutil
import subprocess
import time
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from sheepfold.kinds import confine
from sheepfold.kinds.blender import complete, examine, home, project, spec, split
from sheepfold.kinds.blender.examine import Findings, MissingFile
from sheepfold.model.errors import InvalidSpec, Overloaded

needs_bpy = pytest.mark.timeout(900)
FOUND = Findings(
    saved_by="4.5", frame_start=3, frame_end=9, frame_step=2, fps=29.97, engine="CYCLES", engine_is_known=True,
    samples=2, width=48, height=27, format="PNG", is_movie=False, camera="Camera", cameras=("Camera",),
    uses_sequencer=False, missing=(), libraries=(), scripts=(), drivers=(), simulations=(),
)  # fmt: skip
Look = Callable[[str], Findings]


@pytest.fixture
def look(scenes: Path, tmp_path: Path) -> Look:
    """Return a function that examines one of the scenes."""

    def into(name: str) -> Findings:
        found = examine.examine(scenes / f"{name}.blend", "", tmp_path)
        assert found is not None
        return found

    return into


@needs_bpy
def test_a_scene_is_known_by_its_frames_size_and_engine(look: Look) -> None:
    assert look("moving") == replace(FOUND, fps=30.0)
    assert examine.problems(FOUND) == examine.remarks(FOUND) == []


@needs_bpy
def test_a_compressed_scene_tells_how_long_it_is_unpacked(made_python: Path, scenes: Path, tmp_path: Path) -> None:
    for name in ("moving", "plain"):
        (tmp_path / name).mkdir()
    shutil.copy(scenes / "moving.blend", tmp_path / "moving")
    unpacking = "import bpy, sys; bpy.ops.wm.open_mainfile(filepath=sys.argv[1]);"
    saving = " bpy.ops.wm.save_as_mainfile(filepath=sys.argv[2], compress=False)"
    subprocess.run([made_python, "-I", "-c", unpacking + saving, tmp_path / "moving" / "moving.blend",
                    tmp_path / "plain" / "plain.blend"], check=True, timeout=120, capture_output=True)
    told, plain = (project.opened_bytes(tmp_path / name) for name in ("moving", "plain"))
    assert told == pytest.approx(plain, rel=0.05)
    assert told > 2 * (scenes / "moving.blend").stat().st_size


@needs_bpy
def test_a_project_is_examined_once(look: Look, monkeypatch: pytest.MonkeyPatch) -> None:
    first = look("moving")
    monkeypatch.setenv(home.VARIABLE, "/nowhere/python")
    assert look("moving") == first


@needs_bpy
def test_files_that_did_not_come_are_named(look: Look, scenes: Path, tmp_path: Path) -> None:
    """The examined scene lies alone behind walls, so that also the picture beside it on this disk is missing."""
    assert look("lacking").missing == (
        MissingFile("image", "//textures/wool.png", "//textures/wool.png"),
        MissingFile("image", "//there.png", "//there.png"),
    )  # fmt: skip
    with pytest.raises(InvalidSpec, match=r"did not come with it.*wool\.png.*Pack"):
        examine.check(spec.parse({}), {"project": scenes / "lacking.blend"}, tmp_path)
    assert examine.check(spec.parse({"allow_missing": True}), {"project": scenes / "lacking.blend"}, tmp_path)


@needs_bpy
def test_files_in_an_archive_are_found(scenes: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "p.zip", "w") as archive:
        archive.write(scenes / "lacking.blend", "film/lacking.blend")
        archive.write(scenes / "there.png", "film/there.png")
        archive.write(scenes / "there.png", "film/textures/wool.png")
        archive.write(scenes / "moving.blend", "film/moving.blend")
    found = examine.examine(tmp_path / "p.zip", "film/lacking.blend", tmp_path)
    assert found is not None
    assert found.missing == ()


@needs_bpy
def test_a_scene_without_a_camera_is_refused_by_the_order(scenes: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidSpec, match="no active camera"):
        split.split(spec.parse({}), {"project": scenes / "blind.blend"}, tmp_path)


@needs_bpy
def test_what_a_farm_will_not_do_is_remarked(look: Look) -> None:
    assert [remark.split()[0] for remark in examine.remarks(look("foreign"))] == ["Scripts", "The"]


@needs_bpy
def test_a_simulation_that_is_not_baked_is_remarked(look: Look) -> None:
    assert examine.remarks(look("falling")) == [
        "Other machines render other frames, so bake the simulations first: 'Cube (falls)'."
    ]


@needs_bpy
def test_a_scene_in_a_format_that_farms_do_not_write_is_ordered_as_png_with_a_remark(
    scenes: Path, tmp_path: Path
) -> None:
    inputs = {"project": scenes / "layered.blend"}
    completed = complete.complete({}, inputs, tmp_path)
    assert completed.spec["format"] == "PNG"
    assert completed.remarks == (
        "The scene writes OPEN_EXR_MULTILAYER, which farms do not: here its frames are PNG. For OpenEXR, which has one"
        " layer here, order the format EXR.",
    )
    assert complete.complete({"format": "EXR"}, inputs, tmp_path).remarks == ()


@needs_bpy
def test_a_hostile_scene_is_examined_without_harm(look: Look, scenes: Path, ear: Any) -> None:
    assert look("hostile").scripts == ("attack.py",)
    assert not (scenes / "owned").exists()
    assert not ear.heard()


@needs_bpy
def test_what_blender_cannot_read_is_refused(bpy_python: Path, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"BLENDER-v405" + bytes(500))
    with pytest.raises(InvalidSpec, match=r"Blender cannot read this project: (?!.*/examined/)"):
        examine.examine(tmp_path / "a", "", tmp_path)


@needs_bpy
def test_a_scene_whose_frame_rate_is_no_number_is_refused(scenes: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidSpec, match=r"frame rate must be .*, not nan"):
        complete.complete({}, {"project": scenes / "timeless.blend"}, tmp_path)


@needs_bpy
def test_what_blender_opens_too_long_is_refused(scenes: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidSpec, match="too long"):
        examine.examine(scenes / "moving.blend", "", tmp_path, confine.Limits(time_s=0.05))


@needs_bpy
def test_what_needs_too_much_memory_is_refused(scenes: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidSpec, match="100 MiB of memory"):
        examine.examine(scenes / "moving.blend", "", tmp_path, confine.Limits(memory_mib=100))


@pytest.mark.parametrize("answer", [{}, {"saved_by": 1}, {"error": "Error: bad"}, {"frame_start": "x"}])
def test_nonsense_from_a_captured_blender_is_refused(tmp_path: Path, answer: dict[str, Any]) -> None:
    (tmp_path / "findings.json").write_text(json.dumps(answer))
    with pytest.raises(InvalidSpec, match="nonsense"):
        examine.examine(tmp_path / "a", "", tmp_path)


@pytest.mark.parametrize("fps", [math.nan, math.inf, 0.0, -24.0, 1e30])
def test_a_frame_rate_that_is_none_is_refused(tmp_path: Path, fps: float) -> None:
    (tmp_path / "findings.json").write_text(json.dumps(asdict(replace(FOUND, fps=fps))))
    with pytest.raises(InvalidSpec, match="frame rate must be"):
        complete.complete({}, {"project": tmp_path / "a"}, tmp_path)


def fake_blender(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    blender = tmp_path / "own" / "bin" / "python"
    blender.parent.mkdir(parents=True)
    blender.write_text(f"#!/bin/sh\n{script}\n")
    blender.chmod(0o755)
    monkeypatch.setenv(home.VARIABLE, str(blender))


def test_a_captured_blender_that_answers_in_brackets_crashed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").write_bytes(b"BLENDER-v405")
    fake_blender(tmp_path, monkeypatch, "head -c 100000 /dev/zero | tr '\\0' '['")
    with pytest.raises(InvalidSpec, match="crashed"):
        examine.examine(tmp_path / "a", "", tmp_path)


def zipped(scene: bytes) -> bytes:
    """Pack a scene, which is looked at when it is unpacked and no earlier."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("a.blend", scene)
    return packed.getvalue()


def examine_in(room: Path, limits: confine.Limits | None = None, content: bytes = b"BLENDER-v405") -> str:
    """Examine a scene of which this Blender finds nothing; returns why it is refused."""
    room.mkdir()
    (room / "a").write_bytes(content)
    with pytest.raises((InvalidSpec, Overloaded)) as refused:
        examine.examine(room / "a", "", room, limits)
    return str(refused.value)


def test_no_more_scenes_are_examined_at_once_than_the_memory_is_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tell = 'echo "{\\"error\\": \\"$began $(date +%s.%N)\\"}"'
    fake_blender(tmp_path, monkeypatch, f"began=$(date +%s.%N); sleep 0.3; {tell}")
    rooms = [tmp_path / str(number) for number in range(6)]
    with ThreadPoolExecutor(len(rooms)) as pool:
        told = [why.rpartition(": ")[2].split() for why in pool.map(examine_in, rooms)]
    begins, ends = zip(*[(float(begin), float(end)) for begin, end in told], strict=True)
    at_once = [sum(begin <= moment < end for begin, end in zip(begins, ends, strict=True)) for moment in begins]
    assert max(at_once) <= examine.AT_ONCE


def test_who_would_wait_for_ever_is_told_to_come_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_blender(tmp_path, monkeypatch, "touch begun; until [ -e enough ]; do sleep 0.05; done")
    rooms = [tmp_path / str(number) / "examined" for number in range(examine.AT_ONCE)]
    with ThreadPoolExecutor(len(rooms)) as pool:
        first = pool.map(examine_in, [room.parent for room in rooms])
        while not all((room / "begun").exists() for room in rooms):
            time.sleep(0.01)
        assert "other projects" in examine_in(tmp_path / "late", confine.Limits(time_s=0.1))
        assert "other projects" in examine_in(tmp_path / "no scene", confine.Limits(time_s=0.1), zipped(b"a letter"))
        assert "neither a .blend" in examine_in(tmp_path / "no project", confine.Limits(time_s=0.1), b"a letter")
        for room in rooms:
            (room / "enough").touch()
        assert all("crashed" in why for why in first)
    assert "too long" in examine_in(tmp_path / "again", confine.Limits(time_s=0.1))
    assert "no Blender file" in examine_in(tmp_path / "unpacked", confine.Limits(time_s=0.1), zipped(b"a letter"))
    assert not any(room.exists() for room in [*rooms, tmp_path / "unpacked" / "examined"])


def test_a_blender_has_its_share_of_the_memory_and_what_it_needs_to_start() -> None:
    assert examine._limits(16_000, 4, 100) == (confine.Limits(own_mib=8000), 1)
    assert examine._limits(512, 4, 100) == (confine.Limits(own_mib=1536), 1)


def test_a_large_project_has_what_it_needs_of_the_memory_and_all_turns() -> None:
    assert examine._limits(4096, 2, 600) == (confine.Limits(own_mib=2048), 1)
    assert examine._limits(4096, 2, 1500) == (confine.Limits(own_mib=2780), examine.AT_ONCE)
    assert examine._limits(4096, 2, 2048) == (confine.Limits(own_mib=3276), examine.AT_ONCE)
    assert examine._limits(4096, 2, 100_000) == (confine.Limits(own_mib=3276), examine.AT_ONCE)


def test_who_takes_all_turns_waits_for_those_before_and_lets_nobody_in_meanwhile() -> None:
    came: list[str] = []

    def come(name: str, turns: int) -> None:
        with examine._turn(30, turns):
            came.append(name)

    with ThreadPoolExecutor(3) as pool:
        with examine._turn(1):
            large = [pool.submit(come, name, examine.AT_ONCE) for name in ("one", "other")]
            while examine._turns._value:  # until one of them waits for the last turn
                time.sleep(0.01)
            with pytest.raises(Overloaded), examine._turn(0.05):
                pass
            assert came == []
        for one in large:
            one.result(60)
    with examine._turn(0.1, examine.AT_ONCE):
        assert sorted(came) == ["one", "other"]


def test_a_refusal_names_the_memory_that_a_project_had(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_blender(tmp_path, monkeypatch, "exit 139")
    assert "more than the 1500 MiB of memory that it may" in examine_in(tmp_path / "a", confine.Limits(own_mib=1500))
    assert "100 MiB" in examine_in(tmp_path / "b", confine.Limits(memory_mib=100, own_mib=1500))


@pytest.mark.usefixtures("no_bpy")
def test_without_bpy_the_order_is_taken_as_it_stands(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"BLENDER-v405")
    assert examine.examine(tmp_path / "a", "", tmp_path) is None
    assert complete.complete({"frames": "1"}, {"project": tmp_path / "a"}, tmp_path).spec == {"frames": "1"}


def test_an_order_takes_from_the_scene_what_it_leaves_open() -> None:
    whole = spec.parse(examine.complete({}, FOUND))
    assert whole == spec.parse(
        {"frames": "3,5,7,9", "width": 48, "height": 27, "samples": 2, "engine": "CYCLES", "fps": 30}
    )
    own = spec.parse(examine.complete({"frames": "1-2", "width": 64, "samples": 9}, FOUND))
    assert (own["frames"], own["width"], own["height"], own["samples"]) == ("1-2", 64, 27, 9)


def test_samples_of_one_engine_are_not_those_of_another() -> None:
    assert "samples" not in examine.complete({"engine": "BLENDER_EEVEE"}, FOUND)


def test_a_scene_of_odd_numbers_completes_to_an_order() -> None:
    odd = replace(FOUND, frame_start=-5, frame_end=-9, frame_step=0, fps=0.2, samples=0, engine="LUX", format="BMP")
    whole = spec.parse(examine.complete({}, odd))
    assert (whole["frames"], whole["fps"], whole["samples"], whole["format"]) == ("0", 1, 1, "PNG")


def test_an_add_on_renderer_is_a_problem_and_a_film_of_strips_needs_no_camera() -> None:
    assert "LUX" in examine.problems(replace(FOUND, engine="LUX", engine_is_known=False))[0]
    assert examine.problems(replace(FOUND, camera="", uses_sequencer=True)) == []
    assert "choose one of 'A', 'B'" in examine.problems(replace(FOUND, camera="", cameras=("A", "B")))[0]


def test_a_long_list_of_files_is_cut() -> None:
    many = tuple(MissingFile("image", "i", f"//{number}.png") for number in range(30))
    assert "and 25 more" in examine.problems(replace(FOUND, missing=many))[0]
