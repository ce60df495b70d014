"""Breeding for the flock: what comes out is a genome that can be ordered, and looks like something."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.conftest import GENOMES

from sheepfold.kinds.flame.breed import breed
from sheepfold.kinds.flame.engine import breeding
from sheepfold.kinds.flame.engine.breeding import Eyes, pruned
from sheepfold.kinds.flame.engine.genome import Genome
from sheepfold.kinds.flame.genome import spex

SLOW = [pytest.param(method, marks=pytest.mark.slow) for method in ("random", "cross")]
PARENTS = {"random": [], "mutate": ["s11"], "cross": ["s11", "s14"]}


@pytest.mark.parametrize("method", ["mutate", *SLOW])
def test_a_child_is_a_genome_that_can_be_ordered(tmp_path: Path, method: str):
    parents = [GENOMES / f"{name}.flam3" for name in PARENTS[method]]
    target = tmp_path / "child.flam3"
    breed(method, parents, 5, target)
    child = Genome.from_xml(target.read_bytes())
    assert child.xforms
    assert spex([target.read_bytes()], 1)
    assert all(target.read_bytes() != parent.read_bytes() for parent in parents)


def test_a_flame_that_goes_dark_on_its_way_round_is_passed_over():
    upright = pruned(Genome.from_xml((GENOMES / "r1.flam3").read_bytes()))
    bright = np.full((100, 133, 3), 100, np.uint8)
    bright[:10] = 0
    names = iter(["dim", "dim", "steady", "never made"])

    def look(genome: Genome) -> np.ndarray:
        return bright if genome.name == "steady" or genome.xforms == upright.xforms else np.zeros_like(bright)

    class Never:
        def integers(self, most: int) -> int:
            return 0 * most

    def found(*turns: float) -> str:
        eyes = Eyes(look, lambda genome: np.ones(genome.size[::-1]))
        bred = breeding.breed(lambda: (replace(upright, name=next(names)), "mutate color"), Never(), eyes, turns=turns)
        return bred.name

    assert found() == "dim"
    assert found(0.5) == "steady"
