import subprocess
from pathlib import Path
from typing import Any

import pytest

from sheepfold.kinds import pictures
from sheepfold.kinds.blender import examine, render, spec
from sheepfold.kinds.seam import RenderOrder

SCRIPT = Path(examine.__file__).with_name("samples") / "make_scene.py"


@pytest.mark.timeout(900)
def test_the_demos_scene_is_small_sound_and_moves(bpy_python: Path, bench: Any, tmp_path: Path) -> None:
    blend = tmp_path / "fold.blend"
    subprocess.run([bpy_python, "-I", SCRIPT, blend], check=True, capture_output=True, timeout=120)
    assert blend.stat().st_size < 200_000
    found = examine.examine(blend, "", tmp_path)
    assert found is not None
    assert examine.problems(found) == examine.remarks(found) == []
    order = spec.parse(examine.complete({"width": 64, "height": 36, "samples": 1}, found))
    assert order["frames"] == "1-12"
    first, later = (
        pictures.pixels(render.render(RenderOrder(order, frame, inputs={"project": blend}), bench)) for frame in (1, 7)
    )
    assert pictures.psnr(first, later) < 30
