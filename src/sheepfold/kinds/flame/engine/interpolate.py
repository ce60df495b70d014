"""Blending genomes: a control point between others, as flam3 3.1.1 draws its paths."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from sheepfold.kinds.flame.engine import palettes
from sheepfold.kinds.flame.engine.align import align, angle, nearest, wound
from sheepfold.kinds.flame.engine.genome import (
    IDENTITY,
    Affine,
    Genome,
    Interpolation,
    InterpolationType,
    Palette,
    PaletteInterpolation,
    Xform,
    frozen_palette,
)
from sheepfold.kinds.flame.engine.names import NAMES
from sheepfold.kinds.flame.engine.rotate import moved, rotated

_BLENDED = (
    "brightness", "contrast", "highlight_power", "gamma", "vibrancy", "hue_rotation", "scale", "filter_radius",
    "temporal_filter_exp", "temporal_filter_width", "quality", "zoom", "rotate", "estimator_radius",
    "estimator_minimum", "estimator_curve", "gamma_threshold",
)
_COUNTED = ("supersample", "passes", "temporal_samples")
_LEAST_LOG = -10.0  # magnitudes below e to this blend by themselves, not by their logarithms

Weights = tuple[float, ...]


def at(genomes: Sequence[Genome], time: float, stagger: float = 0.0) -> Genome:
    """Return the control point at a time, between those around it; before the first and after the last it goes on.

    The genomes are in order of time. `stagger`, 0 to 1, lets transforms move one after the other.
    """
    if len(genomes) == 1:
        return replace(genomes[0], time=time)
    left = _segment(genomes, time)
    first, second = genomes[left], genomes[left + 1]
    share = (second.time - time) / (second.time - first.time)
    is_inner = 0 < left < len(genomes) - 2
    if first.interpolation is Interpolation.SMOOTH and is_inner:
        four = align(genomes[left - 1 : left + 3])
        return replace(blend(four, _catmull_rom(1.0 - share)), time=time)
    return replace(blend(align([first, second]), (share, 1.0 - share), stagger), time=time)


def _segment(genomes: Sequence[Genome], time: float) -> int:
    if genomes[0].time >= time:
        return 0
    if genomes[-1].time <= time:
        return len(genomes) - 2
    return next(index for index, genome in enumerate(genomes) if genome.time >= time) - 1


def edge(first: Genome, second: Genome, turn: float, stagger: float = 0.0, *, is_smooth: bool = True) -> Genome:
    """Return an edge's control point: both ends turned by `turn` turns and blended, slowly at the ends if smooth."""
    return path(first, second, stagger, is_smooth=is_smooth)(turn)


def path(
    first: Genome, second: Genome, stagger: float = 0.0, *, is_smooth: bool = True
) -> Callable[[float], Genome]:
    """Return what gives an edge's control point after any part of a turn; ends without motion are aligned only once."""
    has_motions = any(xform.motions for genome in (first, second) for xform in genome.transforms)
    ready = wound(*align([first, second]))

    def point(turn: float) -> Genome:
        start, end = wound(*align([moved(first, turn), moved(second, turn)])) if has_motions else ready
        spun = [rotated(genome, turn, start.interpolation_type) for genome in (start, end)]
        part = smoother(turn) if is_smooth else turn
        return blend(spun, (1.0 - part, part), stagger)

    return point


def smoother(part: float) -> float:
    """Return a part of the way that starts and ends slowly."""
    return 3 * part * part - 2 * part * part * part


def _catmull_rom(t: float) -> Weights:
    t2, t3 = t * t, t * t * t
    return ((2 * t2 - t - t3) / 2, (3 * t3 - 5 * t2 + 2) / 2, (4 * t2 - 3 * t3 + t) / 2, (t3 - t2) / 2)


