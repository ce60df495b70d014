from hypothesis import given
from hypothesis import strategies as st

from sheepfold.worker.backoff import LONGEST_PAUSE_S, LONGEST_WISH_S, backoff_s

chances = st.floats(0, 1)
attempts = st.integers(1, 10_000)
wishes = st.none() | st.integers(-5, 10**9)


@given(attempts, chances)
def test_a_pause_without_a_wish_is_bounded(attempt: int, chance: float) -> None:
    assert 1 <= backoff_s(attempt, None, chance) <= LONGEST_PAUSE_S


@given(attempts, wishes, chances)
def test_no_pause_is_shorter_than_the_farms_wish_up_to_an_hour(attempt: int, wish: int | None, chance: float) -> None:
    pause = backoff_s(attempt, wish, chance)
    assert pause >= min(wish or 0, LONGEST_WISH_S)
    assert pause <= max(LONGEST_PAUSE_S, LONGEST_WISH_S * 1.25)


@given(attempts, wishes, chances)
def test_pauses_grow_with_the_tries(attempt: int, wish: int | None, chance: float) -> None:
    assert backoff_s(attempt, wish, chance) <= backoff_s(attempt + 1, wish, chance)


@given(attempts, st.none() | st.integers(1, 10**6))
def test_chance_spreads_a_flock(attempt: int, wish: int | None) -> None:
    assert backoff_s(attempt, wish, 0) < backoff_s(attempt, wish, 1)


def test_the_first_pauses_double() -> None:
    assert [backoff_s(attempt, None, 1) for attempt in (1, 2, 3, 4)] == [2, 4, 8, 16]
