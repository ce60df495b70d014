"""Colours that show a flame's shape: colour coordinates are tried out, and the most colourful picture wins."""

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from sheepfold.kinds.flame.engine import palettes
from sheepfold.kinds.flame.engine.chance import Chance
from sheepfold.kinds.flame.engine.genome import Genome

Pixels = NDArray[np.uint8]
Look = Callable[[Genome], Pixels]
"""Renders a genome at its own size and quality: rows of pixels of red, green and blue."""

RESOLUTION = 10  # cells a channel, in which colours count as one
TRIAL_PX = 10_000


def improved(genome: Genome, chance: Chance, look: Look, tries: int, *, has_palettes: bool = False) -> Genome:
    """Return the most colourful of a genome and `tries` others with changed colour coordinates, or palettes too."""
    best, score = genome, colorfulness(genome, look)
    candidate = genome
    for _ in range(tries):
        candidate = recolored(candidate, chance, has_palettes=has_palettes)
        found = colorfulness(candidate, look)
        if found > score:
            best, score = candidate, found
    return best


def colorfulness(genome: Genome, look: Look) -> float:
    """Return the part of all colours that a small picture of a genome has."""
    pixels = look(trial(genome))[..., :3].astype(np.int64) * RESOLUTION // 256
    cells = np.unique(pixels[..., 0] + RESOLUTION * (pixels[..., 1] + RESOLUTION * pixels[..., 2]))
    return float(cells.size) / RESOLUTION**3


def trial(genome: Genome) -> Genome:
    """Return a genome for a small, coarse picture of the same view, of about 10,000 pixels."""
    part = math.sqrt(TRIAL_PX / (genome.size[0] * genome.size[1]))
    return replace(
        genome,
        size=(max(1, int(genome.size[0] * part)), max(1, int(genome.size[1] * part))),
        scale=genome.scale * part,
        quality=1.0,
        supersample=1,
        estimator_radius=0.0,
        passes=1,
        temporal_samples=1,
    )


def recolored(genome: Genome, chance: Chance, *, has_palettes: bool = False) -> Genome:
    """Return a genome with random colour coordinates, often with one at either end of the palette."""
    colors = [float(value) for value in chance.random(len(genome.xforms))]
    weighty = [at for at, xform in enumerate(genome.xforms) if xform.weight > 0]
    for at, end in zip(chance.permutation(weighty), (0.0, 1.0), strict=False):
        if chance.integers(2):
            colors[int(at)] = end
    xforms = tuple(replace(xform, color=color) for xform, color in zip(genome.xforms, colors, strict=True))
    if not has_palettes:
        return replace(genome, xforms=xforms)
    return replace(genome, xforms=xforms, palette=palettes.any_palette(chance), palette_index=None, hue_rotation=0.0)
