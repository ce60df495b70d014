"""Projects that want more than to be rendered, at a worker's own bench: what its walls hold, whatever Blender does."""

from pathlib import Path
from typing import Any

import pytest

from sheepfold.kinds import pictures, walls
from sheepfold.kinds.blender import examine, home, render, spec
from sheepfold.kinds.seam import RenderOrder

pytestmark = [
    pytest.mark.timeout(900),
    pytest.mark.skipif(bool(walls.why_none()), reason=f"no walls here: {walls.why_none()}"),
]
OPENED = """
import importlib, os, sys
bpy = importlib.import_module("bpy")
bpy.context.preferences.filepaths.use_scripts_auto_execute = True
bpy.ops.wm.open_mainfile(filepath=sys.argv[1], use_scripts=True)
print("ran", "attack" in bpy.app.driver_namespace, flush=True)
os._exit(0)
"""


def order_of(project: Path) -> RenderOrder:
    return RenderOrder(spec.parse({"width": 64, "height": 36, "samples": 1}), 2, inputs={"project": project})


def test_a_file_outside_of_the_project_is_not_seen(bench: Any, other_bench: Any, scenes: Path) -> None:
    secret = scenes / "home" / "secret.png"
    body = secret.read_bytes()
    beside = pictures.pixels(render.render(order_of(scenes / "prying.blend"), bench))
    secret.unlink()
    try:
        without = pictures.pixels(render.render(order_of(scenes / "prying.blend"), other_bench))
    finally:
        secret.write_bytes(body)
    assert (beside == without).all()


def test_a_farm_tells_the_artist_that_such_a_file_did_not_come_along(scenes: Path, tmp_path: Path) -> None:
    found = examine.examine(scenes / "prying.blend", "", tmp_path)
    assert found is not None
    assert [Path(file.path).name for file in found.missing] == ["secret.png"]


def test_scripts_that_did_run_would_reach_neither_the_network_nor_other_files(
    bench: Any, scenes: Path, bpy_python: Path, ear: Any
) -> None:
    """Blender is told to run them here, against all rules, to see that the walls hold by themselves."""
    scene = scenes / "hostile.blend"
    argv = [str(bpy_python), "-I", "-c", OPENED, str(scene)]
    bench.run(argv, home.environment(bench.folder), readable=[*home.readable(bpy_python), scene])
    assert "ran True" in (bench.folder.parent / "log.txt").read_text()
    assert not (scenes / "owned").exists()
    assert not ear.heard()


def test_a_hostile_project_in_a_chain_does_nothing_either(bench: Any, scenes: Path, ear: Any) -> None:
    chain = render.open_chain(order_of(scenes / "hostile.blend"), bench)
    try:
        assert chain.render(order_of(scenes / "hostile.blend")).is_file()
    finally:
        chain.close()
    assert not (scenes / "owned").exists()
    assert not (scenes / "stolen").exists()
    assert not ear.heard()
