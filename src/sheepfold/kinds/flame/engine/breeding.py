"""Breeding until it looks like something: a candidate is pruned, framed, coloured, looked at, and often thrown away."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from xml.sax.saxutils import quoteattr

import numpy as np
from numpy.typing import NDArray

from sheepfold.kinds.flame.engine.chance import Chance
from sheepfold.kinds.flame.engine.colors import Look, Pixels, improved
from sheepfold.kinds.flame.engine.genome import Genome, Xform
from sheepfold.kinds.flame.engine.mutate import without
from sheepfold.kinds.flame.engine.rotate import spin

Count = Callable[[Genome], NDArray[np.floating]]
"""Counts how often each pixel of a genome's view is hit."""

Make = Callable[[], tuple[Genome, str]]
"""Makes a candidate and says how."""

MAX_VARIATIONS = 5
LEAST_WEIGHT = 0.001
TRIES = 10
_WIDE = 10.0  # units from the origin in which a flame is looked for
_WIDEST = 400  # pixels: a stranger's genome may be a million times as wide as it is high
_CUT = 0.01  # the part of a flame that may stay outside its box on each side
_GOLDEN = (0.38196, 0.61804)


@dataclass(frozen=True, slots=True)
class Eyes:
    """How candidates are seen; engine_eyes makes those of our renderer."""

    look: Look
    count: Count


@dataclass(frozen=True, slots=True)
class Standard:
    """What a picture must reach: flam3-genome's `avg`, `black` and `white`.

    `mean` is the least mean of all channels, 0 to 255; at least a part `black` of the pixels is black, and less than
    `white` white.
    """

    mean: float = 20.0
    black: float = 0.01
    white: float = 0.05


NOT_DARK = Standard(mean=5.0, black=0.0, white=1.0)
"""What a loop must reach on its way round: a frame of a single colour is taken for a broken one."""


def breed(make: Make, chance: Chance, eyes: Eyes, standard: Standard | None = None, *, tries: int = TRIES,
          turns: Sequence[float] = ()) -> Genome:
    """Return a candidate that reaches the standard, or the last one where none of `tries` did.

    After each of `turns`, whole turns being 1, it must not be dark either. What was done to it is its edit.
    """
    wanted = standard or Standard()
    genome, action = make()
    for attempt in range(tries):
        if attempt:
            genome, action = make()
        genome, action = _finished(genome, action, chance, eyes)
        if passes(eyes.look(test_view(genome)), wanted) and all(
            passes(eyes.look(test_view(spin(genome, turn))), NOT_DARK) for turn in turns
        ):
            break
    return told(genome, action)


def told(genome: Genome, action: str) -> Genome:
    """Return a genome whose edit says what was done to make it."""
    return replace(genome, edits=f"<edit action={quoteattr(action)}/>")


def _finished(genome: Genome, action: str, chance: Chance, eyes: Eyes) -> tuple[Genome, str]:
    genome = pruned(genome)  # before all else: a kernel of all variations in each transform takes hours to compile
    if action == "random" or chance.integers(2):
        genome, done = framed(genome, chance, eyes.count)
        action += f" {done}"
    if "mutate color" not in action and chance.integers(2):
        return improved(genome, chance, eyes.look, 100), f"{action} improved colors"
    return genome, action


def passes(pixels: Pixels, standard: Standard) -> bool:
    """Say whether a picture is bright enough, has black, and not too much white."""
    rgb = pixels[..., :3]
    black, white = float((rgb == 0).all(axis=-1).mean()), float((rgb == 255).all(axis=-1).mean())
    return float(rgb.mean()) >= standard.mean and black >= standard.black and white < standard.white


def test_view(genome: Genome) -> Genome:
    """Return a genome for the picture by which it is judged: 100 pixels high, quality 1, without fine work.

    Of one that is wider than four times its height, the picture shows the middle.
    """
    part = 100.0 / genome.size[1]
    width = min(_WIDEST, max(1, round(genome.size[0] * part)))
    return replace(
        genome, size=(width, 100), scale=genome.scale * part, quality=1.0, supersample=1, passes=1, temporal_samples=1,
        zoom=0.0, filter_radius=0.5, estimator_radius=9.0, estimator_minimum=min(genome.estimator_minimum, 9.0),
        background=(0.0, 0.0, 0.0),
    )  # fmt: skip


