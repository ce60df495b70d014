"""The feed of events: each once, and none missed."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from tests.conftest import World

from sheepfold.farm.browse import newest_event_id
from sheepfold.farm.feed import AT_A_TIME, Feed
from sheepfold.model.events import Event, What
from sheepfold.model.jobs import JobId
from sheepfold.store import events as event_rows
from sheepfold.store.database import Tx
from sheepfold.store.horizon import LITTLE, Horizon


def happen(world: World, count: int, job_id: int = 1000) -> None:
    events = [Event(What.VOTE_CAST, JobId(job_id), None, {"number": n}) for n in range(count)]
    world.farm.db.write(lambda tx: event_rows.add(tx, events, world.clock.now))


def drained(feed: Feed) -> list[Event]:
    """Return all that a feed has to tell by now."""
    return [event for events in iter(feed.next, []) for event in events]


def test_a_feed_tells_what_happens_after_its_beginning(world: World):
    happen(world, 3)
    feed = Feed(world.farm, newest_event_id(world.farm))
    assert feed.next() == []
    happen(world, 2)
    assert [event.detail["number"] for event in feed.next()] == [0, 1]
    assert feed.next() == []


def test_a_reader_that_comes_back_goes_on_where_it_was(world: World):
    happen(world, 5)
    ids = [event.id for event in Feed(world.farm, 0).next()]
    assert [event.id for event in Feed(world.farm, ids[2]).next()] == ids[3:]


def test_a_long_story_is_told_in_pieces_and_whole(world: World):
    count = 2 * AT_A_TIME + 7
    happen(world, count)
    ids = [event.id for event in drained(Feed(world.farm, 0))]
    assert len(ids) == len(set(ids)) == count


def test_a_feed_of_one_job_tells_of_no_other(world: World):
    feed = Feed(world.farm, 0, JobId(1001))
    happen(world, 3, job_id=1000)
    happen(world, 2, job_id=1001)
    assert {event.job_id for event in drained(feed)} == {1001}


def test_a_feed_of_one_job_is_not_drowned_by_another(world: World):
    feed = Feed(world.farm, 0, JobId(1001))
    for _ in range(3):
        happen(world, AT_A_TIME, job_id=1000)
        happen(world, 1, job_id=1001)
    assert len(drained(feed)) == 3


class Slow:
    """A transaction that has written its event, and is not committed before one says so."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._has_written, self._may_end = threading.Event(), threading.Event()

    def __enter__(self) -> "Slow":
        self._thread = threading.Thread(target=lambda: self._world.farm.db.write(self._write))
        self._thread.start()
        assert self._has_written.wait(60)
        return self

    def _write(self, tx: Tx) -> None:
        event_rows.add(tx, [Event(What.VOTE_CAST, JobId(1000), None, {"number": "slow"})], 1)
        tx.flush()
        self._has_written.set()
        self._may_end.wait(60)

    def __exit__(self, *_: object) -> None:
        self._may_end.set()
        self._thread.join()


@pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)
def test_an_event_that_is_committed_after_many_later_ones_is_not_missed(world: World):
    feed = Feed(world.farm, newest_event_id(world.farm))
    with Slow(world):
        happen(world, 3 * AT_A_TIME)
        assert feed.next() == []  # nobody knows yet what comes before them
    told = drained(feed)
    assert [event.detail["number"] for event in told] == ["slow", *range(3 * AT_A_TIME)]
    assert [event.id for event in told] == sorted(event.id for event in told)


@pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)
def test_readers_that_begin_or_come_back_while_one_is_late_hear_of_it(world: World):
    happen(world, 3)
    known = [event.id for event in Feed(world.farm, 0).next()]
    with Slow(world):
        happen(world, 5)
        fresh = Feed(world.farm, newest_event_id(world.farm))
        back = Feed(world.farm, ([event.id for event in Feed(world.farm, known[-1]).next()] or known)[-1])
    for feed in (fresh, back):
        assert [event.detail["number"] for event in drained(feed)] == ["slow", 0, 1, 2, 3, 4]


@pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)
def test_what_was_written_before_is_told_while_others_go_on_writing(world: World):
    feed = Feed(world.farm, newest_event_id(world.farm))
    with Slow(world):
        happen(world, 2)
        assert feed.next() == []
        another = Slow(world)
    with another:  # it begins before the first look after the end of that one: there is always somebody
        assert [event.detail["number"] for event in drained(feed)] == ["slow", 0, 1]
    assert [event.detail["number"] for event in drained(feed)] == ["slow"]


@pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)
def test_a_server_that_begins_while_one_is_late_tells_little_of_the_past(world: World):
    happen(world, LITTLE + 5)
    with Slow(world):
        world.farm = replace(world.farm, horizon=Horizon(world.farm.db))
        feed = Feed(world.farm, newest_event_id(world.farm))
        assert feed.next() == []
    assert [event.detail["number"] for event in drained(feed)] == [*range(5, LITTLE + 5), "slow"]


@pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)
def test_an_event_that_never_comes_is_not_waited_for(world: World):
    feed = Feed(world.farm, newest_event_id(world.farm))

    def fail(tx: Tx) -> None:
        event_rows.add(tx, [Event(What.VOTE_CAST, JobId(1000), None, {})], 1)
        tx.flush()
        raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011 -- its own
        world.farm.db.write(fail)
    happen(world, 1)
    assert [event.detail["number"] for event in feed.next()] == [0]


def test_many_who_write_and_many_who_read_at_once_miss_nothing(world: World):
    written, readers = threading.Event(), 3
    feeds = [Feed(world.farm, newest_event_id(world.farm)) for _ in range(readers)]
    told: list[list[int]] = [[] for _ in feeds]

    def live(number: int) -> None:
        if number >= readers:
            for count in range(20):
                happen(world, 1 + count % 3)
            return
        while not written.is_set():
            told[number] += [event.id for event in feeds[number].next()]

    writers = 4
    with ThreadPoolExecutor(readers + writers) as pool:
        reading = [pool.submit(live, number) for number in range(readers)]
        for done in [pool.submit(live, readers + number) for number in range(writers)]:
            done.result()
        written.set()
        for one in reading:
            one.result()
    there = [event.id for event in world.farm.db.read(lambda tx: event_rows.since(tx, 0, 10_000))]
    for number, feed in enumerate(feeds):
        assert told[number] + [event.id for event in drained(feed)] == there
