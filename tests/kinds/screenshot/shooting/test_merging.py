"""Laws of merging: a page that is cut into screens with bars around them comes back whole."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from sheepfold.kinds.screenshot.shooting.merging import Pixels, merge, shift

ASIDE = Path(__file__).parent / "aside"
WIDTH = 200


def noise(rows: int, seed: int) -> Pixels:
    return np.random.default_rng(seed).integers(0, 255, (rows, WIDTH, 3), dtype=np.uint8)


def screens_of(page: Pixels, view: int, header: Pixels, footer: Pixels, tops: list[int]) -> list[Pixels]:
    """Return what a screen of `view` rows shows of a page at each place, with bars laid over its edges."""
    shown = []
    for top in tops:
        screen = page[top:top + view].copy()
        screen[:len(header)] = header
        screen[view - len(footer):] = footer
        shown.append(screen)
    return shown


def tops_of(height: int, view: int, step: int) -> list[int]:
    tops = [0]
    while tops[-1] + view < height:
        tops.append(min(tops[-1] + step, height - view))
    return tops


def expected(page: Pixels, header: Pixels, footer: Pixels) -> Pixels:
    whole = page.copy()
    whole[:len(header)] = header
    whole[len(whole) - len(footer):] = footer
    return whole


@st.composite
def cut_pages(draw: st.DrawFn) -> tuple[Pixels, Pixels, Pixels, int, list[int]]:
    view = draw(st.integers(60, 160))
    header, footer = draw(st.integers(0, view // 5)), draw(st.integers(0, view // 5))
    height = draw(st.integers(view, 5 * view))
    step = draw(st.integers(8, view - header - footer - 24))
    page = noise(height, draw(st.integers(0, 99)))
    for _ in range(draw(st.integers(0, 3))):  # blank stretches, and rows that come again
        start, length = draw(st.integers(0, height)), draw(st.integers(0, 20))
        page[start:start + length] = draw(st.sampled_from([255, 0, 128]))
    return page, noise(header, 1000), noise(footer, 1001), view, tops_of(height, view, step)


@settings(max_examples=60)
@given(cut_pages())
def test_a_page_comes_back_whole_with_its_bars_once_where_the_steps_are_known(case):
    page, header, footer, view, tops = case
    steps = [lower - upper for upper, lower in pairwise(tops)]
    merged = merge(screens_of(page, view, header, footer, tops), steps)
    assert np.array_equal(merged, expected(page, header, footer))


@settings(max_examples=60)
@given(cut_pages())
def test_a_page_comes_back_whole_where_only_the_pixels_tell(case):
    page, header, footer, view, tops = case
    merged = merge(screens_of(page, view, header, footer, tops))
    assert np.array_equal(merged, expected(page, header, footer))


def test_a_stretch_of_blank_rows_higher_than_the_overlap_needs_the_steps():
    page = np.full((400, WIDTH, 3), 255, np.uint8)
    page[:20], page[-20:] = noise(20, 1), noise(20, 2)
    tops = tops_of(400, 100, 60)
    none = np.empty((0, WIDTH, 3), np.uint8)
    assert np.array_equal(merge(screens_of(page, 100, none, none, tops), [60] * 5), page)


def test_rows_that_repeat_do_not_mislead_where_the_steps_are_known():
    page = np.tile(noise(10, 3), (40, 1, 1))
    none = np.empty((0, WIDTH, 3), np.uint8)
    assert np.array_equal(merge(screens_of(page, 100, none, none, tops_of(400, 100, 60)), [60] * 5), page)


def test_a_bar_that_looks_like_the_page_for_some_rows_is_not_taken_twice():
    page = np.full((500, WIDTH, 3), 255, np.uint8)
    page[[5, 61, 104, 150, 233, 260, 333, 380, 421, 470], 10:60] = 0
    bar = np.full((30, WIDTH, 3), 255, np.uint8)
    bar[20:22] = 90
    none = np.empty((0, WIDTH, 3), np.uint8)
    tops = tops_of(500, 120, 60)
    steps = [lower - upper for upper, lower in pairwise(tops)]
    merged = merge(screens_of(page, 120, bar, none, tops), steps)
    assert int((merged[:, 100] == 90).all(axis=1).sum()) == 2


def test_an_animation_in_a_corner_does_not_hide_how_far_a_page_moved():
    page = noise(300, 4)
    upper, lower = page[:200].copy(), page[70:270].copy()
    lower[100:150, :30] = 7
    assert shift(upper, lower) == 70


def test_a_bar_that_begins_to_stick_between_two_screens_is_taken_once():
    page = np.full((900, WIDTH, 3), 255, np.uint8)
    page[:150] = (0, 0, 192)
    page[200::40, 20:150] = 0  # lines on a blank ground, which rests by chance
    page[150:180] = (0, 128, 0)
    tops = tops_of(900, 200, 120)
    screens = [page[top:top + 200].copy() for top in tops]
    for top, screen in zip(tops, screens, strict=True):
        if top > 150:
            screen[:30] = (0, 128, 0)
    assert np.array_equal(merge(screens, [lower - upper for upper, lower in pairwise(tops)]), page)


def test_a_button_in_a_corner_and_a_bar_at_the_side_are_taken_once():
    page = noise(700, 7)
    tops = tops_of(700, 200, 100)
    screens = [page[top:top + 200].copy() for top in tops]
    for screen in screens:
        screen[:, :30] = 60
        screen[20:40, 5:25] = 200
        screen[160:190, 150:180] = 90
    merged = merge(screens, [100] * 5)
    assert int((merged[:, 10] == 200).all(axis=1).sum()) == 20
    assert int((merged[:, 160] == 90).all(axis=1).sum()) == 30
    assert np.array_equal(merged[:500, 40:], page[:500, 40:])


def test_screens_that_do_not_move_or_have_nothing_in_common_end_the_picture():
    one, other = noise(80, 5), noise(80, 6)
    assert np.array_equal(merge([one, one]), one)
    assert np.array_equal(merge([one, other]), one)
    assert shift(one, other) == 0


def test_screens_of_several_sizes_are_refused():
    with pytest.raises(ValueError, match="one size"):
        merge([noise(10, 1), noise(11, 1)])
    with pytest.raises(ValueError, match="one size"):
        merge([])


def test_a_button_in_a_corner_is_whole_though_specks_of_the_page_stay_in_place_too() -> None:
    """These are screens of WebKitGTK, of a page with a bar at the side and a red button in its lower right corner."""
    screens = [np.asarray(Image.open(path).convert("RGB")) for path in sorted(ASIDE.glob("*.png"))]
    merged = merge(screens, [322] * (len(screens) - 1))
    is_red = (np.abs(merged[:, 750].astype(int) - (192, 0, 0)) < 10).all(axis=1)
    assert np.flatnonzero(is_red).tolist() == list(range(len(merged) - 80, len(merged) - 20))
