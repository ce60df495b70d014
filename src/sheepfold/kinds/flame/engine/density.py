"""Density estimation: buckets are spread over their neighbourhood, the wider the fewer hits they have.

flam3's kernels, by hits: radius (widest x supersample + 1) / hits^curve, a Gaussian cut off there; above 100 hits one
kernel serves several counts. A bucket's four channels are one vector, which is added, times the kernel's numbers, to
each bucket around; what lies side by side stays so, or a processor waits for what it has just written.
"""

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from sheepfold.kinds.flame.engine.approx import F, floor, log, pick, power
from sheepfold.kinds.flame.engine.filters import gaussian
from sheepfold.kinds.flame.engine.loops import ONE, kernel
from sheepfold.kinds.flame.engine.vectors import add_scaled_four

THRESHOLD = 100

Light = NDArray[np.float32]
"""Log density: rows by columns by red, green, blue, alpha."""


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


@lru_cache(8)
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
    rows = np.zeros((len(widths), half + 1, 2 * half + 1), np.float32)
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
    rows[: reach + 1, : 2 * reach + 1] = values[rim : rim + reach + 1, rim - reach : rim + reach + 1]


def spread(
    buckets: NDArray[np.float32], kernels: Kernels, supersample: int, k1: float, k2: float, threads: int
) -> Light:
    """Return the log density, spread, with a margin left and right: `reach[0]`, the widest kernel's.

    Bands of rows are done in two turns, every other one, so that no two threads write to one row: the outcome does
    not hang on their number.
    """
    height, width = buckets.shape[:2]
    border = int(kernels.reach[0])
    light = np.zeros((height, width + 2 * border, 4), np.float32)
    tall = max(32, 2 * border + 1)
    starts = range(0, height, tall)
    numbers = (supersample, F(k1), F(k2), F(kernels.steepness), F(kernels.most_hits))

    def band(start: int) -> None:
        _spread(buckets, buckets.reshape(-1), light.reshape(-1), kernels.rows, kernels.reach,
                start, min(start + tall, height), *numbers)  # fmt: skip

    with ThreadPoolExecutor(threads) as pool:
        for turn in (0, 1):
            list(pool.map(band, starts[turn::2]))
    return light


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
    return F(total / 255.0)


@kernel
def _select(hits, chosen, steepness, most_hits, last):  # type: ignore[no-untyped-def]
    """Choose a kernel for each number of hits in a row."""
    for i in range(len(hits)):
        few = np.int32(-floor(-hits[i])) - ONE
        many = np.int32(100) + np.int32(power(max(hits[i] - F(100), F(0)), steepness))
        index = pick(hits[i] <= F(100), np.int32(few), np.int32(many))
        chosen[i] = pick(hits[i] > most_hits, last, min(index, last))


@kernel
def _scale(buckets, j, scales, k1, k2):  # type: ignore[no-untyped-def]
    """Tell by what each bucket of a row is to be multiplied for its log density: 0 where it is empty."""
    for i in range(len(scales)):
        density = buckets[j, i, 3]
        scales[i] = pick(density > F(0), k1 * log(F(1) + density * k2) / density, F(0))


@kernel
def _spread(buckets, flat, light, rows, reach, start, end, supersample, k1, k2, steepness, most_hits):  # type: ignore[no-untyped-def]
    """Add the buckets of some rows, `flat` their numbers one after another, to the light around them."""
    height, width, channels = buckets.shape
    edge, across = supersample - 1, width + 2 * reach[0]
    hits, scales, chosen = np.empty(width, np.float32), np.empty(width, np.float32), np.empty(width, np.int32)
    for j in range(max(start, edge), end):
        for i in range(width):
            hits[i] = _hits(buckets, i, j, supersample)
        _select(hits, chosen, steepness, most_hits, np.int32(len(reach) - 1))
        _scale(buckets, j, scales, k1, k2)
        for i in range(edge, width - edge):
            if scales[i] == F(0):
                continue
            far, source = reach[chosen[i]], (j * width + i) * channels
            for y in range(max(0, j - far), min(height, j + far + 1)):
                row = rows[chosen[i], abs(y - j)]
                left = (y * across + reach[0] + i - far) * 4
                for x in range(2 * far + 1):
                    add_scaled_four(light, left + 4 * x, flat, source, row[x] * scales[i])


def take_log(buckets: NDArray[np.float32], k1: float, k2: float) -> Light:
    """Return the log density without density estimation."""
    light = np.zeros((*buckets.shape[:2], 4), np.float32)
    _take_log(buckets, buckets.reshape(-1), light.reshape(-1), F(k1), F(k2))
    return light


@kernel
def _take_log(buckets, flat, light, k1, k2):  # type: ignore[no-untyped-def]
    height, width, channels = buckets.shape
    scales = np.empty(width, np.float32)
    for j in range(height):
        _scale(buckets, j, scales, k1, k2)
        for i in range(width):
            add_scaled_four(light, (j * width + i) * 4, flat, (j * width + i) * channels, scales[i])
