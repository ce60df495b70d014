"""Rendering a frame: genomes in, picture out; and the pieces of that way, for those who go it in parts.

`accumulate` is the farm-friendly one: buckets of the same frame from other seeds, strips or machines add up, and
`develop` may be called on them at any time, for a preview or for the end.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from sheepfold.kinds.flame.engine import cpu, filters, interpolate
from sheepfold.kinds.flame.engine import develop as darkroom
from sheepfold.kinds.flame.engine.codegen import Structure
from sheepfold.kinds.flame.engine.develop import Buckets, Pixels, Tone
from sheepfold.kinds.flame.engine.genome import Genome
from sheepfold.kinds.flame.engine.params import Params, Window, params_of, structure_of

Progress = Callable[[float], None]
"""Is told the part that is done, 0 to 1; may raise to end the work."""

AUTO, CPU, GPU = "auto", "cpu", "gpu"
CHUNK_SAMPLES = 50_000_000  # between two calls of progress
_NEXT_CHUNK, _NEXT_PASS = 1_000_003, 1_000_000_007  # are added to the seed

MOST_MOMENTS = 128
"""Sheep ask for 1000 a frame. Each is blended in Python, in a third of a millisecond: all cost more than the frame."""

MOST_BYTES = 2 * 2**30  # of buckets, where a frame has several passes, each with its own


class Unsupported(ValueError):
    """The engine cannot render such a genome; flam3 may."""


@dataclass(frozen=True, slots=True)
class Exposure:
    """Additive buckets of one frame, and how many samples they hold over all of its rows.

    Those of a frame's passes stand one below the other: their densities add up, not their hits.
    """

    buckets: Buckets
    samples: int

    def __add__(self, other: "Exposure") -> "Exposure":
        """Return both together: other seeds, threads or machines of the very same frame."""
        return Exposure(self.buckets + other.buckets, self.samples + other.samples)


@dataclass(frozen=True)  # without slots, for what is worked out once
class Frame:
    """One frame: control points in order of time, aligned by `at`, and when it is."""

    genomes: tuple[Genome, ...]
    time: float = 0.0

    @cached_property
    def middle(self) -> Genome:
        """Return the frame's own control point: size, quality, camera and tone."""
        return self.genomes[0] if len(self.genomes) == 1 else interpolate.at(self.genomes, self.time)

    @cached_property
    def passes(self) -> list[tuple[list[Genome], list[float]]]:
        """Return for each pass the control points of its temporal samples, and their weights.

        More than MOST_MOMENTS are thinned out: each that is left stands for some that follow each other.
        """
        count = self.middle.passes
        deltas, weights, _ = self._filter
        most = max(1, MOST_MOMENTS // count)
        return [
            ([interpolate.at(self.genomes, self.time + late) for late in _thinned(times, most)], _thinned(some, most))
            for times, some in zip(np.split(deltas, count), np.split(weights, count), strict=True)
        ]

    @property
    def moments(self) -> list[Genome]:
        """Return the control points of all passes, in order of time."""
        return [moment for genomes, _ in self.passes for moment in genomes]

    @property
    def mean_weight(self) -> float:
        """Return the mean of the temporal samples' weights, the greatest of which is 1."""
        return self._filter[2]

    @cached_property
    def _filter(self) -> tuple[filters.Kernel, filters.Kernel, float]:
        middle = self.middle
        samples = middle.temporal_samples if len(self.genomes) > 1 else 1  # as flam3-render, whatever is asked for
        steps = middle.passes * samples
        return filters.temporal(
            middle.temporal_filter_type, steps, middle.temporal_filter_width, middle.temporal_filter_exp
        )


def _thinned(numbers: NDArray[np.float64], most: int) -> list[float]:
    """Return the means of as many stretches of numbers as there may be moments."""
    return [float(part.mean()) for part in np.array_split(numbers, min(len(numbers), most))]


def compile_frame(frame: Frame) -> Structure:
    """Return the structure of a frame. Raises Unsupported for what the engine cannot do."""
    structure = structure_of(frame.moments)
    if min(weight for _, weights in frame.passes for weight in weights) < 1.0:
        structure = replace(structure, count_apart=True)
    genome = frame.genomes[0]
    far = abs(genome.scale * 2.0**genome.zoom) * max(1.0, *map(abs, genome.center))
    if far > 2**22:
        raise Unsupported("a camera so close that float32 cannot tell pixels apart")
    return structure


def window_of(genome: Genome, rows: tuple[int, int] | None = None) -> Window:
    """Return the buckets that a picture needs, or some of its rows."""
    first, last = rows or (0, genome.size[1])
    rim = darkroom.gutter(genome)
    step = genome.supersample
    return Window(genome.size[0] * step + 2 * rim, (last - first) * step + 2 * rim, rim, first)


def accumulate(  # noqa: PLR0913 - all but three by name
    frame: Frame, quality: float, seed: int, *, threads: int = 1, device: str = AUTO,
    rows: tuple[int, int] | None = None, progress: Progress | None = None,
) -> Exposure:  # fmt: skip
    """Return a frame's exposure with `quality` samples a pixel; `rows` limits what is kept to a strip.

    `device` is `cpu`, `gpu`, or `auto`: the GPU where there is one.
    """
    structure = compile_frame(frame)
    middle = frame.middle
    window = window_of(middle, rows)
    count = len(frame.passes)
    if count > 1 and count * window.height * window.width * structure.channels * 4 > MOST_BYTES:
        raise Unsupported(f"{count} passes of so large a picture")
    samples = quality * 4.0**middle.zoom * middle.size[0] * middle.size[1] / count
    play = _player(structure, device, threads, (window.height, window.width))
    exposures = []
    for number, (genomes, weights) in enumerate(frame.passes):
        moments = [
            (params_of(genome, structure, window, weight), samples / len(genomes))
            for genome, weight in zip(genomes, weights, strict=True)
        ]
        exposures.append(_in_chunks(play, moments, seed + number * _NEXT_PASS, samples, _part(progress, number, count)))
    return _stacked(exposures)


def _part(progress: Progress | None, number: int, count: int) -> Progress | None:
    return (lambda done: progress((number + done) / count)) if progress else None


def _stacked(exposures: list[Exposure]) -> Exposure:
    if len(exposures) == 1:
        return exposures[0]
    buckets = np.concatenate([exposure.buckets for exposure in exposures])
    return Exposure(buckets, sum(exposure.samples for exposure in exposures))


def warm_up(frame: Frame) -> None:
    """Compile a frame's kernel, in a thread beside the frames before it; machine code is kept in memory and on disk."""
    accumulate(frame, 0.0, 0, device=CPU, rows=(0, 1))


_Play = Callable[[list[tuple[Params, float]], int, Buckets | None], tuple[Buckets, int]]


def _player(structure: Structure, device: str, threads: int, shape: tuple[int, int]) -> _Play:
    """Return what plays moments with a seed, onto earlier buckets if there are any: a second grid is much memory."""
    if device != CPU:
        from sheepfold.kinds.flame.engine import gpu  # noqa: PLC0415 - most machines have none

        if gpu.is_there():
            return lambda moments, seed, buckets: _added(gpu.accumulate(structure, moments, shape, seed), buckets)
        if device == GPU:
            raise Unsupported("no CUDA device was found; the extra `gpu` has what it takes")
    kernel = cpu.compile_structure(structure)
    return lambda moments, seed, buckets: cpu.accumulate(kernel, moments, shape, seed, threads, buckets)


def _added(played: tuple[Buckets, int], buckets: Buckets | None) -> tuple[Buckets, int]:
    return (played[0] if buckets is None else played[0] + buckets), played[1]


def _in_chunks(
    play: _Play, moments: list[tuple[Params, float]], seed: int, samples: float, progress: Progress | None
) -> Exposure:
    chunks = max(1, int(samples // CHUNK_SAMPLES)) if progress else 1
    share = [(params, part / chunks) for params, part in moments]
    buckets, total = play(share, seed, None)
    for chunk in range(1, chunks):
        if progress:
            progress(chunk / chunks)
        buckets, done = play(share, seed + chunk * _NEXT_CHUNK, buckets)
        total += done
    if progress:
        progress(1.0)
    return Exposure(buckets, total)


def develop(exposure: Exposure, frame: Frame, tone: Tone | None = None, *, threads: int = 1) -> Pixels:
    """Return the picture of an exposure, rows by columns by 3 channels, 4 where the tone is transparent."""
    genome = _averaged(frame.middle, frame.moments)
    density_px = exposure.samples / (genome.size[0] * genome.size[1]) * frame.mean_weight
    return darkroom.develop(exposure.buckets, genome, density_px, tone, threads=threads)


def _averaged(middle: Genome, moments: Sequence[Genome]) -> Genome:
    """Return a genome with the moments' mean gamma, vibrancy and background, else the last one's tone, as in flam3."""
    if len(moments) == 1:
        return middle
    background = np.mean([moment.background for moment in moments], axis=0)
    last = moments[-1]
    return replace(
        middle,
        scale=last.scale,  # brightness is by the area that is seen
        zoom=last.zoom,
        contrast=last.contrast,
        brightness=last.brightness,
        gamma_threshold=last.gamma_threshold,
        highlight_power=last.highlight_power,
        gamma=float(np.mean([moment.gamma for moment in moments])),
        vibrancy=float(np.mean([moment.vibrancy for moment in moments])),
        background=(float(background[0]), float(background[1]), float(background[2])),
    )


def render(  # noqa: PLR0913 - all but three by name
    frame: Frame, seed: int, tone: Tone | None = None, *, threads: int | None = None, device: str = AUTO,
    strip_rows: int = 0, progress: Progress | None = None,
) -> Pixels:  # fmt: skip
    """Return a frame's picture at its genome's own size and quality.

    With `strip_rows` the picture is made in strips of so many rows, each with the samples of the whole: less memory,
    more time. The same arguments give the same picture on one machine.
    """
    threads = threads or core_count()
    middle = frame.middle
    height = middle.size[1]
    step = strip_rows or height
    strips = []
    for start in range(0, height, step):
        rows = (start, min(start + step, height))
        exposure = accumulate(
            frame, middle.quality, seed, threads=threads, device=device, rows=rows, progress=progress
        )
        strips.append(develop(exposure, frame, tone, threads=threads))
    return np.concatenate(strips) if len(strips) > 1 else strips[0]  # type: ignore[return-value]


def core_count() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
