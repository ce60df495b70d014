"""What a screenshot shows instead of a page: nothing, next to nothing, or that something went wrong."""

from collections.abc import Sequence
from enum import IntEnum

import numpy as np
from PIL import Image

from sheepfold.kinds.pictures import BLANK_SPREAD, is_blank
from sheepfold.kinds.screenshot import marks
from sheepfold.kinds.screenshot.marks import Mask, Pixels, is_near

TILE = 12
"""Pixels; the old service looked at a picture in such tiles (protocol note, section 3.3)."""
FEWEST_TILES = 3
"""A page on which less than so many tiles show anything shows nothing: a caret, a speck."""
TASK_BAR = 40
"""Rows at the bottom of a screen that are not the page's (protocol note, section 3.3)."""
BORDER = 24
"""Columns at either side that a window's frame and a scroll bar may take."""
GROUND_SHARE = 0.9
"""How much of a row the page's ground must fill where the page begins, below the browser's own bars."""

SIGN: Sequence[tuple[int, int, int]] = (
    (214, 51, 108), (43, 138, 62), (25, 113, 194), (232, 89, 12), (95, 61, 196), (11, 114, 133), (201, 42, 42),
    (54, 79, 199),
)  # fmt: skip
"""The colours of the squares, side by side, that the farm's own error pages bear for this module to find."""
SIGN_SIDE = 24
EDGE, LOWEST = 32, 8
"""Columns at a side, and rows at the bottom, that cannot be blank on a screen that a browser fills (same section)."""
_LINE_TILES = 3
"""So many tiles high is a page that holds one line of text, wherever it lies on the tiles' grid."""


class Problem(IntEnum):
    """What is wrong, by the old service's numbers."""

    CRASHED = 601
    REDIRECT_PAGE = 672
    NO_CONNECTION = 673
    NO_SERVER = 674
    BLANK = 701
    BLANK_LEFT = 702
    BLANK_RIGHT = 703
    BLANK_BOTTOM = 704


NOTHING_SEEN = frozenset({Problem.BLANK, Problem.BLANK_LEFT, Problem.BLANK_RIGHT, Problem.BLANK_BOTTOM})
"""What an order that allows blank pictures puts up with."""


SENTENCES = {
    Problem.CRASHED: "The browser has crashed.",
    Problem.REDIRECT_PAGE: "The browser is still on the redirect.",
    Problem.NO_CONNECTION: "The connection failed.",
    Problem.NO_SERVER: "The server was not found.",
    Problem.BLANK: "The picture is blank.",
    Problem.BLANK_LEFT: "The left edge is blank.",
    Problem.BLANK_RIGHT: "The right edge is blank.",
    Problem.BLANK_BOTTOM: "The lower edge is blank.",
}


def problem_of(image: Image.Image, *, is_screen: bool = False) -> Problem | None:
    """Return what is wrong in an RGB picture, None where nothing is.

    A whole screen is filled by its browser from edge to edge; a page or a viewport may have margins as it likes.
    """
    if is_blank(image):
        return Problem.BLANK
    pixels = np.asarray(image)
    if _has_sign(pixels):
        return Problem.REDIRECT_PAGE
    if found := _browsers_own(pixels):
        return found
    if _is_repeating(pixels) or _is_empty(pixels):
        return Problem.BLANK
    return _blank_edge(pixels) if is_screen else None


def _browsers_own(pixels: Pixels) -> Problem | None:
    """Return what a browser says on a page of its own, None where no such page is known here."""
    for mark in marks.find(pixels, _ground(pixels), marks.known()):
        if not mark.is_alone or _is_one_line(pixels):
            return Problem(mark.problem)
    return None


