"""Genomes by chance: the distributions of flam3's random genomes, drawn from a numpy generator.

The same seed gives the same genome on every machine, save for the palette where flam3's palette file is missing.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np

from sheepfold.kinds.flame.engine import palettes
from sheepfold.kinds.flame.engine.genome import IDENTITY, Affine, Genome, Xform
from sheepfold.kinds.flame.engine.names import NAMES
from sheepfold.kinds.flame.engine.symmetry import symmetric

Chance = np.random.Generator
T = TypeVar("T")

# Blurs fill the plane, and the rest make pictures of squares and crosses: flam3 leaves them out unless told.
UNWANTED = frozenset(
    {"noise", "blur", "gaussian_blur", "radial_blur", "ngon", "square", "rays", "cross", "pre_blur", "separation"}
    | {"split", "splits"}
)
USUAL: tuple[str, ...] = tuple(name for name in NAMES if name not in UNWANTED)

_XFORM_COUNTS = (2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 5, 5, 6)
_SYMMETRIES = (-4, -3, -2, -2, -2, -1, -1, -1, 2, 2, 2, 3, 3, 4, 4)


def random_genome(
    chance: Chance, variations: Sequence[str] = USUAL, *, symmetry: int = 0, xform_count: int = 0
) -> Genome:
    """Return a genome as flam3 draws them: 2 to 6 transforms unless told, at times a final one or a symmetry.

    Whether it looks like anything is for breeding.py to say.
    """
    hue = 0.0 if chance.random() < 7 / 8 else chance.random()
    palette = palettes.any_palette(chance, hue)
    count = xform_count or _pick(chance, _XFORM_COUNTS)
    has_final = not xform_count and chance.random() < 0.15
    total = count + has_final
    is_same, has_posts, is_shared = _coin(chance), chance.random() >= 0.6, not _coin(chance)
    xforms: list[Xform] = []
    for index in range(count):
        weights = xforms[-1].variations if is_same and xforms else _weights(chance, variations, _few(chance))
        post = _affine(chance) if has_posts else IDENTITY
        if has_posts and is_shared and xforms:
            post = xforms[0].post
        xforms.append(
            Xform(
                weight=1.0 / total,
                color=float(index & 1),
                coefs=_affine(chance),
                post=post,
                variations=dict(weights),
                parameters=random_parameters(chance, weights),
            )
        )
    final = _final(chance, variations, count) if has_final else None
    genome = Genome(tuple(xforms), palette, final)
    if symmetry or (not has_final and chance.random() < 0.25):
        return with_symmetry(genome, symmetry or random_symmetry(chance))
    return genome


def with_symmetry(genome: Genome, kind: int) -> Genome:
    """Return a genome with a symmetry's transforms after its own."""
    row = [*genome.xforms, *symmetric(kind)]
    if genome.has_chaos:
        row = [replace(xform, chaos=(xform.chaos + (1.0,) * len(row))[: len(row)]) for xform in row]
    return replace(genome, xforms=tuple(row))


def random_symmetry(chance: Chance) -> int:
    """Return a kind of symmetry, mostly small: 1 and 0 are none."""
    if _coin(chance):
        return _pick(chance, _SYMMETRIES)
    if chance.random() < 31 / 32:
        return int(chance.integers(-6, 7))
    return int(chance.integers(-25, 26))


def _few(chance: Chance) -> int:
    """Return 1 in a third of cases, else 2 and with each toss of a coin one more, to 8."""
    if chance.random() < 1 / 3:
        return 1
    count = 2
    while _coin(chance) and count < 8:
        count += 1
    return count


def _final(chance: Chance, variations: Sequence[str], index: int) -> Xform:
    weights = _weights(chance, variations, 1 + _coin(chance))
    return Xform(
        color=float(index & 1),
        coefs=_affine(chance),
        variations=weights,
        parameters=random_parameters(chance, weights),
    )


def _weights(chance: Chance, variations: Sequence[str], count: int) -> dict[str, float]:
    """Return weights that add up to 1, of variations drawn with replacement, in flam3's order."""
    drawn = {_pick(chance, variations): chance.uniform(0.001, 1.0) for _ in range(count)}
    total = sum(drawn.values())
    return {name: float(drawn[name] / total) for name in NAMES if name in drawn}


def _affine(chance: Chance) -> Affine:
    a, b, c, d, e, f = (float(value) for value in chance.uniform(-1.0, 1.0, 6))
    return (a, b, c, d, e, f)


def _pick(chance: Chance, choices: Sequence[T]) -> T:
    return choices[int(chance.integers(len(choices)))]


def _coin(chance: Chance) -> bool:
    return bool(chance.integers(2))


# Parameters


def random_parameters(chance: Chance, weights: Iterable[str]) -> dict[str, float]:
    """Return random parameters of the variations among `weights` that have any."""
    parameters: dict[str, float] = {}
    for name in weights:
        for parameter, draw in _DRAWS.get(name, {}).items():
            parameters[parameter] = float(draw(chance))
    if "super_shape_n2" in parameters:
        parameters["super_shape_n3"] = parameters["super_shape_n2"]
    if "ngon_corners" in parameters:
        parameters["ngon_corners"] *= parameters["ngon_circle"]
    return parameters


Draw = Callable[[Chance], float]


def _between(low: float, high: float) -> Draw:
    return lambda chance: chance.uniform(low, high)


def _whole(low: int, high: int) -> Draw:
    return lambda chance: int(chance.integers(low, high + 1))


def _fixed(value: float) -> Draw:
    return lambda _: value


_PART, _SPAN = _between(0, 1), _between(-1, 1)

