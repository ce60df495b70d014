"""Figures that are dear to look up are looked up seldom."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest

from sheepfold.farm import outlook
from sheepfold.farm.outlook import SHARE, Remembered


@pytest.fixture
def hour(monkeypatch):
    """A clock that goes only when it is told to."""
    hour = SimpleNamespace(now=1000.0)
    monkeypatch.setattr(outlook, "time", SimpleNamespace(monotonic=lambda: hour.now))
    assert time.monotonic() != hour.now
    return hour


def test_a_figure_is_good_for_many_times_as_long_as_it_took(hour):
    asked = []

    def look(key):
        asked.append(key)
        hour.now += 2
        return len(asked)

    figures = Remembered(look)
    assert figures.of("blender") == 1
    hour.now += 2 * SHARE - 1
    assert figures.of("blender") == 1
    hour.now += 1
    assert (figures.of("blender"), asked) == (2, ["blender", "blender"])


def test_a_figure_that_costs_nothing_is_of_this_moment(hour):
    told = iter(range(3))
    figures = Remembered(lambda _: next(told))
    assert [figures.of("flame") for _ in range(3)] == [0, 1, 2]


def test_keys_are_apart_and_the_oldest_are_forgotten(hour, monkeypatch):
    monkeypatch.setattr(outlook, "REMEMBERED", 2)
    asked = []

    def look(key):
        asked.append(key)
        hour.now += 1
        return key

    figures = Remembered(look)
    assert [figures.of(key) for key in "abcba"] == list("abcba")
    assert "".join(asked) == "abca"


def test_a_look_that_fails_is_told_and_not_remembered(hour):
    answers = iter([KeyError("away"), 7])

    def look(_):
        hour.now += 1
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    figures = Remembered(look)
    with pytest.raises(KeyError):
        figures.of("x")
    assert figures.of("x") == 7


def test_nobody_waits_for_a_new_figure_who_can_have_the_old_one(hour):
    began, go_on = threading.Event(), threading.Event()

    def look(_):
        if answers[0] == 2:
            began.set()
            assert go_on.wait(30)
        return answers.pop(0)

    answers = [1, 2]
    figures = Remembered(look)
    assert figures.of("blender") == 1
    with ThreadPoolExecutor(1) as others:
        other = others.submit(figures.of, "blender")
        assert began.wait(30)
        assert figures.of("blender") == 1
        go_on.set()
        assert other.result(30) == 2