test_view.__test__ = False  # type: ignore[attr-defined]


def framed(genome: Genome, chance: Chance, count: Count) -> tuple[Genome, str]:
    """Return a genome whose camera sees most of it, in the middle or near the golden section, and which it was."""
    (left, top), (right, bottom) = box_of(genome, count)
    if chance.random() < 0.3:
        mix, action = (0.5, 0.5), "recentered"
    else:
        steady = int(chance.integers(3))
        jitters = [0.0 if axis == steady else chance.uniform(-0.2, 0.2) for axis in (0, 1)]
        mixes = [float(chance.choice(_GOLDEN) + jitter) for jitter in jitters]
        mix, action = (mixes[0], mixes[1]), f"reframed{steady}"
    center = (mix[0] * left + (1 - mix[0]) * right, mix[1] * top + (1 - mix[1]) * bottom)
    scale = genome.size[0] / max(right - left, 1e-6)
    return replace(genome, center=center, rot_center=center, scale=scale, zoom=0.0), action


def box_of(genome: Genome, count: Count) -> tuple[tuple[float, float], tuple[float, float]]:
    """Return corners (left and top, right and bottom) of a box outside which lies little of a flame, in units."""
    low, high = (-_WIDE, -_WIDE), (_WIDE, _WIDE)
    for _ in range(2):
        low, high = _tighter(genome, count, low, high)
    return low, high


def _tighter(
    genome: Genome, count: Count, low: tuple[float, float], high: tuple[float, float]
) -> tuple[tuple[float, float], tuple[float, float]]:
    side = 256
    span = max(high[0] - low[0], high[1] - low[1], 1e-6) * 1.25
    center = ((low[0] + high[0]) / 2, (low[1] + high[1]) / 2)
    view = replace(
        test_view(genome), size=(side, side), scale=side / span, center=center, rot_center=center, rotate=0.0
    )
    hits = count(view)
    if not hits.sum() > 0:
        return low, high
    ends = []
    for axis in (0, 1):
        share = np.cumsum(hits.sum(axis=axis)) / hits.sum()
        first, last = int(np.searchsorted(share, _CUT)), int(np.searchsorted(share, 1 - _CUT))
        start = center[axis] - span / 2
        ends.append((start + first * span / side, start + (last + 1) * span / side))
    return (ends[0][0], ends[1][0]), (ends[0][1], ends[1][1])


def pruned(genome: Genome, most: int = MAX_VARIATIONS) -> Genome:
    """Return a genome without transforms of hardly any weight, and with the `most` weighty variations of the others."""
    for place in reversed(range(len(genome.xforms))):
        if genome.xforms[place].weight < LEAST_WEIGHT and len(genome.xforms) > 1:
            genome = without(genome, place)
    final = None if genome.final is None else _pruned(genome.final, most)
    return replace(genome, xforms=tuple(_pruned(xform, most) for xform in genome.xforms), final=final)


def _pruned(xform: Xform, most: int) -> Xform:
    if len(xform.variations) <= most:
        return xform
    kept = set(sorted(xform.variations, key=lambda name: abs(xform.variations[name]), reverse=True)[:most])
    return replace(xform, variations={name: weight for name, weight in xform.variations.items() if name in kept})


def engine_eyes(seed: int) -> Eyes:
    """Return the eyes of our own renderer; what it cannot render looks black."""
    from sheepfold.kinds.flame.engine import render  # noqa: PLC0415 - the compiler takes a second to load
    from sheepfold.kinds.flame.engine.develop import gutter  # noqa: PLC0415 - as above

    def look(genome: Genome) -> Pixels:
        try:
            return render.render(render.Frame((genome,)), seed, device=render.CPU).astype(np.uint8)
        except render.Unsupported:
            return np.zeros((genome.size[1], genome.size[0], 3), np.uint8)

    def count(genome: Genome) -> NDArray[np.floating]:
        view = replace(genome, estimator_radius=0.0)
        try:
            buckets = render.accumulate(render.Frame((view,)), 2.0, seed, device=render.CPU).buckets
        except render.Unsupported:
            return np.zeros((view.size[1], view.size[0]))
        rim = gutter(view)
        hits = np.asarray(buckets)[..., 3]
        return hits[rim : rim + view.size[1], rim : rim + view.size[0]]

    return Eyes(look, count)
