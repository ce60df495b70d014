"""Turning a genome: the one movement of a loop, with the motion elements' waves on top.

Facts from flam3 3.1.1: the 2x2 part of a transform is turned, its translation and its second affine part are not;
transforms with `animate` 0 and the final one stand still.
"""

import math
from collections.abc import Mapping
from dataclasses import replace

from sheepfold.kinds.flame.engine.genome import Affine, Genome, InterpolationType, Motion, MotionFunction, Xform


def spin(genome: Genome, turn: float) -> Genome:
    """Return a loop's control point after `turn` turns: 0 and 1 look the same, as each wave is 0 at whole turns."""
    return rotated(moved(genome, turn), turn, genome.interpolation_type)


def rotated(genome: Genome, turn: float, blending: InterpolationType) -> Genome:
    """Return a genome whose transforms are turned; those that an alignment added only where `blending` is log."""
    angle = turn * 360.0 * 2.0 * math.pi / 360.0
    cosine, sine = math.cos(angle), math.sin(angle)

    def turned(xform: Xform) -> Xform:
        if xform.animate == 0.0 or (xform.is_padding and blending is not InterpolationType.LOG):
            return xform
        a, b, c, d, e, f = xform.coefs
        coefs = (cosine * a - sine * b, sine * a + cosine * b, cosine * c - sine * d, sine * c + cosine * d, e, f)
        return replace(xform, coefs=coefs)

    return replace(genome, xforms=tuple(turned(xform) for xform in genome.xforms))


def moved(genome: Genome, turn: float) -> Genome:
    """Return a genome with its motion elements' changes at a time of the turn added, and without the elements."""
    final = None if genome.final is None else _moved(genome.final, turn)
    return replace(genome, xforms=tuple(_moved(xform, turn) for xform in genome.xforms), final=final)


def _moved(xform: Xform, turn: float) -> Xform:
    if not xform.motions:
        return xform
    for motion in xform.motions:
        xform = _changed(xform, motion, wave(motion.function, motion.frequency * turn))
    return replace(xform, motions=(), color=min(1.0, max(0.0, xform.color)), weight=max(0.0, xform.weight))


def _changed(xform: Xform, motion: Motion, height: float) -> Xform:
    change = motion.change
    return replace(
        xform,
        weight=xform.weight + change.weight * height,
        color=xform.color + change.color * height,
        color_speed=xform.color_speed + change.color_speed * height,
        animate=xform.animate + change.animate * height,
        opacity=xform.opacity + change.opacity * height,
        variations=_summed(xform.variations, change.variations, height),
        parameters=_summed({name: xform.parameter(name) for name in change.parameters} | dict(xform.parameters),
                           change.parameters, height),
        coefs=_added(xform.coefs, change.coefs, height),
        post=_added(xform.post, change.post, height),
    )


def _summed(values: Mapping[str, float], changes: Mapping[str, float], height: float) -> dict[str, float]:
    return dict(values) | {name: values.get(name, 0.0) + change * height for name, change in changes.items()}


def _added(values: Affine, changes: Affine, height: float) -> Affine:
    a, b, c, d, e, f = (value + change * height for value, change in zip(values, changes, strict=True))
    return (a, b, c, d, e, f)


def wave(function: MotionFunction, time: float) -> float:
    """Return a wave's height, -1 to 1, at a time of which its period is 1."""
    if function is MotionFunction.SIN:
        return math.sin(2.0 * math.pi * time)
    if function is MotionFunction.HILL:
        return (1.0 - math.cos(2.0 * math.pi * time)) * 0.5
    part = time % 1.0
    if part <= 0.25:
        return 4.0 * part
    return -4.0 * part + 2.0 if part <= 0.75 else 4.0 * part - 4.0
