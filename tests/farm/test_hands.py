"""Hands: what they do keeps nobody waiting, and what they could not do is done later."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import replace
from itertools import accumulate

import pytest
from sqlalchemy import text
from tests.conftest import World

from sheepfold.farm.browse import view_job
from sheepfold.farm.chores import take_chore
from sheepfold.farm.hands import Hand
from sheepfold.farm.upkeep import House
from sheepfold.model.errors import StoreUnavailable
from sheepfold.store import chores as chore_rows
from sheepfold.store.chores import LONGEST_DELAY_S


class Line:
    """The line to a database, which may be cut."""

    def __init__(self, world: World) -> None:
        self._db = world.farm.db
        self.is_cut = False

    def __getattr__(self, name: str) -> object:
        if self.is_cut and name in {"read", "write", "look"}:
            raise StoreUnavailable
        return getattr(self._db, name)


class Cutting(Executor):
    """An executor that cuts a line, and does nothing."""

    def __init__(self, line: Line) -> None:
        self._line = line

    def submit(self, *_: object, **__: object) -> Future[object]:
        self._line.is_cut = True
        raise StoreUnavailable


def taken(world: World) -> list[int]:
    return [chore.id for chore in world.farm.db.read(lambda tx: chore_rows.taken_by(tx, world.farm.house))]


def test_what_a_hand_could_not_even_put_off_it_does_when_the_database_answers(world: World):
    world.order()
    world.make_all(world.maker("box"))
    line = Line(world)
    hand = Hand(replace(world.farm, db=line), lambda: Cutting(line))
    for _ in range(2):
        with pytest.raises(StoreUnavailable):
            hand.do_chores()
    assert len(taken(world)) == 1
    line.is_cut = False
    with pytest.raises(StoreUnavailable):  # of the second chore
        hand.do_chores()
    assert len(taken(world)) == 1
    line.is_cut = False
    hand.do_chores()
    assert taken(world) == []
    world.clock.advance(LONGEST_DELAY_S)
    assert world.do_chores() == 2
    assert world.findings() == []


class Deaf:
    """A database to which one cannot listen some times."""

    def __init__(self, world: World, errors: list[Exception]) -> None:
        self._db = world.farm.db
        self._errors = iter(errors)

    def __getattr__(self, name: str) -> object:
        return getattr(self._db, name)

    def listen(self, listener: Callable[[], None]) -> None:
        for error in self._errors:
            raise error
        self._db.listen(listener)


def test_hands_that_could_not_begin_do_so_at_a_later_beat(world: World):
    job = world.order()
    world.make_all(world.maker("box"))
    assert take_chore(world.farm) is not None  # by a house that died of it
    deaf = Deaf(world, [StoreUnavailable(), RuntimeError("can't start new thread")])
    settings = replace(world.farm.settings, chore_processes=2)
    house = House(replace(world.farm, db=deaf, settings=settings), lambda: ThreadPoolExecutor(1))
    house.start()
    ends_at = time.monotonic() + 60
    while view_job(world.farm, job.id).chores_waiting and time.monotonic() < ends_at:
        time.sleep(0.05)
    house.stop()
    assert view_job(world.farm, job.id).chores_waiting == 0
    begun = world.farm.db.read(lambda tx: tx.execute(text("SELECT deaths FROM chores ORDER BY id")).all())
    assert [row.deaths for row in begun] == [1, 0]
    assert world.findings() == []


class Slow(ThreadPoolExecutor):
    """An executor that does nothing before all others meet it, and says when it begins and ends."""

    def __init__(self, said: list[int], meeting: threading.Barrier) -> None:
        super().__init__(1)
        self._said, self._meeting = said, meeting

    def submit(self, deed, *words: object) -> Future[object]:
        def slowly() -> object:
            self._said.append(1)
            self._meeting.wait()
            self._said.append(-1)
            return deed(*words)

        return super().submit(slowly)


def test_as_many_chores_are_done_at_once_as_there_are_hands(world: World):
    job = world.order(frames=5)  # and a sheet of them: twice as many chores as there are hands
    world.make_all(world.maker("box"))
    said: list[int] = []
    meeting = threading.Barrier(3, timeout=60)
    settings = replace(world.farm.settings, chore_processes=3, orphan_blob_age_s=10**9)  # the clock is ahead of files
    house = House(replace(world.farm, settings=settings), lambda: Slow(said, meeting))
    house.start()
    while view_job(world.farm, job.id).chores_waiting:
        time.sleep(0.05)
    house.stop()
    assert max(accumulate(said)) == 3
    begun = world.farm.db.read(lambda tx: tx.execute(text("SELECT attempts, deaths FROM chores")).all())
    assert {tuple(row) for row in begun} == {(1, 0)}
    assert world.findings() == []
