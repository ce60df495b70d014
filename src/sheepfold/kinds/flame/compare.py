"""Whether two renders show the same flame frame.

Two machines with one build of flam3 and our seeds send identical pixels. Other builds, and old clients that ignore
the seed, send other noise, and no single PSNR tells noise from the next frame: measured, a dark genome's next frame
scored 42 dB where a bright genome's same frame scored 27. So both pictures are averaged over cells of 16 x 16 pixels,
which takes out most of the noise and little of a movement, and the difference is set against the picture's own
contrast instead of white.

Measured with flam3 3.1.1 on nine genomes (decibels of contrast over difference, same frame against next frame):

| size, quality, frames a turn | same, least | next, all but the stillest | next, stillest |
|------------------------------|-------------|----------------------------|----------------|
| 200x148, 5, 20               | 18.4        | up to 16.2                 | 17.9           |
| 400x296, 5, 160              | 21.4        | up to 18.1 (six genomes)   | 24.4           |
| 400x296, 20, 20              | 24.3        | up to 14.7                 | 17.0           |
| 400x296, 20, 160             | 26.8        | up to 19.3 (six genomes)   | 28.1           |
| 800x592, 50, 160             | 29.7        | up to 23.6 (eight genomes) | 27.4           |

What cannot be told apart is the neighbour frame of a slow sequence with little structure; another sheep's frame, a
frame several steps off, a damaged or an empty one can.
"""

import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sheepfold.kinds import pictures
from sheepfold.kinds.seam import Facts
from sheepfold.model.errors import UndecodablePicture

CELL_PX = 16
LEAST_PSNR_DB = 24.0  # of whole pixels, against noise poured over the right frame; the noisiest same frame had 26.5


def same(one: Path, other: Path, facts: Facts) -> bool:
    """Say whether two files show the same frame: identical pixels, or the same but for noise."""
    try:
        first, second = pictures.pixels(one), pictures.pixels(other)
    except UndecodablePicture:
        return False
    if first.shape != second.shape:
        return False
    ratio = pictures.psnr(first, second)
    if ratio == pictures.IDENTICAL:
        return True
    quality = float(facts.spec.get("quality", 50)) / int(facts.spec.get("parts", 1))
    return ratio >= LEAST_PSNR_DB and contrast_over_difference(first, second) >= least_contrast(quality)


def least_contrast(quality: float) -> float:
    """Return how far, in dB, contrast must stand above difference: 18 at quality 5, 6 more a decade, never over 26."""
    return min(26.0, max(17.0, 18.0 + 6.0 * math.log10(quality / 5.0)))


def contrast_over_difference(first: pictures.Pixels, second: pictures.Pixels) -> float:
    """Return the ratio of the variance of the cells' mean colours to their squared difference, in dB."""
    one, other = _cells(first), _cells(second)
    difference = float(np.square(one - other).mean())
    middle = (one + other) / 2
    contrast = float(np.square(middle - middle.mean(axis=(0, 1))).mean())
    if difference == 0:
        return math.inf
    return 10 * math.log10(contrast / difference) if contrast else -math.inf


def _cells(array: pictures.Pixels) -> NDArray[np.float64]:
    """Average over whole cells; what is left over at the right and the bottom counts for nothing, unless it is all."""
    height, width = (max(1, side // CELL_PX) for side in array.shape[:2])
    tall, wide = min(CELL_PX, array.shape[0]), min(CELL_PX, array.shape[1])
    blocks = array[: height * tall, : width * wide].reshape(height, tall, width, wide, 3)
    means: NDArray[np.float64] = blocks.sum(axis=(1, 3), dtype=np.uint32) / (tall * wide)
    return means
