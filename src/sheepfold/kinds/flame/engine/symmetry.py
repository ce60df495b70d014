"""The transforms that a symmetry adds to a flame: turns, and a mirror where its kind is negative."""

import math

from sheepfold.kinds.flame.engine.genome import Xform

MAX_KIND = 50  # flam3 adds as many transforms


def symmetric(kind: int) -> tuple[Xform, ...]:
    """Return the transforms of a kind in flam3's order: n-fold turns, before them a mirror for -n.

    Kinds 0 and 1 add none here: what 0 means in flam3, a random kind, is for chance.py to choose.
    """
    mirror = [_fixed(1.0, (-1.0, 0.0, 0.0, 1.0, 0.0, 0.0))] if kind < 0 else []
    fold = abs(kind)
    turns = [_turn(fold, step) for step in range(1, fold)]
    return tuple(sorted(mirror + turns, key=_determinant))


def _turn(fold: int, step: int) -> Xform:
    angle = step * (2 * math.pi / fold)
    cosine, sine = _rounded(math.cos(angle)), _rounded(math.sin(angle))
    color = 0.0 if fold < 3 else (step - 1.0) / (fold - 2.0)
    return _fixed(color, (cosine, sine, _rounded(-sine), cosine, 0.0, 0.0))


def _fixed(color: float, coefs: tuple[float, float, float, float, float, float]) -> Xform:
    return Xform(weight=1.0, color=color, color_speed=0.0, animate=0.0, variations={"linear": 1.0}, coefs=coefs)


def _rounded(value: float) -> float:
    """Round as flam3 does: the sixth decimal, upwards for positive numbers, away from zero for negative ones."""
    scaled = value * 1e6
    return 1e-6 * int((scaled - 1.0 if scaled < 0 else scaled) + 0.5)


def _determinant(xform: Xform) -> float:
    """Return what flam3 sorts by. That of a turn would be 1, but for the rounding, which so decides their order."""
    a, b, c, d, _, _ = xform.coefs
    return a * d - b * c
