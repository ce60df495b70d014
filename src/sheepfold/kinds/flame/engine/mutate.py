"""Changing one genome by chance: flam3's seven ways, each with the probability that flam3 gives it."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from sheepfold.kinds.flame.engine import palettes
from sheepfold.kinds.flame.engine.chance import (
    USUAL,
    Chance,
    random_genome,
    random_symmetry,
    with_symmetry,
)
from sheepfold.kinds.flame.engine.colors import Look, improved
from sheepfold.kinds.flame.engine.genome import Affine, Genome, Xform
from sheepfold.kinds.flame.engine.names import PARAMETERS


class Mutation(StrEnum):
    """The ways to mutate, by the words of flam3-genome's `method`."""

    ALL_VARIATIONS = "all_vars"
    ONE_XFORM = "one_xform"
    ADD_SYMMETRY = "add_symmetry"
    POST_XFORMS = "post_xforms"
    COLOR_PALETTE = "color_palette"
    DELETE_XFORM = "delete_xform"
    ALL_COEFS = "all_coefs"


_SHARES = (0.1, 0.2, 0.2, 0.1, 0.1, 0.1, 0.2)  # in the order above


@dataclass(frozen=True, slots=True)
class Taste:
    """What mutations may use: variations, how far all coefficients go, and an eye for colours, where there is one."""

    variations: Sequence[str] = USUAL
    speed: float = 0.1
    look: Look | None = None


def mutate(
    genome: Genome, chance: Chance, method: Mutation | None = None, taste: Taste | None = None
) -> tuple[Genome, str]:
    """Return a mutated genome and what was done to it; without a method one is chosen as flam3 would."""
    chosen = method or list(Mutation)[int(chance.choice(len(_SHARES), p=_SHARES))]
    return _WAYS[chosen](genome, chance, taste or Taste())


def _all_variations(genome: Genome, chance: Chance, taste: Taste) -> tuple[Genome, str]:
    other = random_genome(chance, taste.variations, xform_count=len(genome.xforms))
    pairs = zip(genome.xforms, other.xforms, strict=False)
    return replace(genome, xforms=tuple(_revaried(one, two) for one, two in pairs)), "mutate all variations"


def _revaried(xform: Xform, other: Xform) -> Xform:
    kept = {
        name: value
        for name, value in xform.parameters.items()
        if not any(name in PARAMETERS.get(variation, ()) for variation in other.variations)
    }
    return replace(xform, variations=other.variations, parameters=kept | dict(other.parameters))


def _one_xform(genome: Genome, chance: Chance, taste: Taste) -> tuple[Genome, str]:
    place = int(chance.integers(len(genome.xforms)))
    fresh = random_genome(chance, taste.variations, xform_count=2).xforms[0].coefs
    old = genome.xforms[place].coefs
    coefs = fresh if len(genome.xforms) > 2 else (*old[:4], *fresh[4:])
    return _with(genome, place, replace(genome.xforms[place], coefs=coefs)), f"mutate xform {place} coefs"


def _with(genome: Genome, place: int, xform: Xform) -> Genome:
    return replace(genome, xforms=(*genome.xforms[:place], xform, *genome.xforms[place + 1 :]))


def _add_symmetry(genome: Genome, chance: Chance, _taste: Taste) -> tuple[Genome, str]:
    return with_symmetry(genome, random_symmetry(chance)), "mutate symmetry"


def _post_xforms(genome: Genome, chance: Chance, _taste: Taste) -> tuple[Genome, str]:
    """Move some of what the first affine parts do to the second ones: turns, sizes, places, any of them."""
    kinds, is_same = int(chance.integers(1, 7)), bool(chance.integers(4))
    xforms = [_posted(xform, chance, kinds) for xform in genome.xforms]
    if is_same:
        xforms = [xforms[0], *(replace(xform, post=xforms[0].post) for xform in genome.xforms[1:])]
    return replace(genome, xforms=tuple(xforms)), f"mutate post xforms ({kinds}{' same' if is_same else ''})"


def _posted(xform: Xform, chance: Chance, kinds: int) -> Xform:
    coefs, post = xform.coefs, xform.post
    if kinds & 1:
        angle = math.pi * chance.uniform(-1, 1)
        coefs, post = _turned(coefs, angle), _turned(post, -angle)
    if kinds & 2:
        wide, tall = 0.2 + chance.random(), 0.2 + chance.random()
        wide = 1.0 / wide if chance.integers(2) else wide
        tall = wide if chance.integers(2) else 1.0 / tall if chance.integers(2) else tall
        coefs = (coefs[0] / wide, coefs[1] / wide, coefs[2] / tall, coefs[3] / tall, coefs[4], coefs[5])
        post = (post[0] * wide, post[1] * tall, post[2] * wide, post[3] * tall, post[4], post[5])
    if kinds & 4:
        right, down = (float(value) for value in chance.uniform(-1, 1, 2))
        coefs = (*coefs[:4], coefs[4] - right, coefs[5] - down)
        post = (*post[:4], post[4] + right, post[5] + down)
    return replace(xform, coefs=coefs, post=post)


def _turned(affine: Affine, angle: float) -> Affine:
    a, b, c, d, e, f = affine
    cosine, sine = math.cos(angle), math.sin(angle)
    return (a * cosine - b * sine, a * sine + b * cosine, c * cosine - d * sine, c * sine + d * cosine, e, f)


def _color_palette(genome: Genome, chance: Chance, taste: Taste) -> tuple[Genome, str]:
    toss = chance.random()
    if taste.look is None or toss >= 0.8:
        return replace(genome, palette=palettes.any_palette(chance), palette_index=None), "mutate color palette"
    if toss < 0.4:
        return improved(genome, chance, taste.look, 100), "mutate color coords"
    return improved(genome, chance, taste.look, 25, has_palettes=True), "mutate color all"


def _delete_xform(genome: Genome, chance: Chance, _taste: Taste) -> tuple[Genome, str]:
    place = int(chance.integers(len(genome.xforms)))
    weightless = not any(xform.weight > 0 for at, xform in enumerate(genome.xforms) if at != place)
    if weightless:
        return genome, f"mutate delete xform {place}"
    return without(genome, place), f"mutate delete xform {place}"


def without(genome: Genome, place: int) -> Genome:
    """Return a genome without one of its transforms, whose column leaves every row of chaos too."""
    rest = [xform for at, xform in enumerate(genome.xforms) if at != place]
    cut = [replace(xform, chaos=xform.chaos[:place] + xform.chaos[place + 1 :]) for xform in rest]
    return replace(genome, xforms=tuple(cut))


def _all_coefs(genome: Genome, chance: Chance, taste: Taste) -> tuple[Genome, str]:
    moved = []
    for xform in genome.xforms:
        a, b, c, d, e, f = (
            old + taste.speed * float(step) for old, step in zip(xform.coefs, chance.uniform(-1, 1, 6), strict=True)
        )
        moved.append(replace(xform, coefs=(a, b, c, d, e, f)))
    return replace(genome, xforms=tuple(moved)), "mutate all coefs"


_WAYS: dict[Mutation, Callable[[Genome, Chance, Taste], tuple[Genome, str]]] = {
    Mutation.ALL_VARIATIONS: _all_variations,
    Mutation.ONE_XFORM: _one_xform,
    Mutation.ADD_SYMMETRY: _add_symmetry,
    Mutation.POST_XFORMS: _post_xforms,
    Mutation.COLOR_PALETTE: _color_palette,
    Mutation.DELETE_XFORM: _delete_xform,
    Mutation.ALL_COEFS: _all_coefs,
}
