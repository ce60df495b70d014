"""Merging screens of one page, scrolled, into one tall picture: pure, over rows of pixels.

The old factories' way (protocol note, section 5.4), made exact: two screens are laid over each other where their pixels
are the same, and cut where they are. What stays in place while the page moves (the window's frame, a header, the task
bar) is thereby taken once: above from the first screen, below from the last.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]
Rows = npt.NDArray[np.uint64]
Flags = npt.NDArray[np.bool_]

STRIP_PX = 64
_LEAST_ALIKE = 0.8  # of the strips that move: what an animation covers may differ
_LEAST_RUN = 8  # rows
_FEW = 2  # screens on which a column may be the same by chance
_SPECKS_PX = 100  # that stay in place by chance, of words and gradients
_STILL = 0.95  # of its rows: a strip that moves so little is a bar at the side


@dataclass(frozen=True, slots=True)
class _Pair:
    """Two screens, the second further down, as numbers of their rows, strip by strip (rows x strips)."""

    upper: Rows
    lower: Rows


@dataclass(frozen=True, slots=True)
class _Rests:
    """Which rows of the lower screen rest while the page moves, which of the upper one, and which of all screens.

    `shown` is what `_shown` returns of the parts that rest in other rows.
    """

    lower: Flags
    upper: Flags
    all: Flags
    shown: npt.NDArray[np.int64]


def merge(screens: Sequence[Pixels], steps: Sequence[int] | None = None) -> Pixels:
    """Return one picture of screens of one size, each scrolled further down than the one before.

    `steps` says by how many rows each was scrolled, where that is known, as a driven browser tells it; without it the
    pixels tell. A screen that did not move, or of which nothing can be told, is left out with all that follow it.
    Raises ValueError for no screens, or for screens of several sizes.
    """
    if not screens or len({screen.shape for screen in screens}) != 1:
        raise ValueError("expected screens of one size")
    marked = [_marks(screen) for screen in screens]
    resting = _resting(marked)
    fixed = np.logical_and.reduce(resting) if resting else np.zeros(0, bool)
    columns = _resting_columns(screens, int(np.argmin(fixed[::-1])) if len(fixed) else 0)
    pieces: list[Pixels] = []
    start = 0  # the row of the current screen from which on it is taken
    last = 0
    for number, (upper, lower) in enumerate(pairwise(marked)):
        pair = _Pair(upper, lower)
        by = steps[number] if steps else _voted(pair)
        if not 0 < by < len(upper):
            break
        # A bar that begins to stick between two screens rests in the lower one and the next, not yet in these two.
        around = _Rests(resting[number] | resting[min(number + 1, len(resting) - 1)],
                        resting[number] | resting[max(number - 1, 0)], fixed,
                        _shown(screens[number], screens[number + 1], by, ~columns))  # fmt: skip
        seam = _seam(pair, by, start, around)
        pieces.append(screens[number][start:seam + by])
        start, last = seam, number + 1
    whole = np.concatenate([*pieces, screens[last][start:]])
    _draw_sides_once(whole, screens[0], screens[last], columns)
    return whole


def _resting_columns(screens: Sequence[Pixels], below: int) -> Flags:
    """Say which columns are the same on all of some screens, but for `below` rows at the end; none of two screens."""
    if len(screens) <= _FEW:
        return np.zeros(screens[0].shape[1], bool)
    height = len(screens[0]) - below
    same = [(one[:height] == screens[0][:height]).all(axis=(0, 2)) for one in screens[1:]]
    return np.asarray(np.logical_and.reduce(same))


def _draw_sides_once(whole: Pixels, first: Pixels, last: Pixels, resting: Flags) -> None:
    """Draw columns that rest in all screens as a higher window has them: their ends once, and ground between.

    These are bars at the side, and margins. A column's ground is the colour that it has most; where there is no row
    in which all of them show theirs, nothing is changed.
    """
    columns = np.flatnonzero(resting)
    if not len(columns):
        return
    sides = first[:, columns]
    ground = np.stack([_most(sides[:, number]) for number in range(len(columns))])
    begin, length = _run((sides == ground).all(axis=(1, 2)))
    if length:
        cut = begin + length // 2
        end = len(whole) - len(last) + cut
        whole[:cut, columns] = first[:cut, columns]
        whole[cut:end, columns] = ground
        whole[end:, columns] = last[cut:, columns]


def _most(column: Pixels) -> Pixels:
    """Return the colour that most of a column's pixels have."""
    numbers = column.astype(np.uint32) @ np.array([1 << 16, 1 << 8, 1], np.uint32)
    colours, counts = np.unique(numbers, return_counts=True)
    most = int(colours[counts.argmax()])
    return np.array([most >> 16, most >> 8 & 255, most & 255], np.uint8)


def shift(upper: Pixels, lower: Pixels) -> int:
    """Return by how many rows a page was scrolled between two screens; 0 where it was not, or it cannot be told."""
    return _voted(_Pair(_marks(upper), _marks(lower)))


def _voted(pair: _Pair) -> int:
    """Let each row that is the only one of its sort in both screens vote for how far it moved.

    A winner needs one vote a strip on average, as the old factories had it; of equals the smallest step wins.
    """
    height, strips = pair.upper.shape
    votes = np.zeros(height, np.int64)
    for strip in range(strips):
        first, second = _sole(pair.upper[:, strip]), _sole(pair.lower[:, strip])
        _, above, below = np.intersect1d(first[0], second[0], assume_unique=True, return_indices=True)
        moved = first[1][above] - second[1][below]
        votes += np.bincount(moved[moved > 0], minlength=height)[:height]
    best = int(votes.argmax())
    return best if votes[best] >= strips else 0


