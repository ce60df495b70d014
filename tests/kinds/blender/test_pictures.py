from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sheepfold.kinds import pictures
from sheepfold.kinds.blender import assemble, compare, inspect, preview, spec
from sheepfold.kinds.seam import Facts, Picture, Soundness

Noise = Callable[..., Image.Image]
FACTS = Facts(spec.parse({"width": 40, "height": 30}), 1)


@pytest.fixture
def frame(tmp_path: Path, noise: Noise) -> Path:
    noise(40, 30).save(tmp_path / "0001.png")
    return tmp_path / "0001.png"


def test_a_frame_of_the_right_size_is_sound_and_of_another_is_not(frame: Path) -> None:
    assert inspect.inspect(frame, FACTS).soundness is Soundness.SOUND
    assert inspect.inspect(frame, Facts(spec.parse({}), 1)).soundness is Soundness.WRONG_SIZE


def test_rounding_leaves_a_frame_the_same_and_other_contents_do_not(frame: Path, tmp_path: Path, noise: Noise) -> None:
    values = pictures.pixels(frame).astype(int) + np.random.default_rng(1).integers(-3, 4, (30, 40, 3))
    Image.fromarray(values.clip(0, 255).astype(np.uint8)).save(tmp_path / "rounded.png")
    noise(40, 30, 5).save(tmp_path / "other.png")
    noise(30, 40).save(tmp_path / "turned.png")
    assert compare.same(frame, tmp_path / "rounded.png", FACTS)
    assert not compare.same(frame, tmp_path / "other.png", FACTS)
    assert not compare.same(frame, tmp_path / "turned.png", FACTS)


def test_several_frames_become_a_film_and_one_a_picture(frame: Path, tmp_path: Path) -> None:
    order = spec.parse({"frames": "1-2"})
    frames = [Picture(number, 0, frame) for number in (2, 1)]
    names = [product.name for product in assemble.assemble(frames, order, tmp_path)]
    assert names == ["film.mp4", "film.avi", "sheet.jpg"]
    assert [product.name for product in assemble.assemble(frames[:1], order, tmp_path)] == ["still.png"]


def test_a_frame_is_made_small(frame: Path, tmp_path: Path) -> None:
    preview.preview(frame, tmp_path / "p.jpg", 20)
    assert pictures.open_picture(tmp_path / "p.jpg").size == (20, 15)
