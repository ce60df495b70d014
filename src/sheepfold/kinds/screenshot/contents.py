"""What a screenshot shows instead of a page: nothing, next to nothing, or our own sign that something went wrong."""

from collections.abc import Sequence
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sheepfold.kinds.pictures import BLANK_SPREAD, is_blank

Mask = NDArray[np.bool_]

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
_SIGN_SPREAD = 12  # of 255: what a screen of 16 bits makes of a colour


# Chromium's sad page, drawn in squares of three pixels, as of 2014 to 2026; measured on Chromium 156.
SAD_PAGE = (
    "#########..",
    "#.....#..#.",
    "#.....#...#",
    "#..#..#...#",
    "#..#..#####",
    "#.........#",
    "#.........#",
    "#.........#",
    "#.........#",
    "#...###...#",
    "#..#...#..#",
    "#.........#",
    "#.........#",
    "###########",
)
_SAD_SQUARE = 3


class Problem(IntEnum):
    """What is wrong, by the old service's numbers."""

    REDIRECT_PAGE = 672
    NO_CONNECTION = 673
    BLANK = 701


SENTENCES = {
    Problem.REDIRECT_PAGE: "The browser is still on the redirect.",
    Problem.NO_CONNECTION: "The connection failed.",
    Problem.BLANK: "The picture is blank.",
}


def problem_of(image: Image.Image) -> Problem | None:
    """Return what is wrong in an RGB picture, None where nothing is."""
    if is_blank(image):
        return Problem.BLANK
    pixels = np.asarray(image)
    if _has_sign(pixels):
        return Problem.REDIRECT_PAGE
    if _has_sad_page(pixels):
        return Problem.NO_CONNECTION
    return Problem.BLANK if _is_repeating(pixels) or _is_empty(pixels) else None


def _has_sign(pixels: NDArray[np.uint8]) -> bool:
    """Say whether the sign stands anywhere: its colours follow each other at its distance."""
    height, width = pixels.shape[:2]
    span = width - SIGN_SIDE * (len(SIGN) - 1)
    if span <= 0:
        return False
    found: Mask = np.ones((height, span), dtype=bool)
    for place, colour in enumerate(SIGN):
        window = pixels[:, place * SIGN_SIDE : place * SIGN_SIDE + span]
        found &= _is_near(window, colour, _SIGN_SPREAD)
        if not found.any():
            return False
    return bool(found.sum() >= SIGN_SIDE * SIGN_SIDE // 4)


def _is_near(pixels: NDArray[np.uint8], colour: Sequence[int], spread: int) -> Mask:
    near: Mask = np.ones(pixels.shape[:2], dtype=bool)
    for channel, value in enumerate(colour):
        low, high = max(0, value - spread), min(255, value + spread)
        near &= (pixels[..., channel] >= low) & (pixels[..., channel] <= high)
    return near


def _has_sad_page(pixels: NDArray[np.uint8]) -> bool:
    """Say whether Chromium's sad page stands anywhere, at one to four device pixels for each of its own."""
    drawn = ~_is_near(pixels, _ground(pixels), 2 * _SIGN_SPREAD)
    corner = drawn.copy()  # where a drawn pixel has an undrawn one above and one at its left
    corner[1:] &= ~drawn[:-1]
    corner[:, 1:] &= ~drawn[:, :-1]
    rows, columns = np.nonzero(corner)
    return any(_stands_at(drawn, rows, columns, ratio * _SAD_SQUARE) for ratio in (1, 2, 3, 4))


def _stands_at(drawn: Mask, rows: NDArray[np.intp], columns: NDArray[np.intp], side: int) -> bool:
    """Say whether the sad page, in squares of a side, has its upper left corner at any of these places."""
    high, wide = len(SAD_PAGE) * side, len(SAD_PAGE[0]) * side
    inside = (rows + high <= drawn.shape[0]) & (columns + wide <= drawn.shape[1])
    rows, columns = rows[inside], columns[inside]
    for row, squares in enumerate(SAD_PAGE):
        for column, square in enumerate(squares):
            seen = drawn[rows + row * side + side // 2, columns + column * side + side // 2]
            rows, columns = rows[seen == (square == "#")], columns[seen == (square == "#")]
            if not rows.size:
                return False
    return True


def _is_repeating(pixels: NDArray[np.uint8]) -> bool:
    """Say whether one pattern of four rows is all there is, as on a screen that nothing was drawn on."""
    seen = pixels[: pixels.shape[0] - TASK_BAR] if pixels.shape[0] > 2 * TASK_BAR else pixels
    return seen.shape[0] > 8 and bool((seen[4:] == seen[:-4]).all())


def _is_empty(pixels: NDArray[np.uint8]) -> bool:
    """Say whether the page, below the browser's own bars, is its ground and nothing else."""
    height, width = pixels.shape[:2]
    if height <= 2 * TASK_BAR or width <= 4 * BORDER:
        return False
    page = pixels[: height - TASK_BAR, BORDER : width - BORDER]
    drawn = ~_is_near(page, _ground(page), BLANK_SPREAD)
    begins = np.flatnonzero(drawn.mean(axis=1) <= 1 - GROUND_SHARE)
    if not begins.size:
        return False
    return _count_tiles(drawn[begins[0] :]) < FEWEST_TILES


def _ground(page: NDArray[np.uint8]) -> tuple[int, ...]:
    """Return the colour that most of a page has, by a sample of its pixels."""
    sample = page[::7, ::7].reshape(-1, 3).astype(np.uint32)
    packed = (sample[:, 0] << 16) | (sample[:, 1] << 8) | sample[:, 2]
    colours, counts = np.unique(packed, return_counts=True)
    found = int(colours[counts.argmax()])
    return found >> 16, (found >> 8) & 255, found & 255


def _count_tiles(drawn: Mask) -> int:
    height, width = (size - size % TILE for size in drawn.shape)
    if not height or not width:
        return FEWEST_TILES
    tiles = drawn[:height, :width].reshape(height // TILE, TILE, width // TILE, TILE)
    return int(tiles.any(axis=(1, 3)).sum())