def blend(genomes: Sequence[Genome], weights: Weights, stagger: float = 0.0) -> Genome:
    """Return the weighted blend of aligned genomes; words are the first one's."""
    lead = genomes[0]
    count = len(lead.xforms)
    names = (*_BLENDED, *_COUNTED)
    values: dict[str, Any] = {name: _mean(weights, [getattr(genome, name) for genome in genomes]) for name in names}
    values |= {name: round(values[name]) for name in _COUNTED}
    xforms = []
    for slot in range(count):
        shares = _staggered(weights, stagger, count, slot)
        slots = [genome.xforms[slot] for genome in genomes]
        xforms.append(_blend_xforms(slots, shares, lead.interpolation_type, _chaos(slots, weights, count)))
    finals = [genome.final for genome in genomes if genome.final is not None]
    return Genome(
        tuple(xforms),
        _blend_palettes(genomes, weights),
        _blend_xforms(finals, weights, lead.interpolation_type) if finals else None,
        size=(round(_mean(weights, [g.size[0] for g in genomes])), round(_mean(weights, [g.size[1] for g in genomes]))),
        center=_pair(weights, [genome.center for genome in genomes]),
        rot_center=_pair(weights, [genome.rot_center for genome in genomes]),
        background=_triple(weights, [genome.background for genome in genomes]),
        filter_shape=lead.filter_shape,
        temporal_filter_type=lead.temporal_filter_type,
        palette_mode=lead.palette_mode,
        palette_interpolation=lead.palette_interpolation,
        palette_blend=lead.palette_blend,
        interpolation_type=lead.interpolation_type,
        **values,
    )


def _mean(weights: Weights, values: Sequence[float]) -> float:
    total = 0.0
    for weight, value in zip(weights, values, strict=True):
        total += weight * value
    return total


def _pair(weights: Weights, pairs: Sequence[tuple[float, float]]) -> tuple[float, float]:
    return _mean(weights, [pair[0] for pair in pairs]), _mean(weights, [pair[1] for pair in pairs])


def _triple(weights: Weights, rows: Sequence[tuple[float, float, float]]) -> tuple[float, float, float]:
    red, green, blue = (_mean(weights, [row[channel] for row in rows]) for channel in range(3))
    return red, green, blue


def _staggered(weights: Weights, stagger: float, count: int, slot: int) -> Weights:
    if stagger <= 0 or len(weights) != 2 or count < 2:
        return weights
    span = stagger * (count - 1) / count
    start = span * (count - 1 - slot) / (count - 1)
    part = min(1.0, max(0.0, (weights[0] - start) / (1 - span)))
    return smoother(part), 1.0 - smoother(part)


def _chaos(xforms: Sequence[Xform], weights: Weights, count: int) -> tuple[float, ...]:
    if not any(xform.chaos for xform in xforms):
        return ()
    rows = [xform.chaos or (1.0,) * count for xform in xforms]
    return tuple(max(0.0, _mean(weights, [row[column] for row in rows])) for column in range(count))


def _blend_xforms(
    xforms: Sequence[Xform], weights: Weights, kind: InterpolationType, chaos: tuple[float, ...] = ()
) -> Xform:
    used = {name for xform in xforms for name in xform.variations}
    named = dict.fromkeys(name for xform in xforms for name in xform.parameters)
    is_polar = kind is InterpolationType.LOG
    winds = [xform.wind for xform in xforms]
    posts = [xform.post for xform in xforms]
    return Xform(
        weight=max(0.0, _mean(weights, [xform.weight for xform in xforms])),
        color=_unit(_mean(weights, [xform.color for xform in xforms])),
        color_speed=_unit(_mean(weights, [xform.color_speed for xform in xforms])),
        opacity=_mean(weights, [xform.opacity for xform in xforms]),
        animate=_mean(weights, [xform.animate for xform in xforms]),
        variations=_nonzero(
            {n: _mean(weights, [xform.variations.get(n, 0.0) for xform in xforms]) for n in NAMES if n in used}
        ),
        parameters={name: _mean(weights, [xform.parameter(name) for xform in xforms]) for name in named},
        chaos=chaos,
        coefs=_blend_affines([xform.coefs for xform in xforms], weights, winds, is_polar=is_polar),
        post=IDENTITY
        if all(post == IDENTITY for post in posts)
        else _blend_affines(posts, weights, [(0.0, 0.0)] * len(posts), is_polar=is_polar),
    )


def _unit(value: float) -> float:
    return min(1.0, max(0.0, value))


def _nonzero(weights: dict[str, float]) -> dict[str, float]:
    return {name: weight for name, weight in weights.items() if weight != 0.0}


