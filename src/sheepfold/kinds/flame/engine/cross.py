"""A child of two genomes: flam3's three ways, each with the probability that flam3 gives it."""

from dataclasses import replace
from enum import StrEnum

import numpy as np

from sheepfold.kinds.flame.engine.chance import Chance
from sheepfold.kinds.flame.engine.genome import Genome, Xform, frozen_palette
from sheepfold.kinds.flame.engine.interpolate import at


class Crossing(StrEnum):
    """The ways to cross, by the words of flam3-genome's `method`."""

    UNION = "union"
    INTERPOLATE = "interpolate"
    ALTERNATE = "alternate"


_SHARES = (0.1, 0.1, 0.8)  # in the order above
_TRIES = 200  # of alternation; two parents of two transforms need fewer than 50 in all but one case of a million
_PALETTE_CROSS, _PALETTE_SWITCH = 0.4, 0.01


def cross(first: Genome, second: Genome, chance: Chance, method: Crossing | None = None) -> tuple[Genome, str]:
    """Return a child and what was done; without a method one is chosen as flam3 would.

    The camera and the tone are the first parent's, or that of the parent whose transforms alternation began with.
    """
    chosen = method or list(Crossing)[int(chance.choice(len(_SHARES), p=_SHARES))]
    if chosen is Crossing.UNION:
        child, action = _union(first, second), "cross union"
    elif chosen is Crossing.INTERPOLATE:
        part = float(chance.random())
        child = at([replace(first, time=0.0), replace(second, time=1.0)], part)
        child, action = replace(_without_motions(child), time=0.0), f"cross interpolate {part:.5g}"
    else:
        child, action = _alternate(first, second, chance)
    return _colored(replace(child, edits=""), (first, second), chance, action)


def _union(first: Genome, second: Genome) -> Genome:
    count = len(first.xforms) + len(second.xforms)
    ones = (1.0,) * count
    rows = [*first.xforms, *second.xforms]
    if first.has_chaos:  # the second parent's is lost, as in flam3
        rows = [replace(xform, chaos=(xform.chaos + ones)[:count]) for xform in first.xforms]
        rows += [replace(xform, chaos=ones) for xform in second.xforms]
    else:
        rows = [replace(xform, chaos=()) for xform in rows]
    return replace(first, xforms=tuple(rows))


def _alternate(first: Genome, second: Genome, chance: Chance) -> tuple[Genome, str]:
    """Return a child whose transforms come from either parent, tried until both are in it, but not for ever.

    Where the parents cannot both be in it, as one has no transform that is ever chosen, it is a copy of the other.
    """
    parents = (first, second)
    for _ in range(_TRIES):
        lead = int(chance.integers(2))
        base, other = parents[lead], parents[1 - lead]
        chosen = [
            1 - lead if chance.integers(2) and place < len(other.xforms) and other.xforms[place].weight > 0 else lead
            for place in range(len(base.xforms))
        ]
        seen = set(chosen) | ({lead} if base.final is not None else set())
        if len(seen) == 2 or len(chosen) == 1:
            row = [_taken(parents[who].xforms[place], base.xforms[place]) for place, who in enumerate(chosen)]
            if any(xform.weight > 0 for xform in row):
                return replace(base, xforms=tuple(row)), f"cross alternate {lead}: {' '.join(map(str, chosen))}"
    lead = 0 if any(xform.weight > 0 for xform in first.xforms) else 1
    return parents[lead], f"cross alternate {lead}: {' '.join(str(lead) for _ in parents[lead].xforms)}"


def _taken(xform: Xform, base: Xform) -> Xform:
    """Return a parent's transform in the child's place, whose row of chaos stays."""
    return replace(xform, chaos=base.chaos)


def _without_motions(genome: Genome) -> Genome:
    final = None if genome.final is None else replace(genome.final, motions=())
    return replace(genome, xforms=tuple(replace(xform, motions=()) for xform in genome.xforms), final=final)


def _colored(child: Genome, parents: tuple[Genome, Genome], chance: Chance, action: str) -> tuple[Genome, str]:
    """Return a child whose colour coordinates are 0 and 1 by turns, and whose palette may be of both parents."""
    xforms = tuple(replace(xform, color=float(place & 1)) for place, xform in enumerate(child.xforms))
    final = None if child.final is None else replace(child.final, color=float(len(xforms) & 1))
    child = replace(child, xforms=xforms, final=final)
    if chance.random() >= _PALETTE_CROSS:
        return child, action
    start = int(chance.integers(2))
    switches = np.cumsum(chance.random(256) < _PALETTE_SWITCH)
    is_second = (start + switches) % 2 == 1
    palette = frozen_palette(np.where(is_second[:, None], parents[1].palette, parents[0].palette))
    return replace(child, palette=palette, palette_index=None), f"{action} cmap_cross {start}:"
