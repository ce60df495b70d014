"""From buckets to a picture: log density, density estimation, filters, gamma, highlights, background, whole numbers."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sheepfold.kinds.flame.engine import density, filters
from sheepfold.kinds.flame.engine.approx import F, power
from sheepfold.kinds.flame.engine.genome import Genome
from sheepfold.kinds.flame.engine.loops import kernel

WHITE = 255.0
STRIP_BYTES = 16 * 2**20  # of log density at once: a large picture is developed in strips
Buckets = NDArray[np.float32]
Pixels = NDArray[np.uint8] | NDArray[np.uint16]


@dataclass(frozen=True, slots=True)
class Tone:
    """How a picture is developed beyond what its genome says; `bits` a channel are 8 or 16."""

    is_transparent: bool = False
    early_clip: bool = False
    bits: int = 8
    has_estimation: bool = True


def gutter(genome: Genome) -> int:
    """Return the buckets around the picture that filters reach into."""
    kernel_width = len(_pixel_kernel(genome))
    rim = (kernel_width - genome.supersample) // 2
    estimator = int(np.ceil(genome.estimator_radius)) * genome.supersample
    return max(rim, estimator + genome.supersample - 1 if estimator else 0)


def develop(buckets: Buckets, genome: Genome, density_px: float, tone: Tone | None = None, *, threads: int = 1) -> Pixels:  # noqa: E501
    """Return the picture, rows by columns by 3 channels, or 4 where it is transparent.

    `buckets` has the picture's rows and columns times `supersample` and a gutter around; `density_px` is the samples
    a pixel that they hold, times the mean weight of the frame's moments. The genome is the frame's own, the mean over
    its moments. The outcome does not hang on `threads`.
    """
    tone = tone or Tone()
    width, height = size_of(buckets, genome)
    out = np.empty((height, width, 4 if tone.is_transparent else 3), np.uint16 if tone.bits == 16 else np.uint8)
    step, rim = genome.supersample, 2 * gutter(genome)
    tall = max(64, STRIP_BYTES // (16 * step * buckets.shape[1]))
    for start in range(0, height, tall):
        end = min(start + tall, height)
        _develop_strip(buckets[start * step : end * step + rim], out[start:end], genome, density_px, tone, threads)
    return out


def _develop_strip(
    buckets: Buckets, out: Pixels, genome: Genome, density_px: float, tone: Tone, threads: int
) -> None:
    planes, left = _accumulate(buckets, genome, density_px, tone, threads)
    kernel_px = _pixel_kernel(genome).astype(np.float32)
    offset = gutter(genome) - (len(kernel_px) - genome.supersample) // 2
    numbers = np.array([1.0 / genome.gamma, genome.vibrancy, genome.gamma_threshold, genome.highlight_power,
                        *(256.0 * value for value in genome.background)], np.float32)  # fmt: skip
    scale = np.array([256.0, 65535.0] if tone.bits == 16 else [1.0, 255.0], np.float32)
    if tone.early_clip:
        _clip(planes, numbers, tone.is_transparent)

    def rows(start: int) -> None:
        _develop(planes, out, kernel_px, numbers, scale, offset, left + offset, genome.supersample,
                 start, min(start + 64, len(out)), tone.early_clip)  # fmt: skip

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(rows, range(0, len(out), 64)))


def size_of(buckets: Buckets, genome: Genome) -> tuple[int, int]:
    """Return the width and height in pixels of what buckets hold; strips are lower than the genome's size."""
    border = 2 * gutter(genome)
    return (buckets.shape[1] - border) // genome.supersample, (buckets.shape[0] - border) // genome.supersample


def _pixel_kernel(genome: Genome) -> filters.Kernel:
    return filters.spatial(genome.filter_shape, genome.filter_radius, genome.supersample)


def _accumulate(
    buckets: Buckets, genome: Genome, density_px: float, tone: Tone, threads: int
) -> tuple[density.Planes, int]:
    """Return planes of log density, and the column of theirs at which the buckets begin."""
    scale = genome.scale * 2.0**genome.zoom
    area = genome.size[0] * genome.size[1] / scale**2
    k1 = genome.contrast * genome.brightness * WHITE * 268.0 / 256.0
    k2 = genome.supersample**2 / (genome.contrast * area * WHITE * density_px)
    if genome.estimator_radius > 0 and tone.has_estimation:
        kernels = density.make_kernels(
            genome.estimator_radius, genome.estimator_minimum, genome.estimator_curve, genome.supersample
        )
        if len(kernels.reach) > 1:
            planes = density.spread(buckets, kernels, genome.supersample, k1, k2, threads)
            return planes, density.margin(kernels)
    return density.take_log(buckets, k1, k2), 0


@kernel
def _calc_alpha(tmp, gamma, threshold):  # type: ignore[no-untyped-def]
    """Return the density to the power of gamma, and below the threshold a blend with a straight line."""
    if tmp < threshold:
        share = tmp / threshold
        return (F(1) - share) * tmp * (power(threshold, gamma) / threshold) + share * power(tmp, gamma)
    return power(tmp, gamma)


