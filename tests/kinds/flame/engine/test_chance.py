import numpy as np
import pytest

from sheepfold.kinds.flame.engine import xml
from sheepfold.kinds.flame.engine.chance import USUAL, random_genome, random_parameters
from sheepfold.kinds.flame.engine.names import NAMES, PARAMETERS


def test_the_same_seed_makes_the_same_genome() -> None:
    one, other = (xml.write(random_genome(np.random.default_rng(8))) for _ in range(2))
    assert one == other
    assert one != xml.write(random_genome(np.random.default_rng(9)))


def test_random_genomes_are_whole() -> None:
    for seed in range(100):
        genome = random_genome(np.random.default_rng(seed))
        assert xml.read_one(xml.write(genome)) == genome
        for xform in genome.transforms:
            assert sum(xform.variations.values()) == pytest.approx(1.0)
            assert set(xform.variations) <= {*USUAL, "linear"}


def test_every_parameter_is_drawn() -> None:
    chance = np.random.default_rng(1)
    for name in NAMES:
        assert set(random_parameters(chance, [name])) == set(PARAMETERS.get(name, ()))


def test_told_counts_and_variations_are_obeyed() -> None:
    for seed in range(20):
        genome = random_genome(np.random.default_rng(seed), ("julian", "swirl"), symmetry=3, xform_count=4)
        assert len(genome.xforms) == 6
        assert {name for xform in genome.xforms[:4] for name in xform.variations} <= {"julian", "swirl"}
