from pathlib import Path

import pytest

import sheepfold.kinds.flame.spec
from sheepfold.kinds.flame import genome

SAMPLES = sorted((Path(sheepfold.kinds.flame.spec.__file__).parent / "samples").glob("*.flam3"))


def test_there_are_samples_for_two_loops_and_their_edge() -> None:
    assert len(SAMPLES) >= 2


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_a_sample_is_a_genome_that_can_be_ordered(path: Path) -> None:
    assert genome.spex([genome.read(path)], 1)
