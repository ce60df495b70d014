"""Breeding for the flock: what comes out is a genome that can be ordered, and looks like something."""

from pathlib import Path

import pytest
from tests.conftest import GENOMES

from sheepfold.kinds.flame.breed import breed
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