# What each is drawn from, as flam3 has it. Where flam3's cast to a whole number comes too early and leaves one value
# (ngon_sides, super_shape_m), the range it meant stands here.
_DRAWS: dict[str, dict[str, Draw]] = {
    "blob": {"blob_low": _between(0.2, 0.7), "blob_high": _between(0.8, 1.2), "blob_waves": _whole(2, 6)},
    "pdj": dict.fromkeys(("pdj_a", "pdj_b", "pdj_c", "pdj_d"), _between(-3, 3)),
    "fan2": {"fan2_x": _SPAN, "fan2_y": _SPAN},
    "rings2": {"rings2_val": _between(0, 2)},
    "perspective": {"perspective_angle": _PART, "perspective_dist": _between(1, 3)},
    "julian": {"julian_power": _whole(2, 6), "julian_dist": _fixed(1)},
    "juliascope": {"juliascope_power": _whole(2, 6), "juliascope_dist": _fixed(1)},
    "radial_blur": {"radial_blur_angle": _SPAN},
    "pie": {
        "pie_slices": _between(0, 10),
        "pie_thickness": _PART,
        "pie_rotation": _between(-2 * math.pi, 2 * math.pi),
    },
    "ngon": {
        "ngon_sides": _whole(3, 12),
        "ngon_power": _between(1, 4),
        "ngon_circle": _between(0, 3),
        "ngon_corners": _between(0, 2),
    },
    "curl": {"curl_c1": _PART, "curl_c2": _PART},
    "rectangles": {"rectangles_x": _PART, "rectangles_y": _PART},
    "disc2": {"disc2_rot": _between(0, 0.5), "disc2_twist": _between(0, 0.5)},
    "super_shape": {
        "super_shape_rnd": _PART,
        "super_shape_m": _whole(0, 5),
        "super_shape_n1": _between(0, 40),
        "super_shape_n2": _between(0, 20),
        "super_shape_holes": _fixed(0),
    },
    "flower": {"flower_petals": _between(0, 4), "flower_holes": _PART},
    "conic": {"conic_eccentricity": _PART, "conic_holes": _PART},
    "parabola": {"parabola_height": _between(0.5, 1.5), "parabola_width": _between(0.5, 1.5)},
    "bent2": {"bent2_x": _between(-1.5, 1.5), "bent2_y": _between(-1.5, 1.5)},
    "bipolar": {"bipolar_shift": _SPAN},
    "cell": {"cell_size": _between(0.5, 2.5)},
    "cpow": {"cpow_r": _between(0, 3), "cpow_i": _between(-0.5, 0.5), "cpow_power": _whole(1, 5)},
    "curve": {
        "curve_xamp": _between(-2.5, 2.5),
        "curve_yamp": _between(-2, 2),
        "curve_xlength": _between(1, 3),
        "curve_ylength": _between(1, 3),
    },
    "escher": {"escher_beta": _between(-math.pi, math.pi)},
    "lazysusan": {
        "lazysusan_x": _between(-2, 2),
        "lazysusan_y": _between(-2, 2),
        "lazysusan_spin": _between(-math.pi, math.pi),
        "lazysusan_space": _between(-2, 2),
        "lazysusan_twist": _between(-2, 2),
    },
    "modulus": {"modulus_x": _SPAN, "modulus_y": _SPAN},
    "oscilloscope": {
        "oscilloscope_separation": _between(0, 2),
        "oscilloscope_frequency": _between(-math.pi, math.pi),
        "oscilloscope_amplitude": _between(1, 3),
        "oscilloscope_damping": _PART,
    },
    "popcorn2": {"popcorn2_x": _between(0, 0.2), "popcorn2_y": _between(0, 0.2), "popcorn2_c": _between(0, 5)},
    "separation": {
        "separation_x": _between(0, 2),
        "separation_y": _between(0, 2),
        "separation_xinside": _SPAN,
        "separation_yinside": _SPAN,
    },
    "split": {"split_xsize": _SPAN, "split_ysize": _SPAN},
    "splits": {"splits_x": _SPAN, "splits_y": _SPAN},
    "stripes": {"stripes_space": _PART, "stripes_warp": _between(0, 5)},
    "wedge": {
        "wedge_angle": _between(0, math.pi),
        "wedge_hole": _between(-0.5, 0.5),
        "wedge_count": _whole(1, 5),
        "wedge_swirl": _PART,
    },
    "wedge_julia": {
        "wedge_julia_power": _whole(2, 6),
        "wedge_julia_dist": _fixed(1),
        "wedge_julia_count": _whole(1, 3),
        "wedge_julia_angle": _between(0, math.pi),
    },
    "wedge_sph": {
        "wedge_sph_angle": _between(0, math.pi),
        "wedge_sph_hole": _between(-0.5, 0.5),
        "wedge_sph_count": _whole(1, 5),
        "wedge_sph_swirl": _PART,
    },
    "whorl": {"whorl_inside": _PART, "whorl_outside": _PART},
    "waves2": {
        "waves2_scalex": _between(0.5, 1.5),
        "waves2_scaley": _between(0.5, 1.5),
        "waves2_freqx": _between(0, 4),
        "waves2_freqy": _between(0, 4),
    },
    "auger": {
        "auger_sym": _fixed(0),
        "auger_weight": _between(0.5, 1),
        "auger_freq": _whole(1, 5),
        "auger_scale": _PART,
    },
    "flux": {"flux_spread": _between(0.5, 1)},
    "mobius": {f"mobius_{part}_{letter}": _SPAN for letter in "abcd" for part in ("re", "im")},
}