@kernel
def _tone(red, green, blue, total, numbers, is_transparent, colour):  # type: ignore[no-untyped-def]
    """Set `colour` to a pixel's red, green and blue, 0 to 255, and alpha, 0 to 1."""
    gamma, vibrancy, threshold, highlights = numbers[0], numbers[1], numbers[2], numbers[3]
    alpha, scale = F(0), F(0)
    if total > F(0):
        tmp = total / F(255)
        alpha = _calc_alpha(tmp, gamma, threshold)
        scale = vibrancy * F(256) * alpha / tmp
        alpha = min(max(alpha, F(0)), F(1))
    colour[0], colour[1], colour[2] = red / F(255), green / F(255), blue / F(255)
    _highlight(colour, scale, highlights, red, green, blue, gamma, vibrancy)
    negative = (red < F(0), green < F(0), blue < F(0))
    for channel in range(3):
        value = colour[channel]
        if not is_transparent:
            value += (F(1) - alpha) * numbers[4 + channel]
        elif alpha > F(0):
            value /= alpha
        else:
            value = F(0)
        if negative[channel] and (alpha > F(0) or not is_transparent):
            value = F(255)  # a root of less than 0 is no number, and Debian's flam3 clips that to this
        colour[channel] = min(max(value, F(0)), F(255))
    colour[3] = alpha


@kernel
def _highlight(colour, scale, highlights, red, green, blue, gamma, vibrancy):  # type: ignore[no-untyped-def]
    """Scale a colour by its brightness; what would burn out keeps its hue, or pales, as the highlight power says."""
    most = max(colour[0], colour[1], colour[2])
    if scale == F(0) or (red == F(0) and green == F(0) and blue == F(0)):
        for channel in range(3):
            colour[channel] = F(0)
    elif scale * most > F(255) and highlights >= F(0):
        _pale(colour, most, power(F(255) / most / scale, highlights))
    else:
        share = min(-highlights, F(1)) if scale * most > F(255) else F(1)
        factor = (F(1) - share) * F(255) / most + share * scale
        for channel in range(3):
            colour[channel] *= factor
    if vibrancy != F(1):
        rest = (F(1) - vibrancy) * F(256)
        colour[0] += rest * power(max(red, F(0)) / F(255), gamma) if red > F(0) else F(0)
        colour[1] += rest * power(max(green, F(0)) / F(255), gamma) if green > F(0) else F(0)
        colour[2] += rest * power(max(blue, F(0)) / F(255), gamma) if blue > F(0) else F(0)


@kernel
def _pale(colour, most, share):  # type: ignore[no-untyped-def]
    """Set a colour to full value with its saturation times `share`: in HSV that is a blend towards white."""
    for channel in range(3):
        colour[channel] = F(255) * (F(1) - share * (F(1) - colour[channel] / most))


@kernel
def _clip(planes, numbers, is_transparent):  # type: ignore[no-untyped-def]
    """Tone each bucket before the pixels' filter."""
    colour = np.empty(4, np.float32)
    for j in range(planes.shape[1]):
        for i in range(planes.shape[2]):
            _tone(planes[0, j, i], planes[1, j, i], planes[2, j, i], planes[3, j, i], numbers, is_transparent, colour)
            for channel in range(4):
                planes[channel, j, i] = colour[channel]


@kernel
def _develop(planes, out, pixel, numbers, scale, top, left, step, start, end, is_toned):  # type: ignore[no-untyped-def]
    """Filter rows of pixels out of the planes and tone them, unless the planes are toned already."""
    width, wide = out.shape[1], len(pixel)
    is_transparent = out.shape[2] == 4
    sums = np.empty((4, planes.shape[2]), np.float32)
    colour = np.empty(4, np.float32)
    for j in range(start, end):
        for channel in range(4):
            _sum_rows(planes[channel], sums[channel], pixel, top + j * step)
        for i in range(width):
            for channel in range(4):
                colour[channel] = F(0)
                for k in range(wide):
                    colour[channel] += pixel[k] * sums[channel, left + i * step + k]
            if not is_toned:
                _tone(colour[0], colour[1], colour[2], colour[3], numbers, is_transparent, colour)
            for channel in range(3):
                out[j, i, channel] = int(min(max(colour[channel], F(0)), F(255)) * scale[0])
            if is_transparent:
                out[j, i, 3] = int(min(max(colour[3], F(0)), F(1)) * scale[1])


@kernel
def _sum_rows(plane, sums, pixel, first):  # type: ignore[no-untyped-def]
    for i in range(len(sums)):
        sums[i] = F(0)
    for k in range(len(pixel)):
        row = plane[first + k]
        for i in range(len(sums)):
            sums[i] += pixel[k] * row[i]