def _blend_affines(
    affines: Sequence[Affine], weights: Weights, winds: Sequence[tuple[float, float]], *, is_polar: bool
) -> Affine:
    means = [_mean(weights, [affine[place] for affine in affines]) for place in range(6)]
    if not is_polar:
        return means[0], means[1], means[2], means[3], means[4], means[5]
    angles, sizes = _polar(affines)
    columns = []
    for column in (0, 1):
        turned = _unwound([row[column] for row in angles], [wind[column] for wind in winds])
        size, direction = _size(weights, [row[column] for row in sizes]), _mean(weights, turned)
        columns += [size * math.cos(direction), size * math.sin(direction)]
    return columns[0], columns[1], columns[2], columns[3], means[4], means[5]


def _polar(affines: Sequence[Affine]) -> tuple[list[list[float]], list[list[float]]]:
    """Return the columns' directions and lengths; a column of length 0 takes the other one's direction."""
    angles, sizes = [], []
    for affine in affines:
        size = [math.sqrt(affine[0] * affine[0] + affine[1] * affine[1]), math.sqrt(affine[2] ** 2 + affine[3] ** 2)]
        turn = [angle(affine, 0), angle(affine, 1)]
        if size[0] == 0.0 and size[1] != 0.0:
            turn[0] = turn[1]
        elif size[1] == 0.0 and size[0] != 0.0:
            turn[1] = turn[0]
        angles.append(turn)
        sizes.append(size)
    return angles, sizes


def _unwound(angles: list[float], winds: Sequence[float]) -> list[float]:
    """Return directions moved by whole circles, so that each follows its forerunner the short way, or by its wind."""
    turned = list(angles)
    for index in range(1, len(turned)):
        if winds[index] > 0:
            low = winds[index] - 2 * math.pi
            turned[index - 1], turned[index] = _within(turned[index - 1], low), _within(turned[index], low)
        else:
            turned[index] = nearest(turned[index], turned[index - 1])
    return turned


def _within(direction: float, low: float) -> float:
    while direction < low:
        direction += 2 * math.pi
    while direction > low + 2 * math.pi:
        direction -= 2 * math.pi
    return direction


def _size(weights: Weights, sizes: Sequence[float]) -> float:
    if any(size == 0.0 or math.log(size) < _LEAST_LOG for size in sizes):
        return _mean(weights, sizes)
    return math.exp(_mean(weights, [math.log(size) for size in sizes]))


def _blend_palettes(genomes: Sequence[Genome], weights: Weights) -> Palette:
    kind = genomes[0].palette_interpolation
    if all(np.array_equal(genome.palette, genomes[0].palette) for genome in genomes[1:]):
        return genomes[0].palette  # as all over a loop
    if kind is PaletteInterpolation.SWEEP:
        is_first = np.arange(palettes.ENTRIES) < palettes.ENTRIES * weights[0]
        return frozen_palette(np.where(is_first[:, None], genomes[0].palette, genomes[1].palette))
    rgb = np.zeros((palettes.ENTRIES, 4))
    for weight, genome in zip(weights, genomes, strict=True):
        rgb += weight * genome.palette
    if all((genome.palette[:, 3] == 1.0).all() for genome in genomes):
        rgb[:, 3] = 1.0
    if kind is not PaletteInterpolation.RGB:
        part = genomes[0].palette_blend if kind is PaletteInterpolation.HSV_CIRCULAR else 0.0
        rgb[:, :3] = part * rgb[:, :3] + (1.0 - part) * _blend_hues(genomes, weights)
    return frozen_palette(np.clip(rgb, 0.0, 1.0))


def _blend_hues(genomes: Sequence[Genome], weights: Weights) -> palettes.Colors:
    rows = [palettes.to_hsv(genome.palette) for genome in genomes]
    if len(rows) == 2 and genomes[0].palette_interpolation is PaletteInterpolation.HSV_CIRCULAR:
        gap = rows[0][:, 0] - rows[1][:, 0]
        rows[1][:, 0] += np.where(gap > 3.0, 6.0, 0.0)
        rows[0][:, 0] += np.where(gap < -3.0, 6.0, 0.0)
    mixed = np.zeros((palettes.ENTRIES, 3))
    for weight, row in zip(weights, rows, strict=True):
        mixed += weight * row
    return palettes.to_rgb(mixed)
