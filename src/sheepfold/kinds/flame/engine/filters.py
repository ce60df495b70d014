"""Filters in space and time, as flam3's: a pixel's kernel, and the weights of a frame's moments."""

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Kernel = NDArray[np.float64]


def _sinc(x: float) -> float:
    return math.sin(math.pi * x) / (math.pi * x) if x else 1.0


def gaussian(x: float) -> float:
    """Return the filter of density estimation, of pixels and of moments; its support is 1.5."""
    return math.exp(-2.0 * x * x) * math.sqrt(2.0 / math.pi)


def _hermite(x: float) -> float:
    t = abs(x)
    return (2.0 * t - 3.0) * t * t + 1.0 if t < 1.0 else 0.0


def _box(x: float) -> float:
    return 1.0 if -0.5 < x <= 0.5 else 0.0


def _triangle(x: float) -> float:
    return max(0.0, 1.0 - abs(x))


def _bell(x: float) -> float:
    t = abs(x)
    if t < 0.5:
        return 0.75 - t * t
    return 0.5 * (t - 1.5) ** 2 if t < 1.5 else 0.0


def _bspline(x: float) -> float:
    t = abs(x)
    if t < 1.0:
        return 0.5 * t**3 - t * t + 2.0 / 3.0
    return (2.0 - t) ** 3 / 6.0 if t < 2.0 else 0.0


def _cubic(b: float, c: float) -> Callable[[float], float]:
    """Return the piecewise cubic of Mitchell and Netravali with these two parameters."""

    def value(x: float) -> float:
        t = abs(x)
        if t < 1.0:
            return ((12 - 9 * b - 6 * c) * t**3 + (-18 + 12 * b + 6 * c) * t * t + 6 - 2 * b) / 6
        if t < 2.0:
            return ((-b - 6 * c) * t**3 + (6 * b + 30 * c) * t * t + (-12 * b - 48 * c) * t + 8 * b + 24 * c) / 6
        return 0.0

    return value


def _blackman(x: float) -> float:
    return _sinc(x) * (0.42 + 0.5 * math.cos(math.pi * x) + 0.08 * math.cos(2 * math.pi * x))


def _raised_cosine(level: float) -> Callable[[float], float]:
    return lambda x: _sinc(x) * (level + (1.0 - level) * math.cos(math.pi * x))


def _lanczos(lobes: float) -> Callable[[float], float]:
    """Return a Lanczos filter as flam3 has it: its window is multiplied in twice."""
    return lambda x: _sinc(x) * _sinc(x / lobes) ** 2 if abs(x) < lobes else 0.0


_FORMULAS: tuple[tuple[Callable[[float], float], float], ...] = (
    (gaussian, 1.5),
    (_hermite, 1.0),
    (_box, 0.5),
    (_triangle, 1.0),
    (_bell, 1.5),
    (_bspline, 2.0),
    (_cubic(1.0 / 3.0, 1.0 / 3.0), 2.0),  # Mitchell and Netravali's own
    (_blackman, 1.0),
    (_cubic(0.0, 0.5), 2.0),  # Catmull and Rom's
    (_raised_cosine(0.5), 1.0),  # von Hann's
    (_raised_cosine(0.54), 1.0),  # Hamming's
    (_lanczos(3.0), 3.0),
    (_lanczos(2.0), 2.0),
    (_bell, 1.5),
)
NUMBERS = {
    "gaussian": 0, "hermite": 1, "box": 2, "triangle": 3, "bell": 4, "bspline": 5, "lanczos3": 6, "lanczos2": 7,
    "mitchell": 8, "blackman": 9, "catrom": 10, "hamming": 11, "hanning": 12, "quadratic": 13,
}  # fmt: skip
"""The numbers that flam3's words stand for. Its formulas stand in another order: `mitchell` means Catmull and Rom's."""

SHAPES = {shape: _FORMULAS[number] for shape, number in NUMBERS.items()}
"""Each filter shape's function, and how far from its middle it reaches."""


def spatial(shape: str, radius: float, supersample: int) -> Kernel:
    """Return one axis of a pixel's kernel over buckets; the whole kernel is its product with itself.

    The width has the parity of `supersample`, and the sum is 1. Raises ValueError where the sum is 0.
    """
    function, reach = SHAPES[shape]
    wide = 2.0 * reach * supersample * radius
    width = int(wide) + 1
    width += (width ^ supersample) & 1
    adjust = reach * width / wide if wide > 0 else 1.0
    values = np.array([function(((2 * i + 1) / width - 1.0) * adjust) for i in range(width)])
    if values.sum() == 0.0:
        raise ValueError(f"a {shape} filter of radius {radius:g}, which lets nothing through")
    normal: Kernel = values / values.sum()
    return normal


def temporal(kind: str, steps: int, width: float, exponent: float) -> tuple[Kernel, Kernel, float]:
    """Return the moments around a frame's time, their weights (the greatest is 1), and the weights' mean."""
    if steps == 1:
        return np.zeros(1), np.ones(1), 1.0
    index = np.arange(steps)
    deltas = (index / (steps - 1) - 0.5) * width
    if kind == "exp":
        slope = (index + 1.0) / steps if exponent >= 0 else (steps - index) / steps
        weights = slope ** abs(exponent)
    elif kind == "gaussian":
        weights = np.array([gaussian(1.5 * abs(i - steps / 2) / (steps / 2)) for i in index])
    else:
        weights = np.ones(steps)
    weights = weights / weights.max()
    return deltas, weights, float(weights.mean())
