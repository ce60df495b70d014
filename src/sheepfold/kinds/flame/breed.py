"""New genomes for a flock that lives by itself: random ones, mutants, and children of two parents."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from sheepfold.kinds.flame.engine.breeding import breed as bred
from sheepfold.kinds.flame.engine.breeding import engine_eyes
from sheepfold.kinds.flame.engine.chance import random_genome
from sheepfold.kinds.flame.engine.cross import cross
from sheepfold.kinds.flame.engine.genome import Genome
from sheepfold.kinds.flame.engine.mutate import mutate
from sheepfold.kinds.flame.genome import read, spex

TURNS = tuple(eighth / 8 for eighth in range(1, 8))
"""A bred flame becomes a loop, and is looked at all the way round."""


def breed(method: str, parents: Sequence[Path], seed: int, target: Path, size: tuple[int, int]) -> None:
    """Write the genome of a new flame: `random` of no parent, `mutate` of one, `cross` of two.

    Parents are seen at a size in pixels, the flock's. The same seed, parents and size give the same genome. Raises
    InvalidSpec where a parent's genome cannot be read.
    """
    chance = np.random.default_rng(seed)
    genomes = [_parent(path, size) for path in parents]
    ways: dict[str, Callable[[], tuple[Genome, str]]] = {
        "random": lambda: (random_genome(chance), "random"),
        "mutate": lambda: mutate(genomes[0], chance),
        "cross": lambda: cross(genomes[0], genomes[1], chance),
    }
    child = bred(ways[method], chance, engine_eyes(seed), turns=TURNS)
    target.write_bytes(replace(child, time=0.0).to_xml())


def _parent(path: Path, size: tuple[int, int]) -> Genome:
    """Read a stranger's genome as its order did, without what no order looks at, and at another size."""
    genome = Genome.from_xml(spex([read(path)], 1))
    return replace(genome, size=size, scale=genome.scale * size[1] / genome.size[1])
