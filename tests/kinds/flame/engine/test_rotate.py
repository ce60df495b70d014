import random
from pathlib import Path
from types import ModuleType

import pytest
from lxml import etree

from sheepfold.kinds.flame.engine import sequence, xml
from sheepfold.kinds.flame.engine.genome import MotionFunction
from sheepfold.kinds.flame.engine.rotate import spin, wave


def assert_loop_is_flam3s(oracle: ModuleType, folder: Path, seed: int) -> None:
    chance = random.Random(seed)
    text = oracle.genome_text(chance, chance.choice(["log", "linear", "old"]))
    frames = chance.randint(1, 30)
    frame = chance.randrange(frames)
    theirs = oracle.run(folder, text.encode(), rotate=str(frame), nframes=str(frames))
    for point, wanted in zip(sequence.loop_frame(xml.read_one(text), frame, frames), theirs, strict=True):
        gap, where = oracle.deviation(etree.fromstring(xml.write_as_flam3(point)), wanted)
        assert gap < 2e-5, where


def test_random_loops_are_those_of_flam3_genome(oracle: ModuleType, tmp_path: Path) -> None:
    for seed in range(24):
        assert_loop_is_flam3s(oracle, tmp_path, seed)


@pytest.mark.slow
def test_hundreds_of_random_loops_are_those_of_flam3_genome(oracle: ModuleType, tmp_path: Path) -> None:
    for seed in range(2000, 2300):
        assert_loop_is_flam3s(oracle, tmp_path, seed)


def test_a_whole_turn_leads_back(genomes: Path) -> None:
    flame = xml.read_one((genomes / "r3.flam3").read_bytes())
    for before, after in zip(flame.xforms, spin(flame, 1.0).xforms, strict=True):
        assert after.coefs == pytest.approx(before.coefs)


@pytest.mark.parametrize("function", list(MotionFunction))
def test_waves_rest_at_whole_turns(function: MotionFunction) -> None:
    assert [wave(function, time) for time in (-1.0, 0.0, 1.0, 2.0)] == pytest.approx([0.0] * 4, abs=1e-12)
    assert max(abs(wave(function, step / 100)) for step in range(100)) == pytest.approx(1.0)
