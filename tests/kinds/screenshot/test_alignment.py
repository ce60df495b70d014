"""Which row of a page became which."""

from hypothesis import given
from hypothesis import strategies as st

from sheepfold.kinds.screenshot.alignment import NEW, align

ROWS = st.lists(st.integers(0, 6), max_size=40)


def test_a_stretch_that_came_in_is_new_and_all_below_moves():
    assert align("abcdef", "abXYcdef") == [0, 1, NEW, NEW, 2, 3, 4, 5]


def test_a_stretch_that_went_leaves_the_others():
    assert align("abcdef", "abef") == [0, 1, 4, 5]


def test_what_changed_in_place_stays_beside_its_old_row():
    assert align("abcdef", "abXdef") == [0, 1, 2, 3, 4, 5]


def test_blank_rows_do_not_mislead():
    earlier, later = "...a...b...", "...a.....b..."
    found = align(earlier, later)
    assert found[later.index("a")] == earlier.index("a")
    assert found[later.index("b")] == earlier.index("b")
    assert found.count(NEW) == 2


def test_what_swapped_its_places_moves_once():
    found = align("abcdefgh", "efghabcd")
    assert found in ([4, 5, 6, 7, NEW, NEW, NEW, NEW], [NEW, NEW, NEW, NEW, 0, 1, 2, 3])


@given(rows=ROWS)
def test_a_page_that_stayed_is_itself(rows):
    assert align(rows, rows) == list(range(len(rows)))


@given(earlier=ROWS, later=ROWS)
def test_rows_keep_their_order_and_are_used_once(earlier, later):
    used = [row for row in align(earlier, later) if row != NEW]
    assert len(align(earlier, later)) == len(later)
    assert used == sorted(set(used))
    assert all(0 <= row < len(earlier) for row in used)


@given(head=ROWS, tail=ROWS, more=ROWS)
def test_only_as_much_is_new_as_came_in(head, tail, more):
    assert align(head + tail, head + more + tail).count(NEW) == len(more)
