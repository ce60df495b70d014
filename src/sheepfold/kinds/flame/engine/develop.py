"""From buckets to a picture: log density, density estimation, filters, gamma, highlights, background, whole numbers."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sheepfold.kinds.flame.engine import density, filters
from sheepfold.kinds.flame.engine.approx import F
from sheepfold.kinds.flame.engine.genome import Genome
from sheepfold.kinds.flame.engine.loops import kernel
from sheepfold.kinds.flame.engine.tone import tone
from sheepfold.kinds.flame.engine.vectors import add_scaled_four

WHITE = 255.0
STRIP_BYTES = 16 * 2**20  # of log density at once: a large picture is developed in strips
Buckets = NDArray[np.float32]
Pixels = NDArray[np.uint8] | NDArray[np.uint16]


@dataclass(frozen=True, slots=True)
class Tone:
    """How a picture is developed beyond what its genome says; `bits` a channel are 8 or 16.

    Without estimation light is counted in whole numbers, as by flam3 with buffers of 32 bits, which has none then.
    """

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

    `buckets` has the picture's rows and columns times `supersample` and a gutter around, as often as there are passes;
    `density_px` is the samples a pixel that they hold, times the mean weight of the frame's moments. The genome is the
    frame's own, the mean over its moments. The outcome does not hang on `threads`.
    """
    tone = tone or Tone()
    width, height = size_of(buckets, genome)
    out = np.empty((height, width, 4 if tone.is_transparent else 3), np.uint16 if tone.bits == 16 else np.uint8)
    step, rim = genome.supersample, 2 * gutter(genome)
    tall = max(64, STRIP_BYTES // (16 * step * buckets.shape[1]))
    passes = np.split(buckets, genome.passes)
    for start in range(0, height, tall):
        end = min(start + tall, height)
        strips = [part[start * step : end * step + rim] for part in passes]
        _develop_strip(strips, out[start:end], genome, density_px, tone, threads)
    return out


def _develop_strip(
    passes: list[Buckets], out: Pixels, genome: Genome, density_px: float, tone: Tone, threads: int
) -> None:
    light, left = _light(passes[0], genome, density_px, tone, threads)
    for buckets in passes[1:]:
        light += _light(buckets, genome, density_px, tone, threads)[0]
    flat = light.reshape(len(light), -1)
    kernel_px = _pixel_kernel(genome).astype(np.float32)
    offset = gutter(genome) - (len(kernel_px) - genome.supersample) // 2
    numbers = np.array([1.0 / genome.gamma, genome.vibrancy, genome.gamma_threshold, genome.highlight_power,
                        *(256.0 * value for value in genome.background)], np.float32)  # fmt: skip
    scale = np.array([256.0, 65535.0] if tone.bits == 16 else [1.0, 255.0], np.float32)
    if tone.early_clip and tone.has_estimation:
        _clip(flat, numbers, tone.is_transparent)
    elif tone.early_clip:
        _clip_whole(light, numbers, tone.is_transparent)

    def rows(start: int) -> None:
        _develop(flat, out, kernel_px, numbers, scale, offset, left + offset, genome.supersample,
                 start, min(start + 64, len(out)), tone.early_clip)  # fmt: skip

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(rows, range(0, len(out), 64)))


def size_of(buckets: Buckets, genome: Genome) -> tuple[int, int]:
    """Return the width and height in pixels of what buckets hold; strips are lower than the genome's size."""
    border = 2 * gutter(genome)
    height = buckets.shape[0] // genome.passes
    return (buckets.shape[1] - border) // genome.supersample, (height - border) // genome.supersample


def _pixel_kernel(genome: Genome) -> filters.Kernel:
    return filters.spatial(genome.filter_shape, genome.filter_radius, genome.supersample)


def _light(
    buckets: Buckets, genome: Genome, density_px: float, tone: Tone, threads: int
) -> tuple[density.Light, int]:
    """Return the log density of one pass, and the column of it at which the buckets begin.

    Each pass has its part of the samples and gives its part of the light.
    """
    scale = genome.scale * 2.0**genome.zoom
    area = genome.size[0] * genome.size[1] / scale**2
    k1 = genome.contrast * genome.brightness * WHITE * 268.0 / 256.0 / genome.passes
    k2 = genome.supersample**2 * genome.passes / (genome.contrast * area * WHITE * density_px)
    if genome.estimator_radius > 0 and tone.has_estimation:
        kernels = density.make_kernels(
            genome.estimator_radius, genome.estimator_minimum, genome.estimator_curve, genome.supersample
        )
        if len(kernels.reach) > 1:
            light = density.spread(buckets, kernels, genome.supersample, k1, k2, threads)
            return light, int(kernels.reach[0])
    light = density.take_log(buckets, k1, k2)
    return (light if tone.has_estimation else np.floor(light, out=light)), 0


def _clip_whole(light: density.Light, numbers: NDArray[np.float32], is_transparent: bool) -> None:
    """Tone each bucket as flam3 does in whole numbers: alpha too, which is nothing below full density."""
    light[..., 3] = np.floor(light[..., 3] / WHITE) * WHITE
    _clip(light.reshape(len(light), -1), numbers, is_transparent)
    np.floor(light, out=light)


@kernel
def _clip(light, numbers, is_transparent):  # type: ignore[no-untyped-def]
    """Tone each bucket before the pixels' filter; `light` has a row's numbers one after another."""
    colours = np.empty((4, light.shape[1] // 4), np.float32)
    for j in range(len(light)):
        for i in range(colours.shape[1]):
            for channel in range(4):
                colours[channel, i] = light[j, 4 * i + channel]
        tone(colours[0], colours[1], colours[2], colours[3], numbers, is_transparent)
        for i in range(colours.shape[1]):
            for channel in range(4):
                light[j, 4 * i + channel] = colours[channel, i]


@kernel
def _develop(light, out, pixel, numbers, scale, top, left, step, start, end, is_toned):  # type: ignore[no-untyped-def]
    """Filter rows of pixels out of the light and tone them, unless it is toned already.

    Then a sum of float32 may be a hair below the whole number that it stands for, which would be cut off.
    """
    hair = F(1e-3) if is_toned else F(0)
    width = out.shape[1]
    is_transparent = out.shape[2] == 4
    sums = np.empty(light.shape[1], np.float32)
    row = np.empty(4 * width, np.float32)
    colours = np.empty((4, width), np.float32)
    for j in range(start, end):
        _sum_rows(light, sums, pixel, top + j * step)
        _sum_columns(sums, row, pixel, left, step)
        for i in range(width):
            for channel in range(4):
                colours[channel, i] = row[4 * i + channel]
        if not is_toned:
            tone(colours[0], colours[1], colours[2], colours[3], numbers, is_transparent)
        for i in range(width):
            for channel in range(3):
                out[j, i, channel] = int(min(max(colours[channel, i] + hair, F(0)), F(255)) * scale[0])
            if is_transparent:
                out[j, i, 3] = int(min(max(colours[3, i], F(0)), F(1)) * scale[1])


@kernel
def _sum_rows(light, sums, pixel, first):  # type: ignore[no-untyped-def]
    for i in range(len(sums)):
        sums[i] = F(0)
    for k in range(len(pixel)):
        row = light[first + k]
        for i in range(len(sums)):
            sums[i] += pixel[k] * row[i]


@kernel
def _sum_columns(sums, row, pixel, left, step):  # type: ignore[no-untyped-def]
    for i in range(len(row)):
        row[i] = F(0)
    for i in range(len(row) // 4):
        for k in range(len(pixel)):
            add_scaled_four(row, 4 * i, sums, 4 * (left + i * step + k), pixel[k])
