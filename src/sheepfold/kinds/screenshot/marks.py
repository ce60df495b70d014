"""Marks by which the pages that a browser puts in a page's place are known, whatever language they speak.

The old service compared pictures with small bitmaps of known texts (protocol note, section 3.3). Words are many, and
so are fonts: what is compared here is the drawing that a browser puts on such a page. `scripts/mark.py` makes a mark
from a real screenshot; marks.json beside this module holds those of the browsers of today.
"""

import functools
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import resources
from itertools import zip_longest
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Mask = NDArray[np.bool_]
Colour = tuple[int, int, int]
Points = tuple[tuple[int, int], ...]

RATIOS = (1, 2, 3, 4)
"""Device pixels of a CSS pixel: at each of these a mark is looked for."""
SPREAD = 12
"""Of 255: what a screen of 16 bits makes of a colour."""
SIDE = 5
"""Around a point with a colour so many pixels are alike, so that every third one of a picture need be looked at."""
MISSED = 0.1
"""The share of a coloured mark's points that may be otherwise: shades differ with the screen and the version."""
_STRIDE = 3


@dataclass(frozen=True, slots=True)
class Mark:
    """What is drawn on a browser's own page, as points in CSS pixels.

    `coloured` points have their colours; the first of them is the anchor. `drawn` ones differ from the page's ground,
    `empty` ones are ground. Where there is no colour the first drawn one is the anchor, a corner with nothing above it
    nor at its left. `problem` is the old service's number. A mark that `is_alone` counts only where nothing but one
    line is on the page.
    """

    problem: int
    what: str
    coloured: tuple[tuple[int, int, Colour], ...] = ()
    drawn: Points = ()
    empty: Points = ()
    is_alone: bool = False

    @property
    def points(self) -> list[tuple[int, int, Colour | bool]]:
        """Return all points from the anchor, with a colour, or whether they are drawn: both by turns, as that tells."""
        lines = zip_longest(((x, y, True) for x, y in self.drawn), ((x, y, False) for x, y in self.empty))
        found: list[tuple[int, int, Colour | bool]] = [*self.coloured]
        found.extend(point for pair in lines for point in pair if point is not None)
        left, top = found[0][:2]
        return [(x - left, y - top, wanted) for x, y, wanted in found]

    @classmethod
    def from_json(cls, plain: dict[str, Any]) -> Self:
        """Read a mark as it is written in marks.json."""
        coloured = tuple((x, y, (red, green, blue)) for x, y, red, green, blue in plain.get("coloured", ()))
        drawn, empty = (tuple((x, y) for x, y in plain.get(name, ())) for name in ("drawn", "empty"))
        return cls(plain["problem"], plain["what"], coloured, drawn, empty, plain.get("is_alone", False))


@functools.cache
def known() -> tuple[Mark, ...]:
    """Return the marks that come with this package."""
    text = (resources.files(__package__) / "marks.json").read_text("utf-8")
    return tuple(Mark.from_json(plain) for plain in json.loads(text))


def find(pixels: Pixels, ground: Sequence[int], marks: Sequence[Mark]) -> Iterator[Mark]:
    """Return those of the marks that stand anywhere in a picture with this ground."""
    few = pixels[::_STRIDE, ::_STRIDE]
    drawn = ~is_near(pixels, ground, 2 * SPREAD)
    corners = np.nonzero(_corners(drawn))
    for mark in marks:
        starts = _starts(few, mark) if mark.coloured else corners
        if any(_stands(pixels, drawn, mark, starts, ratio) for ratio in RATIOS):
            yield mark


def is_near(pixels: Pixels, colour: Sequence[int], spread: int) -> Mask:
    """Say of each pixel whether it has a colour, give or take so much of 255."""
    near: Mask = np.ones(pixels.shape[:-1], dtype=bool)
    for channel, value in enumerate(colour):
        low, high = max(0, value - spread), min(255, value + spread)
        near &= (pixels[..., channel] >= low) & (pixels[..., channel] <= high)
    return near


def _starts(few: Pixels, mark: Mark) -> tuple[NDArray[np.intp], ...]:
    """Return where the first coloured point of a mark may be."""
    return tuple(places * _STRIDE for places in np.nonzero(is_near(few, mark.coloured[0][2], SPREAD)))


def _corners(drawn: Mask) -> Mask:
    """Say of each drawn pixel whether it has an undrawn one above and one at its left."""
    corner = drawn.copy()
    corner[1:] &= ~drawn[:-1]
    corner[:, 1:] &= ~drawn[:, :-1]
    return corner


def _stands(pixels: Pixels, drawn: Mask, mark: Mark, starts: Sequence[NDArray[np.intp]], ratio: int) -> bool:
    """Say whether a mark stands at one of these places, at so many device pixels for each of its own."""
    (height, width), half = drawn.shape, 0 if mark.coloured else ratio // 2
    points = mark.points
    across, down = [x * ratio + half for x, _, _ in points], [y * ratio + half for _, y, _ in points]
    rows, columns = starts
    inside = (rows + min(down) >= 0) & (rows + max(down) < height)
    inside &= (columns + min(across) >= 0) & (columns + max(across) < width)
    places = (rows * width + columns)[inside]
    missed = np.zeros(places.shape, dtype=np.intp)
    most = MISSED * len(points) if mark.coloured else 0
    for right, below, (_, _, wanted) in zip(across, down, points, strict=True):
        there = places + below * width + right
        if isinstance(wanted, bool):
            missed += drawn.reshape(-1)[there] != wanted
        else:
            missed += ~is_near(pixels.reshape(-1, 3)[there], wanted, SPREAD)
        places, missed = places[missed <= most], missed[missed <= most]
        if not places.size:
            return False
    return True