def _sole(rows: npt.NDArray[np.uint64]) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.intp]]:
    """Return what comes once, each row taken together with the one above it, and where."""
    with np.errstate(over="ignore"):
        twos = rows[1:] * np.uint64(3) + rows[:-1]
    values, places, counts = np.unique(twos, return_index=True, return_counts=True)
    return values[counts == 1], places[counts == 1]


def _alike(pair: _Pair, by: int) -> Flags:
    """Say for each row of the lower screen that both show whether it is the same in the upper one."""
    height = len(pair.upper)
    same = pair.lower[:height - by] == pair.upper[by:]
    moving = ~_sides((pair.lower == pair.upper)[:height - by], ~same)
    if not moving.any():
        return np.asarray(same.all(axis=1))
    return np.asarray(same[:, moving].mean(axis=1) >= _LEAST_ALIKE)


def _resting(marked: Sequence[Rows]) -> list[Flags]:
    """Say for each pair of screens which rows rest while the page moves, as bars do.

    Blank rows of the page rest by chance, from one screen to the next; a bar does so for longer.
    """
    static = [(lower == upper).mean(axis=1) >= _LEAST_ALIKE for upper, lower in pairwise(marked)]
    if len(static) < 2:
        return static
    around = [static[1], *(before | after for before, after in zip(static, static[2:], strict=False)), static[-2]]
    return [here & near for here, near in zip(static, around, strict=True)]


def _seam(pair: _Pair, by: int, start: int, rests: _Rests) -> int:
    """Return the row of the lower screen from which on it is taken; above it the upper screen, `by` rows further down.

    It lies in the middle of the longest run of rows that are the same in both, between the bars. Rows of the page
    are preferred to those that rest in all screens, the window's own, which may be alike because both are blank.
    """
    alike = _alike(pair, by)
    top, end = _between_bars(alike, rests, by)
    least = max(start - by, 0)
    if max(top, least) >= end:
        top, end = least, len(alike)
    top = max(top, least)
    page = alike & ~rests.all[:len(alike)]
    least_shown = rests.shown <= rests.shown[top:end].min(initial=rests.shown.max(initial=0)) + _SPECKS_PX
    for rows in (page & least_shown, page, alike):
        begin, length = _run(rows[top:end])
        if length >= _LEAST_RUN:
            break
    return top + begin + length // 2 if length else (top + end) // 2


def _shown(upper: Pixels, lower: Pixels, by: int, moving: Flags) -> npt.NDArray[np.int64]:
    """Return how many pixels a seam at each row shows of what stays in place in a part of the width, as a button does.

    Such a part rests on the screen where the page would have moved. Above the seam is what the upper screen has of
    it, below what the lower one has. Only the columns that are `moving` count.
    """
    height = len(upper) - by
    still = (upper == lower).all(axis=2)[:, moving]
    here, there = still[:height], still[by:]
    differs = (lower[:height] != upper[by:]).any(axis=2)[:, moving]
    is_low = (np.arange(height) >= height // 2)[:, np.newaxis]  # where both rest, one by chance, the place tells
    above = np.cumsum((differs & there & (is_low | ~here)).sum(axis=1))
    below = np.cumsum((differs & here & ~(is_low & there)).sum(axis=1)[::-1])[::-1]
    return np.asarray(above + below)


def _sides(still: Flags, differs: Flags) -> Flags:
    """Say which strips are bars at the side: they rest, and are not as the page would be that moved."""
    return np.asarray((still.mean(axis=0) >= _STILL) & (differs.mean(axis=0) > 1 - _STILL))


def _between_bars(alike: Flags, rests: _Rests, by: int) -> tuple[int, int]:
    """Return from which to which row of the lower screen the page is seen in both screens, and no bar in either.

    Rows that differ are a bar of the lower screen where they rest there, and one of the upper screen where they rest
    `by` rows further down. By chance blank rows of the page rest as well: a block of rows that differ is judged as a
    whole, and one of which nothing can be told by where it is.
    """
    height = len(alike)
    above, below = rests.lower[:height], rests.upper[by:by + height]
    top, end = 0, height
    for first, last in _runs(~alike):
        block = slice(first, last)
        is_upper = int((above[block] & ~below[block]).sum()) - int((below[block] & ~above[block]).sum())
        if not is_upper:
            is_upper = height - first - last if (above[block] & below[block]).any() else 0
        if is_upper > 0:
            top = max(top, last)
        elif is_upper < 0:
            end = min(end, first)
    return top, end


def _runs(flags: Flags) -> list[tuple[int, int]]:
    """Return from where to where each run of true goes."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flags.astype(np.int8), [0]])))
    return [(int(first), int(last)) for first, last in zip(edges[::2], edges[1::2], strict=True)]


def _run(flags: Flags) -> tuple[int, int]:
    """Return where the longest run of true begins, and its length."""
    return max(((first, last - first) for first, last in _runs(flags)), key=lambda run: run[1], default=(0, 0))


def _marks(screen: Pixels) -> Rows:
    """Return a number for each row of each strip: equal rows have equal numbers, others hardly ever."""
    height, width = screen.shape[:2]
    rows = screen.reshape(height, -1)
    chance = np.random.default_rng(1).integers(1, 2**63, rows.shape[1], dtype=np.uint64) | np.uint64(1)
    step = STRIP_PX * (rows.shape[1] // width)
    with np.errstate(over="ignore"):
        return np.stack([rows[:, at:at + step].astype(np.uint64) @ chance[at:at + step]
                         for at in range(0, rows.shape[1], step)], axis=1)  # fmt: skip
