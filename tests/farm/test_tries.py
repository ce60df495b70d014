"""Tries: counted before they are made, forgiven where they succeed, and free again after a while."""

import pytest

from sheepfold.farm.tries import MOST_TRIES, WINDOW_S, Tries
from sheepfold.model.errors import BadCredentials, NameTaken, StoreUnavailable, TooManyTries


@pytest.fixture
def tries(clock) -> Tries:
    return Tries(clock)


def tries_left(tries: Tries, name: str) -> int:
    """Use up what tries a name has left; returns how many they were."""
    for used in range(MOST_TRIES + 1):
        try:
            tries.count(name)
        except TooManyTries:
            return used
    raise AssertionError(f"{name} may try for ever.")


def test_tries_come_back_when_the_window_is_over(tries, clock):
    assert tries_left(tries, "ann") == MOST_TRIES
    clock.advance(WINDOW_S - 1)
    assert tries_left(tries, "ann") == 0
    clock.advance(1)
    assert tries_left(tries, "ann") == MOST_TRIES


def test_a_try_counts_while_it_is_made(tries):
    with tries.counted("ann"):
        assert tries_left(tries, "ann") == MOST_TRIES - 1


def test_a_try_that_succeeds_is_forgiven_under_all_its_names(tries):
    for _ in range(2 * MOST_TRIES):
        with tries.counted("ann", "here"):
            pass
    assert (tries_left(tries, "ann"), tries_left(tries, "here")) == (MOST_TRIES, MOST_TRIES)


@pytest.mark.parametrize(("error", "left"), [
    (BadCredentials, MOST_TRIES - 1), (StoreUnavailable, MOST_TRIES), (NameTaken, MOST_TRIES),
    (ZeroDivisionError, MOST_TRIES - 1),
])
def test_a_wrong_try_stays_but_one_that_was_refused_for_something_else(tries, error, left):
    with pytest.raises(error), tries.counted("ann"):
        raise error
    assert tries_left(tries, "ann") == left


def test_some_may_be_tried_more_often_than_others(tries):
    for _ in range(4 * MOST_TRIES):
        tries.count("forgotten", most=4 * MOST_TRIES)
    with pytest.raises(TooManyTries):
        tries.count("forgotten", most=4 * MOST_TRIES)


def test_a_try_that_is_not_let_through_counts_for_nobody(tries):
    tries_left(tries, "here")
    with pytest.raises(TooManyTries):
        tries.count("ann", "here")
    assert tries_left(tries, "ann") == MOST_TRIES
