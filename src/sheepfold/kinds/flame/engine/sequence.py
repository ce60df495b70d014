"""What flam3-genome calls rotate, inter, sequence and strip: control points of frames, in flam3's manner."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from sheepfold.kinds.flame.engine.genome import Genome, Interpolation, PaletteInterpolation
from sheepfold.kinds.flame.engine.interpolate import edge, path
from sheepfold.kinds.flame.engine.rotate import moved, spin

AROUND = (-1, 0, 1)


def loop_frame(genome: Genome, frame: int, frames: int) -> tuple[Genome, Genome, Genome]:
    """Return the three control points around a frame of a loop of `frames`, for motion blur."""
    before, here, after = (loop_point(genome, frame + step, _parts(frame, step, frames)) for step in AROUND)
    return before, here, after


def edge_frames(ends: tuple[Genome, Genome], frames: int) -> Callable[[int], tuple[Genome, Genome, Genome]]:
    """Return what gives the three control points around a frame of an edge of `frames`, for motion blur."""
    point = path(*ends)

    def around(frame: int) -> tuple[Genome, Genome, Genome]:
        before, here, after = (_timed(point(_parts(frame, step, frames)), frame + step) for step in AROUND)
        return before, here, after

    return around


def _parts(frame: int, step: int, frames: int) -> float:
    return frame / frames + step * (1.0 / frames)


def loop_point(genome: Genome, frame: int, turn: float) -> Genome:
    """Return a loop's control point, its time and name those of its frame."""
    point = spin(genome, turn)
    return replace(
        point,
        time=float(frame),
        name=f"{frame:.6f}",
        interpolation=Interpolation.LINEAR,
        palette_interpolation=PaletteInterpolation.HSV_CIRCULAR,
        palette_blend=0.0,
        palette_index=None,
        edits="",
    )


def edge_point(ends: tuple[Genome, Genome], frame: int, turn: float, stagger: float = 0.0) -> Genome:
    """Return an edge's control point, its time and name those of its frame."""
    return _timed(edge(*ends, turn, stagger), frame)


def _timed(point: Genome, frame: int) -> Genome:
    return replace(point, time=float(frame), name=f"{frame:.6f}")


def sequence(genomes: Sequence[Genome], frames: int, *, has_loops: bool = True) -> Iterator[Genome]:
    """Yield a film's control points, one a frame: each genome's loop and the edge to the next, the last at rest."""
    number = 0
    for index, genome in enumerate(genomes):
        for frame in range(frames if has_loops else 0):
            yield loop_point(genome, number, frame / frames)
            number += 1
        for frame in range(frames if index + 1 < len(genomes) else 0):
            yield _link(genome, genomes[index + 1], number, frame / frames)
            number += 1
    yield loop_point(genomes[-1], number, 0.0)


def _link(first: Genome, second: Genome, number: int, turn: float) -> Genome:
    """Return an edge's point in a film; at its start stands the first genome itself, unpadded."""
    if turn > 0.0:
        return edge_point((first, second), number, turn)
    return replace(moved(first, 0.0), time=float(number), name=f"{number:.6f}", palette_index=None, edits="")


def strip(genome: Genome, strips: int, number: int) -> Genome:
    """Return the genome of one of `strips` strips of a picture, counted from the top; motion elements are dropped."""
    height = genome.size[1] // strips
    unit_px = genome.scale * 2.0**genome.zoom
    shift = height * number / unit_px - (strips - 1) * height / (2 * unit_px)
    angle = math.radians(genome.rotate)
    x, y = genome.center
    center = (x + math.sin(angle) * shift, y + math.cos(angle) * shift)
    xforms = tuple(replace(xform, motions=()) for xform in genome.xforms)
    final = None if genome.final is None else replace(genome.final, motions=())
    return replace(genome, size=(genome.size[0], height), center=center, xforms=xforms, final=final)
