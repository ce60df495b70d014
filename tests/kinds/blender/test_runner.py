import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sheepfold.kinds import pictures
from sheepfold.kinds.blender import home
from sheepfold.kinds.blender.runner import Refused, frames_of, plan_of

Run = Callable[..., "subprocess.CompletedProcess[str]"]
needs_bpy = pytest.mark.timeout(900)  # the first of them may have to install it


def test_the_words_of_java_clients_are_known() -> None:
    words = "-t 4 --factory-startup --disable-autoexec -noaudio -b /w/a.blend -P /w/script_1 -o /w/1_ -f 0340 -x 1"
    plan = plan_of(words.split())
    assert plan.threads == 4
    assert plan.steps == [
        ("scene", "/w/a.blend"), ("script", "/w/script_1"), ("output", "/w/1_"), ("frame", "0340"), ("extension", "1"),
    ]  # fmt: skip


def test_the_words_of_the_rust_client_are_known() -> None:
    words = "-t 2 -b -P pre.py a.blend -P post.py -o /w/1_ --engine CYCLES -f 7 -x 1"
    plan = plan_of(words.split(" "))
    assert [name for name, _ in plan.steps] == ["script", "scene", "script", "output", "engine", "frame", "extension"]


@pytest.mark.parametrize("words", [["--python-expr", "1"], ["-y"], ["-b", "a.blend", "-f"], ["-t", "many"], ["-a"]])
def test_words_that_are_not_known_or_lack_a_value_are_refused(words: list[str]) -> None:
    with pytest.raises(Refused) as refused:
        plan_of(words)
    assert refused.value.status == 2


def test_frames_are_padded_lists_and_ranges() -> None:
    assert frames_of("0340") == [340]
    assert frames_of("1,5..7") == [1, 5, 6, 7]
    with pytest.raises(Refused):
        frames_of("1-7")


@needs_bpy
def test_a_frame_is_rendered_as_blender_would(runner: Run, scenes: Path, tmp_path: Path) -> None:
    before, after = tmp_path / "before.py", tmp_path / "after.py"
    before.write_text("import bpy\nprint('before', repr(bpy.data.filepath))\n")
    after.write_text(
        "import bpy\nprint('after', bpy.data.filepath)\n"
        "def device(): bpy.context.scene.render.image_settings.file_format = 'JPEG'\n"
        "device()\nbpy.context.user_preferences\n"  # what clients of 2015 do fails, and Blender goes on
    )
    words = ["-t", "1", "--factory-startup", "--disable-autoexec", "-noaudio", "-b"]
    scene = scenes / "moving.blend"
    done = runner(*words, "-P", before, scene, "-P", after, "-o", tmp_path / "1_", "-f", "0340", "-x", "1")
    assert done.returncode == 0
    assert [path.name for path in tmp_path.glob("1_*")] == ["1_0340.jpg"]
    log = done.stdout
    assert re.search(r"^Blender \d+\.\d+\.\d+$", log, re.MULTILINE)
    assert "before ''" in log
    assert f"after {scene}" in log
    assert "AttributeError" in done.stderr
    assert f'Read blend: "{scene}"' in log
    assert re.search(r"^Fra:340 Mem:[\d.]+M \(Peak [\d.]+M\) \| Time:\d\d:\d\d\.\d\d \| ", log, re.MULTILINE)
    assert re.search(r"Sample \d+/2$", log, re.MULTILINE)
    assert re.search(r"^Fra:340 .*Finished$", log, re.MULTILINE)
    assert f"Saved: '{tmp_path}/1_0340.jpg'" in log


