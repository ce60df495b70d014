"""The feed of events: each once, and none missed."""

import threading

from tests.conftest import World, in_threads

from sheepfold.farm.browse import newest_event_id
from sheepfold.farm.feed import AT_A_TIME, OVERLAP, Feed
from sheepfold.model.events import Event, What
from sheepfold.model.jobs import JobId
from sheepfold.store import events as event_rows
from sheepfold.store.database import Tx


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
    count = 2 * AT_A_TIME + OVERLAP + 7
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


def test_an_event_that_is_committed_after_a_later_one_is_not_missed(world: World):
    feed = Feed(world.farm, newest_event_id(world.farm))
    first_is_written, second_is_committed = threading.Event(), threading.Event()

    def slow(tx: Tx) -> None:
        event_rows.add(tx, [Event(What.JOB_DONE, JobId(1000), None, {"which": "slow"})], 1)
        first_is_written.set()
        second_is_committed.wait(0.5 if world.farm.db.url.startswith("sqlite") else 60)

    def quick() -> None:
        assert first_is_written.wait(60)
        quick = Event(What.JOB_DONE, JobId(1001), None, {"which": "quick"})
        world.farm.db.write(lambda tx: event_rows.add(tx, [quick], 1))
        told.extend(feed.next())
        second_is_committed.set()

    told: list[Event] = []
    in_threads(2, lambda number: quick() if number else world.farm.db.write(slow))
    told.extend(drained(feed))
    assert sorted(event.detail["which"] for event in told) == ["quick", "slow"]
