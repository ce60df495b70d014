from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sheepfold.kinds.flame.engine import xml
from sheepfold.kinds.flame.engine.cross import Crossing, cross
from sheepfold.kinds.flame.engine.genome import Genome


@pytest.fixture
def parents(genomes: Path) -> tuple[Genome, Genome]:
    first, second = (xml.read_one((genomes / f"{name}.flam3").read_bytes()) for name in ("s11", "final"))
    return first, second


@pytest.mark.parametrize("method", list(Crossing))
def test_the_same_seed_makes_the_same_child(parents: tuple[Genome, Genome], method: Crossing) -> None:
    children = [xml.write(cross(*parents, np.random.default_rng(5), method)[0]) for _ in range(2)]
    assert children[0] == children[1]
    assert xml.read_one(children[0]).xforms


def test_a_union_has_all_transforms_of_both(parents: tuple[Genome, Genome]) -> None:
    child, action = cross(*parents, np.random.default_rng(0), Crossing.UNION)
    wanted = [xform.coefs for parent in parents for xform in parent.xforms]
    assert [xform.coefs for xform in child.xforms] == wanted
    assert action.startswith("cross union")


def test_an_alternation_takes_from_both_place_by_place(genomes: Path) -> None:
    parents = tuple(xml.read_one((genomes / f"{name}.flam3").read_bytes()) for name in ("r1", "s14"))
    for seed in range(20):
        child, _ = cross(parents[0], parents[1], np.random.default_rng(seed), Crossing.ALTERNATE)
        origins = {
            who
            for place, xform in enumerate(child.xforms)
            for who, parent in enumerate(parents)
            if xform.coefs in [other.coefs for other in parent.xforms[place : place + 1]]
        }
        assert origins == {0, 1}


@pytest.mark.parametrize("idle", [0, 1])
def test_an_alternation_with_a_parent_that_never_plays_copies_the_other(
    parents: tuple[Genome, Genome], idle: int
) -> None:
    def weighted(parent: Genome, *weights: float) -> Genome:
        row = tuple(replace(xform, weight=weight) for xform, weight in zip(parent.xforms, weights, strict=False))
        return replace(parent, xforms=row, final=None)

    both = [weighted(parent, 0, 0) if at == idle else weighted(parent, 0, 0, 1) for at, parent in enumerate(parents)]
    child, action = cross(both[0], both[1], np.random.default_rng(1), Crossing.ALTERNATE)
    assert [xform.coefs for xform in child.xforms] == [xform.coefs for xform in both[1 - idle].xforms]
    assert action.startswith(f"cross alternate {1 - idle}")


def test_every_way_is_gone_as_often_as_in_flam3(parents: tuple[Genome, Genome]) -> None:
    chance = np.random.default_rng(3)
    actions = [cross(*parents, chance)[1].split()[1] for _ in range(300)]
    assert 15 <= actions.count("union") <= 50
    assert 15 <= actions.count("interpolate") <= 50
    assert 200 <= actions.count("alternate") <= 270