@needs_bpy
def test_what_cannot_be_rendered_ends_badly(runner: Run, scenes: Path, tmp_path: Path) -> None:
    output = ("-o", tmp_path / "1_", "-f", 1)
    for words in (
        ("-b", scenes / "missing.blend", *output),
        ("-b", scenes / "blind.blend", *output),
        ("-b", scenes / "moving.blend", "-E", "LUXCORE", *output),
    ):
        done = runner(*words)
        assert done.returncode == 1
        assert "Error: " in done.stdout
    script = tmp_path / "bad.py"
    script.write_text("1/0")
    assert runner("-b", "--python-exit-code", 5, scenes / "moving.blend", "-P", script, *output).returncode == 5
    assert list(tmp_path.glob("1_*")) == []


@needs_bpy
def test_a_hostile_scene_runs_nothing_and_writes_only_its_frame(
    runner: Run, scenes: Path, ear: Any, tmp_path: Path
) -> None:
    done = runner("-b", scenes / "hostile.blend", "-o", tmp_path / "1_", "-f", 2)
    assert done.returncode == 0
    assert (tmp_path / "1_0002.png").is_file()
    assert not (scenes / "owned").exists()
    assert not (scenes / "stolen").exists()
    assert not ear.heard()


@needs_bpy
def test_looking_into_a_hostile_scene_runs_nothing(runner: Run, scenes: Path, ear: Any) -> None:
    found = json.loads(runner("--inspect", scenes / "hostile.blend").stdout)
    assert found["scripts"] == ["attack.py"]
    assert found["drivers"] == ["Cube"]
    assert not (scenes / "owned").exists()
    assert not ear.heard()


@needs_bpy
@pytest.mark.parametrize("name", ["moving", "busy", "falling"])
def test_a_frame_is_the_same_from_a_scene_that_stays_loaded(
    runner: Run, scenes: Path, tmp_path: Path, bpy_python: Path, name: str
) -> None:
    """A cube that falls by a simulation would fall deeper where the frames before were rendered."""
    scene = scenes / f"{name}.blend"
    argv = home.command(bpy_python, "--serve", "-b", str(scene), "-o", f"{tmp_path}/served_")
    wanted = '{"frame": 1}\n{"frame": 2}\n{"frame": "x"}\n[]\n{"frame": 3}\n{"frame": 4}\n'
    done = subprocess.run(argv, input=wanted, capture_output=True, text=True, timeout=120, check=True)
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert ["error" in answer for answer in answers] == [False, False, False, True, True, False, False]
    assert answers[0]["ready"]
    assert answers[-1]["saved"] == f"{tmp_path}/served_0004.png"
    assert runner("-b", scene, "-o", tmp_path / "alone_", "-f", 4).returncode == 0
    served, alone = (pictures.pixels(tmp_path / f"{way}_0004.png") for way in ("served", "alone"))
    assert (served == alone).all()
    assert (pictures.pixels(tmp_path / "served_0001.png") != served).any() or name == "falling"


@needs_bpy
def test_a_server_without_a_scene_says_so(bpy_python: Path, tmp_path: Path) -> None:
    argv = home.command(bpy_python, "--serve", "-b", str(tmp_path / "none.blend"))
    done = subprocess.run(argv, input="", capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "Cannot read file" in json.loads(done.stdout)["error"]


@needs_bpy
def test_the_version_is_told(runner: Run, bpy_python: Path) -> None:
    assert runner("--version").stdout == f"Blender {home.version(bpy_python)}\n"
    assert home.version(bpy_python).startswith("4.5.")
    assert home.version(Path("/bin/false")) == ""


@pytest.mark.slow
@needs_bpy
@pytest.mark.parametrize("engine", ["BLENDER_EEVEE", "BLENDER_WORKBENCH"])
def test_raster_engines_render_without_a_screen(runner: Run, scenes: Path, tmp_path: Path, engine: str) -> None:
    script = tmp_path / "one.py"
    script.write_text("import bpy\nbpy.context.scene.eevee.taa_render_samples = 1\n")
    words = ("-b", scenes / "moving.blend", "-P", script, "-E", engine, "-o", tmp_path / "1_", "-f", 1)
    assert runner(*words).returncode == 0
    assert not pictures.is_blank(pictures.open_picture(tmp_path / "1_0001.png"))
