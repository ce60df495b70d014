from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sheepfold.kinds.flame.engine import xml
from sheepfold.kinds.flame.engine.breeding import Eyes, Standard, box_of, breed, framed, passes, pruned
from sheepfold.kinds.flame.engine.genome import Genome


def disc(genome: Genome) -> np.ndarray:
    """Return where a disc of radius 0.5 around (1, 2) lies in a genome's view."""
    width, height = genome.size
    x = (np.arange(width) + 0.5 - width / 2) / genome.scale + genome.center[0]
    y = (np.arange(height) + 0.5 - height / 2) / genome.scale + genome.center[1]
    return ((x[None, :] - 1) ** 2 + (y[:, None] - 2) ** 2 < 0.25).astype(float)


def bright(genome: Genome) -> np.ndarray:
    return (disc(genome)[..., None] * 200 * genome.xforms[0].color * np.ones(3)).astype(np.uint8)


@pytest.fixture
def genome(genomes: Path) -> Genome:
    return xml.read_one((genomes / "s11.flam3").read_bytes())


def test_the_box_holds_most_of_a_flame(genome: Genome) -> None:
    (left, top), (right, bottom) = box_of(genome, disc)
    assert (left, right) == pytest.approx((0.5, 1.5), abs=0.06)
    assert (top, bottom) == pytest.approx((1.5, 2.5), abs=0.06)


def test_a_frame_is_as_wide_as_the_flame(genome: Genome) -> None:
    for seed in range(10):
        view, _ = framed(genome, np.random.default_rng(seed), disc)
        assert view.size[0] / view.scale == pytest.approx(1.0, abs=0.12)
        assert abs(view.center[0] - 1) < 0.4


def test_pictures_too_dark_too_full_and_too_white_do_not_pass() -> None:
    picture = np.full((10, 10, 3), 100, np.uint8)
    assert not passes(picture, Standard())
    picture[0] = 0
    assert passes(picture, Standard())
    picture[1:3] = 255
    assert not passes(picture, Standard())
    assert not passes(np.zeros((10, 10, 3), np.uint8), Standard())


def test_breeding_goes_on_until_a_candidate_passes(genome: Genome) -> None:
    dark = replace(genome, xforms=tuple(replace(xform, color=0.0) for xform in genome.xforms))
    light = replace(genome, xforms=tuple(replace(xform, color=1.0) for xform in genome.xforms))
    candidates = iter([(dark, "mutate color dark"), (dark, "mutate color dark"), (light, "mutate color light")])
    centred = Eyes(bright, disc)
    found = breed(lambda: next(candidates), np.random.default_rng(0), centred, Standard(mean=0.01))
    assert found.xforms[0].color == 1.0
    assert "light" in found.edits
    assert xml.read_one(xml.write(found)) == found


def test_pruning_keeps_the_weightiest_variations(genome: Genome) -> None:
    weights = {"linear": 0.1, "swirl": 0.9, "heart": -0.8, "disc": 0.7, "spiral": 0.6, "julia": 0.5}
    rich = [replace(xform, variations=weights) for xform in genome.xforms]
    full = replace(genome, xforms=(*rich, replace(genome.xforms[0], weight=0.0)))
    lean = pruned(full)
    assert len(lean.xforms) == len(genome.xforms)
    assert set(lean.xforms[0].variations) == set(weights) - {"linear"}
