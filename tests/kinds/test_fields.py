import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sheepfold.kinds.fields import Fields, shown
from sheepfold.model.errors import InvalidSpec

plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)


@given(plain)
def test_a_whole_number_is_within_its_bounds_or_refused(value: object) -> None:
    try:
        taken = Fields({"n": value}, "test").whole("n", 1, 10)
    except InvalidSpec:
        return
    assert type(taken) is int
    assert 1 <= taken <= 10


def test_a_refusal_says_what_was_expected_and_found() -> None:
    with pytest.raises(InvalidSpec, match="n must be a whole number from 1 to 10, not 'many'"):
        Fields({"n": "many"}, "test").whole("n", 1, 10)


@given(plain | st.sampled_from([math.nan, math.inf, -math.inf, 10**400, True, 0, 10, 10.0, 10.1]))
def test_a_number_is_finite_and_within_its_bounds_or_refused(value: object) -> None:
    try:
        taken = Fields({"q": value}, "test").number("q", 0, 10)
    except InvalidSpec:
        return
    assert not isinstance(taken, bool)
    assert 0 < taken <= 10


@given(plain)
def test_an_order_that_is_no_object_is_refused(value: object) -> None:
    if isinstance(value, dict):
        return
    with pytest.raises(InvalidSpec, match="must be an object"):
        Fields(value, "test")


def test_a_field_nobody_asked_for_is_refused_by_name() -> None:
    fields = Fields({"frames": 1, "framse": 2}, "flame")
    fields.whole("frames", 1, 2)
    with pytest.raises(InvalidSpec, match=r"no field 'framse'; its fields are frames"):
        fields.end()


def test_a_missing_field_is_named() -> None:
    with pytest.raises(InvalidSpec, match="url is missing"):
        Fields({}, "screenshot").text("url", 10)


def test_a_text_with_control_characters_is_refused() -> None:
    with pytest.raises(InvalidSpec, match="printable"):
        Fields({"name": "a\x00b"}, "test").text("name", 10)


def test_a_word_is_taken_whatever_its_case() -> None:
    assert Fields({"engine": "cycles"}, "test").choice("engine", ("CYCLES",)) == "CYCLES"


def test_what_was_found_is_shown_in_its_own_script_on_one_line() -> None:
    assert shown("\u7f8a\u306e\u4e18/\U0001f411.blend") == "'\u7f8a\u306e\u4e18/\U0001f411.blend'"
    assert shown("a\nb\x1b[31m\u202e\u2066\u200f\ud800") == r"'a\nb\x1b[31m\u202e\u2066\u200f\ud800'"


@given(st.text(max_size=300))
def test_what_is_shown_is_short_and_harms_no_log(text: str) -> None:
    written = shown(text)
    assert len(written) <= 60
    assert written.isprintable()
    assert written.encode()


def test_long_texts_that_begin_or_end_otherwise_stay_apart() -> None:
    assert len({shown(f"{begin}{'x' * 200}{end}") for begin in "ab" for end in "cd"}) == 4
