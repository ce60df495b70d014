"""Tries: counted before they are made, forgiven where they succeed, and free again after a while."""

import asyncio

import pytest

from sheepfold.farm import tries as tries_module
from sheepfold.farm.tries import MOST_TRIES, WINDOW_S, Tries
from sheepfold.model.errors import BadCredentials, NameTaken, Overloaded, StoreUnavailable, TooManyTries


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


def all_at_once(tries: Tries, count: int, error: type[Exception] | None,
                most_tries: int = MOST_TRIES) -> tuple[list[Exception | None], int]:
    """Make tries that come together and end with an error, or well; returns how each ended, and the most at once."""
    running = most = 0

    async def made() -> None:
        nonlocal running, most
        async with tries.counted_in_turn({"here": most_tries}):
            running += 1
            most = max(most, running)
            await asyncio.sleep(0.05)
            running -= 1
            if error is not None:
                raise error

    async def together() -> list[Exception | None]:
        return await asyncio.gather(*(made() for _ in range(count)), return_exceptions=True)

    return asyncio.run(together()), most


def test_tries_that_come_together_wait_for_each_other(tries):
    assert all_at_once(tries, 3 * MOST_TRIES, None) == ([None] * 3 * MOST_TRIES, MOST_TRIES)
    assert tries_left(tries, "here") == MOST_TRIES


def test_of_wrong_tries_that_come_together_no_more_are_let_through(tries):
    ended, most = all_at_once(tries, 3 * MOST_TRIES, BadCredentials)
    assert [type(error) for error in ended] == [BadCredentials] * MOST_TRIES + [TooManyTries] * 2 * MOST_TRIES
    assert most == MOST_TRIES


def test_a_name_with_more_tries_makes_no_more_of_them_at_once(tries):
    ended, most = all_at_once(tries, 3 * MOST_TRIES, BadCredentials, most_tries=2 * MOST_TRIES)
    assert [type(error) for error in ended] == [BadCredentials] * 2 * MOST_TRIES + [TooManyTries] * MOST_TRIES
    assert most == MOST_TRIES


def test_who_waits_too_long_is_told_why_and_has_tried_nothing(tries, monkeypatch):
    monkeypatch.setattr(tries_module, "LONGEST_TURN_S", 0)
    ended, _ = all_at_once(tries, MOST_TRIES + 1, None)
    assert isinstance(ended[-1], Overloaded)
    assert ended[:-1] == [None] * MOST_TRIES
    assert tries_left(tries, "here") == MOST_TRIES


def test_a_try_that_is_not_let_through_counts_for_nobody(tries):
    tries_left(tries, "here")
    with pytest.raises(TooManyTries):
        tries.count("ann", "here")
    assert tries_left(tries, "ann") == MOST_TRIES
