"""The numbers of a genome as a kernel takes them: one vector, shares, a camera and shades."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sheepfold.kinds.flame.engine.codegen import Shape, Structure
from sheepfold.kinds.flame.engine.genome import Genome, PaletteMode, Xform
from sheepfold.kinds.flame.engine.names import DEFAULTS
from sheepfold.kinds.flame.engine.variations import TABLE

WHITE = 255.0
LINEAR_STEPS = 16  # shades between two palette entries where the palette is linear
_FINER = 8  # places within such a step

FUSE = 20
"""Rounds that a new pool plays before it is seen; flam3 has 15."""

LONGEST_FUSE = 500


@dataclass(frozen=True, slots=True)
class Params:
    """One moment of a genome. `bases` is each transform's first shade, -1 where none is seen; the last is blank."""

    vector: NDArray[np.float32]
    shares: NDArray[np.float64]
    seen: float
    bases: NDArray[np.int64]
    camera: NDArray[np.float32]
    shades: NDArray[np.float32]
    fuse: int = FUSE


@dataclass(frozen=True, slots=True)
class Window:
    """A grid of buckets: its size, the gutter in it, and the first of the picture's rows that it holds."""

    width: int
    height: int
    gutter: int
    first_row: int = 0


def structure_of(genomes: Sequence[Genome]) -> Structure:
    """Return the structure that fits all of an animation's control points, which must have equally many transforms.

    Raises ValueError where they have not.
    """
    counts = {(len(genome.xforms), genome.final is None) for genome in genomes}
    if len(counts) != 1:
        raise ValueError("the control points differ in their number of transforms; align them first")
    finals = [genome.final for genome in genomes if genome.final is not None]
    columns = zip(*(genome.xforms for genome in genomes), strict=True)
    opacities = [xform.opacity for genome in genomes for xform in genome.xforms]
    has_alpha = any(bool((genome.palette[:, 3] != 1.0).any()) for genome in genomes)
    return Structure(
        shapes=tuple(_shape(column) for column in columns),
        final=_shape(finals) if finals else None,
        final_is_partial=any(final.opacity != 1.0 for final in finals),
        has_xaos=any(genome.has_chaos for genome in genomes),
        has_opacity=any(opacity != 1.0 for opacity in opacities),
        count_apart=has_alpha,
    )


def _shape(xforms: Sequence[Xform]) -> Shape:
    used = {name for xform in xforms for name, weight in xform.variations.items() if weight}
    return Shape(tuple(name for name in TABLE if name in used), any(xform.has_post for xform in xforms))


def params_of(genome: Genome, structure: Structure, window: Window, weight: float = 1.0) -> Params:
    """Return a moment's numbers; `weight` is the temporal filter's."""
    pairs = list(zip(genome.xforms, structure.shapes, strict=True))
    if structure.final is not None and genome.final is not None:
        pairs.append((genome.final, structure.final))
    vector = [number for xform, shape in pairs for number in _numbers(xform, shape)]
    levels = _levels(genome)
    shades = np.concatenate([*(_shades(genome, weight, level) for level in levels), np.zeros((1, 5))])
    bases = np.array(
        [levels.index(seen) * _shade_count(genome) if seen > 0 else -1 for seen in _visibilities(genome)], np.int64
    )
    seen = genome.final.opacity if genome.final else 1.0
    channels = structure.channels
    camera = _camera(genome, window, _shade_count(genome), len(shades) - 1)
    return Params(np.array(vector, np.float32), _shares(genome, has_xaos=structure.has_xaos), seen, bases, camera,
                  np.ascontiguousarray(shades[:, :channels], np.float32).ravel(), _fuse(genome))  # fmt: skip


def _fuse(genome: Genome) -> int:
    """Return the rounds after which the colours that the chains began with have faded.

    Flam3's chains are few and 10,000 rounds long, ours are many and short, in a small picture shorter than a hundred:
    where symmetry's transforms, which colour and fold nothing, are most of all, more of them must stay unseen.
    """
    weights = [xform.weight for xform in genome.xforms]
    speed = sum(xform.weight * xform.color_speed for xform in genome.xforms) / sum(weights)
    return max(FUSE, min(LONGEST_FUSE, math.ceil(5.0 / max(speed, 1e-3))))