def _blank_edge(pixels: Pixels) -> Problem | None:
    """Return which edge of a screen nothing was drawn upon; a lower edge of a colour may be a page's or a bar's."""
    if pixels.shape[0] <= 2 * TASK_BAR or pixels.shape[1] <= 2 * EDGE:
        return None
    screen = pixels[:-TASK_BAR]
    if _is_bare(screen[:, :EDGE]):
        return Problem.BLANK_LEFT
    if _is_bare(screen[:, -EDGE:]):
        return Problem.BLANK_RIGHT
    lowest = pixels[-LOWEST:]
    is_desktop = not lowest.any() or (lowest != lowest[0, 0]).any()
    return Problem.BLANK_BOTTOM if is_desktop and _is_bare(lowest) and any(_ground(screen)) else None


def _is_bare(part: Pixels) -> bool:
    """Say whether a part has one colour, or the pattern of four by four pixels that X draws where nothing else is."""
    return bool((part[4:] == part[:-4]).all() and (part[:, 4:] == part[:, :-4]).all())


def _has_sign(pixels: Pixels) -> bool:
    """Say whether the sign stands anywhere: its colours follow each other at its distance."""
    height, width = pixels.shape[:2]
    span = width - SIGN_SIDE * (len(SIGN) - 1)
    if span <= 0:
        return False
    found: Mask = np.ones((height, span), dtype=bool)
    for place, colour in enumerate(SIGN):
        window = pixels[:, place * SIGN_SIDE : place * SIGN_SIDE + span]
        found &= is_near(window, colour, marks.SPREAD)
        if not found.any():
            return False
    return bool(found.sum() >= SIGN_SIDE * SIGN_SIDE // 4)


def _is_repeating(pixels: Pixels) -> bool:
    """Say whether one pattern of four rows is all there is, as on a screen that nothing was drawn on."""
    seen = pixels[: pixels.shape[0] - TASK_BAR] if pixels.shape[0] > 2 * TASK_BAR else pixels
    return seen.shape[0] > 8 and bool((seen[4:] == seen[:-4]).all())


def _is_empty(pixels: Pixels) -> bool:
    """Say whether the page, below the browser's own bars, is its ground and nothing else."""
    drawn = _drawn_below_bars(pixels)
    return drawn is not None and _tiles(drawn).sum() < FEWEST_TILES


def _is_one_line(pixels: Pixels) -> bool:
    """Say whether the page, below the browser's own bars, holds one line of text and nothing else."""
    drawn = _drawn_below_bars(pixels)
    if drawn is None:
        return False
    rows = np.flatnonzero(_tiles(drawn).any(axis=1))
    return rows.size > 0 and int(rows[-1] - rows[0]) < _LINE_TILES


def _drawn_below_bars(pixels: Pixels) -> Mask | None:
    """Return what differs from the page's ground, from where that begins; None where there is no room for a page."""
    height, width = pixels.shape[:2]
    if height <= 2 * TASK_BAR or width <= 4 * BORDER:
        return None
    page = pixels[: height - TASK_BAR, BORDER : width - BORDER]
    drawn: Mask = ~is_near(page, _ground(page), BLANK_SPREAD)
    begins = np.flatnonzero(drawn.mean(axis=1) <= 1 - GROUND_SHARE)
    if not begins.size or drawn.shape[0] - begins[0] < TILE:
        return None
    below: Mask = drawn[begins[0] :]
    return below


def _ground(page: Pixels) -> tuple[int, ...]:
    """Return the colour that most of a page has, by a sample of its pixels."""
    sample = page[::7, ::7].reshape(-1, 3).astype(np.uint32)
    packed = (sample[:, 0] << 16) | (sample[:, 1] << 8) | sample[:, 2]
    colours, counts = np.unique(packed, return_counts=True)
    found = int(colours[counts.argmax()])
    return found >> 16, (found >> 8) & 255, found & 255


def _tiles(drawn: Mask) -> Mask:
    """Say of each tile whether anything is drawn in it."""
    height, width = (size - size % TILE for size in drawn.shape)
    tiles = drawn[:height, :width].reshape(height // TILE, TILE, width // TILE, TILE)
    return np.asarray(tiles.any(axis=(1, 3)))
