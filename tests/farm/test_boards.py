"""Boards: of this moment on a small farm, of a while ago on a large one."""

import threading

import pytest
from tests.conftest import Clock, World, in_threads

from sheepfold.farm import boards
from sheepfold.farm.boards import Board, Boards
from sheepfold.store.database import Tx


@pytest.fixture
def ticks() -> Clock:
    return Clock(0)


def earn(world: World, name: str) -> None:
    world.order(frames=1)
    world.make_all(world.maker(f"box-of-{name}", name))


def names(found: Boards) -> list[str]:
    return [one.name for one in found.earners.page(9)]


def test_a_small_farms_board_is_of_this_moment(world: World, ticks: Clock) -> None:
    found = Boards(world.farm.db, ticks)
    assert names(found) == []
    earn(world, "ann")
    assert names(found) == ["ann"]
    earn(world, "bob")
    assert set(names(found)) == {"ann", "bob"}


def test_a_large_farms_board_is_looked_up_anew_after_a_while(
        world: World, ticks: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(boards, "ROWS_A_SECOND", 1)
    found = Boards(world.farm.db, ticks)
    earn(world, "ann")
    assert names(found) == ["ann"]
    earn(world, "bob")
    assert names(found) == ["ann"]
    ticks.advance(1)  # for the one picture that was paid then
    assert set(names(found)) == {"ann", "bob"}


def test_while_one_looks_others_take_the_old_board(world: World, ticks: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(boards, "ROWS_A_SECOND", 1)
    earn(world, "ann")
    begun, go = threading.Event(), threading.Event()
    looks: list[int] = []

    def look(_: Tx) -> list[tuple[int, int]]:
        looks.append(1)
        if len(looks) > 1:
            begun.set()
            assert go.wait(60)
        return [(len(looks), 1)]

    board = Board(world.farm.db, look, lambda one: one, ticks)
    assert board.page(9) == [(1, 1)]
    ticks.advance(1)
    looking = threading.Thread(target=board.page, args=[9])
    looking.start()
    assert begun.wait(60)
    assert in_threads(4, lambda _: board.page(9)) == [[(1, 1)]] * 4
    go.set()
    looking.join(60)
    assert board.page(9) == [(2, 1)]
    assert len(looks) == 2


def test_pages_of_a_board_join_without_a_gap(world: World, ticks: Clock) -> None:
    rows = [(9, 1), (5, 2), (5, 4), (5, 7), (0, 3)]
    board = Board(world.farm.db, lambda tx: rows, lambda one: one, ticks)
    found, after = [], None
    while page := board.page(2, after):
        found, after = found + page, page[-1]
    assert found == rows
    assert board.page(9, (5, 3)) == [(5, 4), (5, 7), (0, 3)]