def _numbers(xform: Xform, shape: Shape) -> list[float]:
    a, b, c, d, e, f = xform.coefs
    numbers = [a, c, e, b, d, f, xform.color, xform.color_speed]
    numbers += [xform.variations.get(name, 0.0) for name in shape.variations]
    numbers += [xform.parameters.get(name, DEFAULTS[name]) for name in shape.parameters]
    if shape.has_post:
        a, b, c, d, e, f = xform.post
        numbers += [a, c, e, b, d, f]
    return numbers


def _shares(genome: Genome, *, has_xaos: bool) -> NDArray[np.float64]:
    """Return the summed probabilities of the transforms, from 0 to 1; with xaos a row for each predecessor."""
    weights = np.array([xform.weight for xform in genome.xforms])
    if not has_xaos:
        return _summed(weights)
    rows = []
    for xform in genome.xforms:
        factors = np.ones(len(weights))
        factors[: len(xform.chaos)] = xform.chaos[: len(weights)]
        rows.append(_summed(weights * factors))
    return np.array(rows)


def _summed(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    total = weights.sum()
    if not total > 0:
        raise ValueError("the weights of the transforms add up to nothing")
    return np.concatenate([[0.0], np.cumsum(weights)[:-1] / total, [1.0]])


def _shade_count(genome: Genome) -> int:
    return 256 * LINEAR_STEPS if genome.palette_mode == PaletteMode.LINEAR else 256


def _shades(genome: Genome, weight: float, level: float) -> NDArray[np.float64]:
    """Return what one hit adds to a bucket for each step of colour: red, green, blue, alpha, hits.

    flam3's buckets hold whole numbers and cut off what a hit has beyond, which shows where palettes are dark or
    transforms half seen. Between two entries of a palette this is the mean over what a step stands for.
    """
    palette = genome.palette
    steps = LINEAR_STEPS * _FINER if genome.palette_mode == PaletteMode.LINEAR else 1
    if steps > 1:
        place = (np.arange(256 * steps) + 0.5) / steps
        low = np.minimum(place.astype(int), 254)
        share = np.minimum(place - low, 1.0)[:, None]
        palette = palette[low] * (1.0 - share) + palette[low + 1] * share
    hits = np.concatenate([palette * WHITE * weight, np.full((len(palette), 1), WHITE)], axis=1)
    steps_of_colour: NDArray[np.float64] = np.floor(hits * level).reshape(_shade_count(genome), -1, 5).mean(axis=1)
    return steps_of_colour


def visibility(opacity: float) -> float:
    """Return how much of a hit an opacity leaves: ten to the power of its binary logarithm."""
    return 10.0 ** math.log2(opacity) if opacity > 0 else 0.0


def _visibilities(genome: Genome) -> list[float]:
    return [visibility(xform.opacity) for xform in genome.xforms]


def _levels(genome: Genome) -> list[float]:
    """Return the visibilities of a genome's transforms, each once; every one has shades of its own, one after another.

    Hits are dimmed too, as Debian's flam3 counts them.
    """
    return sorted({value for value in _visibilities(genome) if value > 0}) or [1.0]


def _camera(genome: Genome, window: Window, shades: int, blank: int) -> NDArray[np.float32]:
    """Return the affine map from the plane to buckets, the window's size, the number of shades, and the blank one.

    A scale of less than 0 shows nothing, as in flam3, whose picture ends before it begins then.
    """
    scale = genome.scale * 2.0**genome.zoom * genome.supersample
    width, height = (side * genome.supersample for side in genome.size)
    angle = math.radians(genome.rotate)
    cosine, sine = math.cos(angle), math.sin(angle)
    x0, y0 = genome.rot_center
    left = scale * (genome.center[0] - x0) - width / 2 - window.gutter
    top = scale * (genome.center[1] - y0) - height / 2 - window.gutter + window.first_row * genome.supersample
    return np.array(
        [
            scale * cosine, -scale * sine, scale * (-x0 * cosine + y0 * sine) - left,
            scale * sine, scale * cosine, scale * (-x0 * sine - y0 * cosine) - top,
            window.width if scale > 0 else 0, window.height, shades, blank,
        ],
        np.float32,
    )  # fmt: skip


def sized(genome: Genome, size: tuple[int, int]) -> Genome:
    """Return a genome that shows the same across another width."""
    return replace(genome, size=size, scale=genome.scale * size[0] / genome.size[0])
