"""Breeding for the flock: what comes out is a genome that can be ordered, and looks like something."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from lxml import etree
from tests.conftest import GENOMES

from sheepfold.kinds.flame.breed import breed
from sheepfold.kinds.flame.engine import breeding
from sheepfold.kinds.flame.engine.breeding import Eyes, pruned
from sheepfold.kinds.flame.engine.genome import Genome
from sheepfold.kinds.flame.engine.names import NAMES
from sheepfold.kinds.flame.genome import spex

SLOW = [pytest.param(method, marks=pytest.mark.slow) for method in ("random", "cross")]
SIZE = (160, 120)
PARENTS = {"random": [], "mutate": ["s11"], "cross": ["s11", "s14"]}


@pytest.mark.parametrize("method", ["mutate", *SLOW])
def test_a_child_is_a_genome_that_can_be_ordered(tmp_path: Path, method: str):
    parents = [GENOMES / f"{name}.flam3" for name in PARENTS[method]]
    target = tmp_path / "child.flam3"
    breed(method, parents, 5, target, SIZE)
    child = Genome.from_xml(target.read_bytes())
    assert child.xforms
    assert spex([target.read_bytes()], 1)
    assert all(target.read_bytes() != parent.read_bytes() for parent in parents)


def changed(folder: Path, **words: str) -> Path:
    """Write a parent's genome with other words; returns its path."""
    root = etree.fromstring((GENOMES / "s11.flam3").read_bytes())
    for flame in root.iter("flame"):
        flame.attrib.update(words)
    path = folder / "parent.flam3"
    path.write_bytes(etree.tostring(root))
    return path


@pytest.mark.parametrize("words", [
    {"passes": "0"}, {"quality": "x"}, {"estimator_radius": "30", "estimator_minimum": "20"},
])  # fmt: skip
def test_a_parent_is_read_as_its_order_was(tmp_path: Path, words: dict[str, str]):
    breed("mutate", [changed(tmp_path, **words)], 5, tmp_path / "child.flam3", SIZE)
    assert spex([(tmp_path / "child.flam3").read_bytes()], 1)


def test_a_child_has_the_size_of_the_flock_whatever_its_parent_had(tmp_path: Path):
    breed("mutate", [changed(tmp_path, size="100000 1")], 5, tmp_path / "child.flam3", SIZE)
    assert Genome.from_xml((tmp_path / "child.flam3").read_bytes()).size == SIZE


@pytest.mark.parametrize("size", [(100_000, 1), (1, 100_000), (1_000_000, 1_000_000)])
def test_a_candidate_is_looked_at_in_a_small_picture_whatever_its_size(size: tuple[int, int]):
    view = breeding.test_view(replace(Genome.from_xml((GENOMES / "r1.flam3").read_bytes()), size=size))
    assert 0 < view.size[0] * view.size[1] <= 40_000


def test_a_candidate_is_pruned_before_anybody_looks_at_it():
    upright = Genome.from_xml((GENOMES / "r1.flam3").read_bytes())
    laden = replace(upright.xforms[0], variations=dict.fromkeys(NAMES, 0.1))
    seen: list[int] = []

    def look(genome: Genome) -> np.ndarray:
        seen.extend(len(xform.variations) for xform in genome.xforms)
        return np.zeros((100, 133, 3), np.uint8)

    def count(genome: Genome) -> np.ndarray:
        look(genome)
        return np.ones(genome.size[::-1])

    make = lambda: (replace(upright, xforms=(laden,) * 3), "random")  # noqa: E731
    breeding.breed(make, np.random.default_rng(1), Eyes(look, count), tries=2)
    assert max(seen) == breeding.MAX_VARIATIONS


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
