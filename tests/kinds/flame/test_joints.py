"""Where a loop goes over into an edge and an edge into a loop: as even in the engine's frames as in flam3's."""

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from sheepfold.kinds.flame import flam3
from sheepfold.kinds.flame.engine import render, xml
from sheepfold.kinds.flame.spec import parse
from sheepfold.kinds.flame.split import split

GENOMES = Path(__file__).parents[2] / "genomes"
FRAMES = 40
CELL_PX = 8

Cells = NDArray[np.float64]


@pytest.mark.slow
@pytest.mark.parametrize(("one", "other"), [("s11", "s12"), ("s14", "s16")])
def test_steps_over_the_joints_of_a_film_are_as_large_as_flam3s(one, other, tmp_path):
    first, edge, second = (film(tmp_path, *ends) for ends in ((one,), (one, other), (other,)))
    steps = [(first, -1, first, 0), (first, -2, first, -1), (first, -1, edge, 0), (edge, 0, edge, 1),
             (edge, -2, edge, -1), (edge, -1, second, 0), (second, 0, second, 1)]  # fmt: skip
    for before, last, after, following in steps:
        ends = before[last], after[following]
        ours, theirs = (step(*(draw(end) for end in ends)) for draw in (by_engine, by_flam3))
        assert abs(ours - theirs) < 0.05 * theirs, (before[last], after[following])


def film(folder: Path, *ends: str) -> list[Path]:
    """Split an order of one loop, or of an edge, into its frames' genomes."""
    shape = "edge" if ends[1:] else "loop"
    spec = parse({"width": 400, "height": 296, "quality": 60, "frames": FRAMES, "shape": shape})
    frames = folder / "-".join(ends)
    frames.mkdir()
    inputs = dict(zip(("genome", "genome2"), (GENOMES / f"{name}.flam3" for name in ends), strict=False))
    split(spec, inputs, frames)
    for path in frames.iterdir():
        path.write_bytes(b"<frame>\n" + path.read_bytes() + b"</frame>\n")
    return sorted(frames.iterdir())


def by_engine(path: Path) -> Cells:
    frame = render.Frame(tuple(xml.read(path.read_bytes())), float(number(path)))
    return cells(render.render(frame, number(path), threads=1, device=render.CPU))


def by_flam3(path: Path) -> Cells:
    picture = path.with_suffix(".png")
    args = flam3.animate_args({}, number(path)) | {"in": str(path), "out": str(picture), "verbose": "0"}
    subprocess.run(["flam3-animate"], env=os.environ | args, check=True, capture_output=True)
    return cells(np.asarray(Image.open(picture).convert("RGB")))


def number(path: Path) -> int:
    return int(path.stem.removeprefix("frame-"))


def cells(pixels: NDArray[np.uint8]) -> Cells:
    """Return means of squares of pixels, in which there is little noise left."""
    height, width = (side // CELL_PX * CELL_PX for side in pixels.shape[:2])
    squares = pixels[:height, :width, :3].reshape(height // CELL_PX, CELL_PX, width // CELL_PX, CELL_PX, 3)
    return squares.mean((1, 3))


def step(before: Cells, after: Cells) -> float:
    return float(np.abs(after - before).mean())
