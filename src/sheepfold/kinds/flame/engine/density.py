"""Density estimation: buckets are spread over their neighbourhood, the wider the fewer hits they have.

flam3's kernels, by hits: radius (widest x supersample + 1) / hits^curve, a Gaussian cut off there; above 100 hits one
kernel serves several counts. Here each kernel is rows of float32 in eights, which are added to planes of colour: as
wide as a processor's vectors, and without a branch.
"""

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sheepfold.kinds.flame.engine.approx import F, log
from sheepfold.kinds.flame.engine.filters import gaussian
from sheepfold.kinds.flame.engine.loops import kernel

THRESHOLD = 100
LANES = 8

Planes = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Kernels:
    """All kernels of a render: `rows[k, dy]` begins `reach[k]` left of the middle. `steepness` is the curve."""

    rows: NDArray[np.float32]
    reach: NDArray[np.int64]
    steepness: float
    most_hits: float

    @property
    def border(self) -> int:
        """Return how far the widest kernel reaches."""
        return int(self.reach[0])


def make_kernels(widest: float, narrowest: float, curve: float, supersample: int) -> Kernels:
    """Return the kernels for every count of hits. Raises ValueError for a curve of 0 or radii in wrong order."""
    if curve <= 0 or widest < narrowest or narrowest < 0:
        raise ValueError(f"no density estimator goes from {widest:g} to {narrowest:g} along a curve of {curve:g}")
    high, low = widest * supersample + 1, narrowest * supersample + 1
    exact = (high / low) ** (1.0 / curve)
    if exact > 1e7:
        raise ValueError(f"a density estimator of {exact:.3g} kernels is too large")
    count, most_hits = _extent(math.ceil(exact), curve)
    widths = []
    for index in range(count):
        hits = index if index < THRESHOLD else (index - THRESHOLD) ** (1.0 / curve) + THRESHOLD
        widths.append(high / (hits + 1) ** curve)
        if widths[-1] <= low:
            widths[-1] = low
            break
    half = math.ceil(high) - 1
    reach = np.array([min(half, math.ceil(width) - 1) for width in widths])
    length = -(-(2 * half + 1) // LANES) * LANES
    rows = np.zeros((len(widths), half + 1, length), np.float32)
    for index, width in enumerate(widths):
        _fill(rows[index], width, int(reach[index]), half)
    return Kernels(rows, reach, curve, float(most_hits))


def _extent(count: int, curve: float) -> tuple[int, int]:
    """Return how many kernels there are at most, and from how many hits on the last one serves."""
    if count <= THRESHOLD:
        return count, count
    last = math.ceil(THRESHOLD + (count - THRESHOLD) ** curve) + 1
    return last, int((last - THRESHOLD) ** (1.0 / curve)) + THRESHOLD


def _fill(rows: NDArray[np.float32], width: float, reach: int, half: int) -> None:
    """Write a kernel. Of a whole width, flam3 counts the four farthest buckets in the sum, yet never adds to them.

    So a kernel of width 1, that of dense places, keeps but 96 % of the light.
    """
    rim = min(half, math.floor(width))
    offsets = np.arange(-rim, rim + 1)
    distance = np.hypot(offsets[:, None], offsets[None, :]) / width
    values = np.where(distance <= 1.0, np.exp(-2.0 * (1.5 * distance) ** 2) * gaussian(0.0), 0.0)
    values /= values.sum()
    for dy in range(reach + 1):
        rows[dy, : 2 * reach + 1] = values[rim + dy, rim - reach : rim + reach + 1]


def spread(
    buckets: NDArray[np.float32], kernels: Kernels, supersample: int, k1: float, k2: float, threads: int
) -> Planes:
    """Return four planes of log density, with a margin left and right: `border` before, whole lanes behind.

    Bands of rows are done in two turns, every other one, so that no two threads write to one row: the outcome does
    not hang on their number.
    """
    height, width = buckets.shape[:2]
    planes = np.zeros((4, height, margin(kernels) + width + kernels.rows.shape[2]), np.float32)
    tall = max(32, 2 * kernels.border + 1)
    starts = range(0, height, tall)
    numbers = (supersample, k1, k2, kernels.steepness, kernels.most_hits)

    def band(start: int) -> None:
        _spread(buckets, planes[0], planes[1], planes[2], planes[3], kernels.rows, kernels.reach,
                start, min(start + tall, height), *numbers)  # fmt: skip

    with ThreadPoolExecutor(threads) as pool:
        for turn in (0, 1):
            list(pool.map(band, starts[turn::2]))
    return planes


def margin(kernels: Kernels) -> int:
    """Return the columns before the first bucket's in the planes."""
    return kernels.border


@kernel
def _select(hits, steepness, most_hits, last):  # type: ignore[no-untyped-def]
    if hits > most_hits:
        return last
    if hits <= 100.0:
        return min(int(math.ceil(hits)) - 1, last)
    return min(100 + int(math.floor((hits - 100.0) ** steepness)), last)


@kernel
def _hits(buckets, i, j, supersample):  # type: ignore[no-untyped-def]
    """Sum the alpha, in hits, around a bucket, scaled as if they were those of one pixel."""
    half = supersample // 2
    channel = buckets.shape[2] - 1
    total = 0.0
    for y in range(max(0, j - half), min(buckets.shape[0], j + half + 1)):
        for x in range(max(0, i - half), min(buckets.shape[1], i + half + 1)):
            total += buckets[y, x, channel]
    if supersample % 2 == 0:
        total *= (supersample / (supersample + 1.0)) ** 2
    return total / 255.0


@kernel
def _spread(buckets, red, green, blue, alpha, rows, reach, start, end, supersample, k1, k2, steepness, most_hits):  # type: ignore[no-untyped-def]
    height, width = buckets.shape[0], buckets.shape[1]
    last, border = len(reach) - 1, reach[0]
    edge = supersample - 1
    for j in range(max(start, edge), end):
        for i in range(edge, width - edge):
            density = buckets[j, i, 3]
            if density <= F(0):
                continue
            k = _select(_hits(buckets, i, j, supersample), steepness, most_hits, last)
            scale = F(k1) * log(F(1) + density * F(k2)) / density
            far = reach[k]
            r, g, b, a = buckets[j, i, 0] * scale, buckets[j, i, 1] * scale, buckets[j, i, 2] * scale, density * scale
            left = border + i - far
            blocks = (2 * far + 8) // 8
            for y in range(max(0, j - far), min(height, j + far + 1)):
                row = rows[k, abs(y - j)]
                for block in range(blocks):
                    at = block * 8
                    _add(row[at : at + 8], red[y, left + at : left + at + 8], r)
                    _add(row[at : at + 8], green[y, left + at : left + at + 8], g)
                    _add(row[at : at + 8], blue[y, left + at : left + at + 8], b)
                    _add(row[at : at + 8], alpha[y, left + at : left + at + 8], a)


@kernel
def _add(row, target, value):  # type: ignore[no-untyped-def]
    for lane in range(8):
        target[lane] += row[lane] * value


def take_log(buckets: NDArray[np.float32], k1: float, k2: float) -> Planes:
    """Return four planes of log density without density estimation."""
    planes = np.zeros((4, *buckets.shape[:2]), np.float32)
    _take_log(buckets, planes, k1, k2)
    return planes


@kernel
def _take_log(buckets, planes, k1, k2):  # type: ignore[no-untyped-def]
    for j in range(buckets.shape[0]):
        for i in range(buckets.shape[1]):
            density = buckets[j, i, 3]
            if density > F(0):
                scale = F(k1) * log(F(1) + density * F(k2)) / density
                for channel in range(4):
                    planes[channel, j, i] = buckets[j, i, channel] * scale
