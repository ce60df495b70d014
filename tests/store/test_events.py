"""Rows of events."""

from tests.store.conftest import NOW, Rows

from sheepfold.model.events import Event, What
from sheepfold.model.jobs import JobId
from sheepfold.model.tasks import TaskId
from sheepfold.store import events


def happen(rows: Rows, *told: Event) -> None:
    rows.db.write(lambda tx: events.add(tx, told, NOW))


def test_an_event_comes_back_as_it_was_told(rows: Rows):
    event = Event(What.LEASE_FAILED, JobId(1000), TaskId(7), {"reason": "It's \"odd\" – ü", "lease": 3})
    happen(rows, event)
    found = rows.db.read(lambda tx: events.of_task(tx, TaskId(7)))[0]
    assert (found.what, found.job_id, found.task_id, found.detail, found.at) == (
        event.what, event.job_id, event.task_id, event.detail, NOW
    )  # fmt: skip
    assert found.id == rows.db.read(events.newest_id)


def test_nothing_told_writes_nothing(rows: Rows):
    happen(rows)
    assert rows.db.read(events.newest_id) == 0


def test_events_are_read_in_order_after_an_id(rows: Rows):
    happen(rows, *(Event(What.VOTE_CAST, JobId(1000 + n % 2), None, {"n": n}) for n in range(6)))

    def numbers(*which: object) -> list[int]:
        return [event.detail["n"] for event in rows.db.read(lambda tx: events.since(tx, *which))]

    assert numbers(0, 10) == [0, 1, 2, 3, 4, 5]
    assert numbers(2, 2) == [2, 3]
    assert numbers(0, 10, JobId(1001)) == [1, 3, 5]
    assert numbers(6, 10) == []
