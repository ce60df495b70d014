from pathlib import Path

import numpy as np
import pytest

from sheepfold.kinds.flame.engine import xml
from sheepfold.kinds.flame.engine.genome import Genome
from sheepfold.kinds.flame.engine.mutate import Mutation, Taste, mutate


@pytest.fixture
def genome(genomes: Path) -> Genome:
    return xml.read_one((genomes / "s11.flam3").read_bytes())


@pytest.mark.parametrize("method", list(Mutation))
def test_the_same_seed_makes_the_same_mutant(genome: Genome, method: Mutation) -> None:
    mutants = [xml.write(mutate(genome, np.random.default_rng(5), method)[0]) for _ in range(2)]
    assert mutants[0] == mutants[1]
    assert xml.read_one(mutants[0]).xforms


def test_new_variations_leave_the_affine_parts(genome: Genome) -> None:
    mutant, _ = mutate(genome, np.random.default_rng(1), Mutation.ALL_VARIATIONS)
    assert [xform.coefs for xform in mutant.xforms[: len(genome.xforms)]] == [xform.coefs for xform in genome.xforms]
    assert [dict(xform.variations) for xform in mutant.xforms] != [dict(xform.variations) for xform in genome.xforms]
    assert len(mutant.xforms) == len(genome.xforms)


def test_one_transform_changes_alone(genome: Genome) -> None:
    mutant, _ = mutate(genome, np.random.default_rng(1), Mutation.ONE_XFORM)
    assert sum(one != other for one, other in zip(mutant.xforms, genome.xforms, strict=True)) == 1


def test_all_coefficients_move_by_no_more_than_the_speed(genome: Genome) -> None:
    mutant, _ = mutate(genome, np.random.default_rng(1), Mutation.ALL_COEFS, Taste(speed=0.25))
    steps = [np.subtract(a.coefs, b.coefs) for a, b in zip(mutant.xforms, genome.xforms, strict=True)]
    assert 0.1 < np.abs(steps).max() <= 0.25


def test_a_deleted_transform_leaves_every_row_of_chaos(genome: Genome) -> None:
    chaotic = xml.read_one(
        '<flame size="9 9">'
        + "".join(f'<xform weight="1" linear="1" chaos="{n} 2 3" coefs="1 0 0 1 {n} 0"/>' for n in range(3))
        + "</flame>"
    )
    mutant, _ = mutate(chaotic, np.random.default_rng(1), Mutation.DELETE_XFORM)
    assert len(mutant.xforms) == 2
    assert {len(xform.chaos) for xform in mutant.xforms} == {2}


def test_the_last_transform_is_never_deleted() -> None:
    lone = xml.read_one('<flame size="9 9"><xform weight="1" linear="1" coefs="1 0 0 1 0 0"/></flame>')
    assert mutate(lone, np.random.default_rng(1), Mutation.DELETE_XFORM)[0] == lone


def test_post_transforms_without_turns_undo_what_they_take(genome: Genome) -> None:
    for seed in range(20):
        mutant, action = mutate(genome, np.random.default_rng(seed), Mutation.POST_XFORMS)
        assert action.startswith("mutate post xforms (")
        assert any(xform.has_post for xform in mutant.xforms)


def test_every_way_is_gone(genome: Genome) -> None:
    chance = np.random.default_rng(3)
    actions = {mutate(genome, chance)[1].translate({ord(c): None for c in "0123456789"}) for _ in range(200)}
    assert len({" ".join(action.split()[:3]) for action in actions}) >= 7
