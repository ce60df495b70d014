"""Making genomes alike in shape, so that they can be blended: pads, borrowed parameters, and angles to turn by.

Two genomes blend transform by transform. Where one has fewer, a pad stands in: a transform of weight 0 that starts as
something close to nothing, chosen by what it will become, so that pictures open without a jump. The rules are those
of flam3 3.1.1; only their effect on pictures justifies them.
"""

import math
from collections.abc import Sequence
from dataclasses import replace

from sheepfold.kinds.flame.engine.genome import Affine, Genome, InterpolationType, Xform
from sheepfold.kinds.flame.engine.names import NAMES, PARAMETERS

EPSILON = 1e-10

# Against these a pad is the identity turned by half a circle, with weight -1: nothing else leaves no hole.
_HOLLOW = ("spherical", "ngon", "julian", "juliascope", "polar", "wedge_sph", "wedge_julia")

# Against these a pad is the same variation, with parameters that make it the identity.
_TAMED: dict[str, dict[str, float]] = {
    "rectangles": {"rectangles_x": 0.0, "rectangles_y": 0.0},
    "rings2": {"rings2_val": 0.0},
    "fan2": {"fan2_x": 0.0, "fan2_y": 0.0},
    "blob": {"blob_low": 1.0, "blob_high": 1.0, "blob_waves": 1.0},
    "perspective": {"perspective_angle": 0.0},
    "curl": {"curl_c1": 0.0, "curl_c2": 0.0},
    "super_shape": {
        "super_shape_n1": 2.0, "super_shape_n2": 2.0, "super_shape_n3": 2.0,
        "super_shape_rnd": 0.0, "super_shape_holes": 0.0,
    },
}

# Against these, whose shape comes from the affine part, a pad is the same variation with the axes exchanged.
_AFFINE = ("fan", "rings")
_EXCHANGED: Affine = (0.0, 1.0, 1.0, 0.0, 0.0, 0.0)
_HALF_TURN: Affine = (-1.0, 0.0, 0.0, -1.0, 0.0, 0.0)

_LENT = {name: tuple(own) for name, own in PARAMETERS.items()} | {"flower": ("flower_petals",)}  # flam3 lends no holes


def align(genomes: Sequence[Genome]) -> list[Genome]:
    """Return genomes with equally many transforms, and with a final one in all or in none."""
    count = max(len(genome.xforms) for genome in genomes)
    has_final = any(genome.final is not None for genome in genomes)
    is_alike = len({(len(genome.xforms), genome.final is None) for genome in genomes}) == 1
    rows = [_padded(genome, count, has_final=has_final) for genome in genomes]
    kinds = [genome.interpolation_type for genome in genomes]
    if kinds[len(genomes) // 2 - 1] not in {InterpolationType.OLD, InterpolationType.OLDER}:
        for at in range(len(rows)):
            for slot in range(len(rows[at])):
                rows[at][slot] = _borrowed(rows, at, slot)
                if rows[at][slot].is_padding and not is_alike:
                    is_log = kinds[max(0, at - 1)] is InterpolationType.LOG
                    rows[at][slot] = _stand_in(rows[at][slot], _companions(rows, at, slot), is_log=is_log)
    return [_with_rows(genome, row, count) for genome, row in zip(genomes, rows, strict=True)]


def _padded(genome: Genome, count: int, *, has_final: bool) -> list[Xform]:
    row = [*genome.xforms, *(pad(index) for index in range(len(genome.xforms), count))]
    if genome.has_chaos:
        row = [replace(xform, chaos=(xform.chaos + (1.0,) * count)[:count]) for xform in row]
    if has_final:
        row.append(genome.final or replace(pad(count), animate=0.0, color_speed=0.0))
    return row


def pad(index: int) -> Xform:
    """Return a transform of no weight that changes nothing, for a place in the row."""
    return Xform(color=float(index & 1), variations={"linear": 1.0}, is_padding=True)


def _with_rows(genome: Genome, row: list[Xform], count: int) -> Genome:
    return replace(genome, xforms=tuple(row[:count]), final=row[count] if len(row) > count else None)


def _borrowed(rows: list[list[Xform]], at: int, slot: int) -> Xform:
    """Give a variation that is absent here its parameters from the neighbour that has it: they must not move."""
    xform, neighbour = rows[at][slot], rows[at - 1 if at > 0 else min(1, len(rows) - 1)][slot]
    if xform.variations.keys() >= neighbour.variations.keys():
        return xform
    lent = {
        name: neighbour.parameter(name)
        for variation, weight in neighbour.variations.items()
        if weight != 0.0 and xform.variations.get(variation, 0.0) == 0.0
        for name in _LENT.get(variation, ())
    }
    return replace(xform, parameters=dict(xform.parameters) | lent) if lent else xform


def _companions(rows: list[list[Xform]], at: int, slot: int) -> list[Xform]:
    near = [rows[other][slot] for other in (at - 1, at + 1) if 0 <= other < len(rows)]
    return [xform for xform in near if not xform.is_padding]


def _stand_in(xform: Xform, companions: list[Xform], *, is_log: bool) -> Xform:
    """Return a pad that starts as what its companions will make least of a jump with."""
    rest = {name: weight for name, weight in xform.variations.items() if name != "linear"}
    used = {name for companion in companions for name, weight in companion.variations.items() if weight > 0}
    if is_log and used & set(_HOLLOW):
        return replace(xform, variations={"linear": -1.0} | rest, coefs=_HALF_TURN)
    tamed = [name for name in _TAMED if name in used]
    if tamed:
        changes = {name: value for variation in tamed for name, value in _TAMED[variation].items()}
        weights = rest | dict.fromkeys(tamed, 1.0)
        return replace(xform, variations=_normal(weights), parameters=dict(xform.parameters) | changes)
    exchanged = [name for name in _AFFINE if name in used]
    if exchanged:
        return replace(xform, variations=_normal(rest | dict.fromkeys(exchanged, 1.0)), coefs=_EXCHANGED)
    return replace(xform, variations={"linear": 1.0} | rest)


def _normal(weights: dict[str, float]) -> dict[str, float]:
    total = sum(weights.values())
    return {name: weights[name] / total for name in NAMES if name in weights}


def wound(first: Genome, second: Genome) -> tuple[Genome, Genome]:
    """Return two aligned genomes whose transforms know around which angle to turn, where only one of them turns."""
    pairs = [_wound(one, other) for one, other in zip(first.xforms, second.xforms, strict=True)]
    return first, replace(second, xforms=tuple(pairs))


def _wound(one: Xform, other: Xform) -> Xform:
    if (one.animate == 0.0) == (other.animate == 0.0):
        return other
    winds = list(other.wind)
    for column in (0, 1):
        start, end = angle(one.coefs, column), angle(other.coefs, column)
        end = nearest(end, start)
        winds[column] = (start if other.animate == 0.0 else end) + 2 * math.pi
    return replace(other, wind=(winds[0], winds[1]))


def angle(affine: Affine, column: int) -> float:
    """Return the direction of a column of an affine part."""
    return math.atan2(affine[2 * column + 1], affine[2 * column])


def nearest(end: float, start: float) -> float:
    """Return an angle moved by a circle where that brings it nearer to `start`; half circles go clockwise."""
    gap = end - start
    if gap > math.pi + EPSILON:
        return end - 2 * math.pi
    return end + 2 * math.pi if gap < -(math.pi - EPSILON) else end
