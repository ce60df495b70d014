from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sheepfold.kinds.flame.engine import exposures, output, render, xml
from sheepfold.kinds.flame.engine.exposures import Negative
from sheepfold.kinds.flame.engine.genome import Genome
from sheepfold.kinds.flame.engine.render import Exposure
from sheepfold.model.errors import InvalidSpec


@pytest.fixture
def genome() -> Genome:
    text = (
        '<flame size="20 12" scale="5" quality="3"><xform weight="1" color="0" linear="1" coefs="1 0 0 1 0 0"/></flame>'
    )
    return xml.read_one(text)


def negative(genome: Genome, seed: int, channels: int = 4) -> Negative:
    window = render.window_of(genome)
    grid = np.random.default_rng(seed).uniform(0, 1e6, (window.height, window.width, channels)).astype(np.float32)
    return Negative(genome, Exposure(grid, 1000 + seed), (seed,))


@pytest.mark.parametrize("channels", [4, 5])
def test_what_is_saved_is_loaded_bit_by_bit(genome: Genome, tmp_path: Path, channels: int) -> None:
    saved = negative(genome, 7, channels)
    saved.save(tmp_path / "a.exr")
    loaded = exposures.load(tmp_path / "a.exr")
    assert np.array_equal(loaded.exposure.buckets, saved.exposure.buckets)
    assert (loaded.exposure.samples, loaded.seeds) == (1007, (7,))
    assert (saved + replace(loaded, seeds=(8,))).seeds == (7, 8)


def test_quality_makes_no_other_frame_but_a_camera_does(genome: Genome) -> None:
    one = negative(genome, 1)
    both = one + negative(replace(genome, quality=99.0), 2)
    assert both.exposure.samples == 2003
    with pytest.raises(InvalidSpec, match="another frame"):
        one + negative(replace(genome, rotate=1.0), 2)


def test_the_same_seed_is_not_added_twice(genome: Genome) -> None:
    with pytest.raises(InvalidSpec, match="Seed 1 is in both"):
        negative(genome, 1) + negative(genome, 1)


def test_files_that_hold_no_buckets_are_refused(genome: Genome, tmp_path: Path) -> None:
    (tmp_path / "text.exr").write_text("no picture")
    output.save_buckets(np.zeros((3, 3, 4), np.float32), tmp_path / "strange.exr")
    whole = negative(genome, 1)
    replace(whole, genome=replace(genome, size=(90, 90))).save(tmp_path / "small.exr")
    broken = np.full_like(whole.exposure.buckets, np.nan)
    replace(whole, exposure=Exposure(broken, 5)).save(tmp_path / "nan.exr")
    for name, reason in {
        "text.exr": "no EXR", "strange.exr": "no buckets", "small.exr": "not of its genome's size", "nan.exr": "broken"
    }.items():  # fmt: skip
        with pytest.raises(InvalidSpec, match=reason):
            exposures.load(tmp_path / name)
