"""Rows of needs and lanes."""

from tests.conftest import in_threads
from tests.store.conftest import EASY, Rows

from sheepfold.model.jobs import Terms
from sheepfold.model.matching import Needs
from sheepfold.store import lanes


def test_equal_needs_are_one_row(rows: Rows):
    rows.job(needs=Needs("flame", width=800))
    rows.job(needs=Needs("flame", width=800))
    rows.job(needs=Needs("flame", width=801))
    known = rows.db.read(lanes.all_needs)
    assert [row.needs for row in known] == [Needs("flame", width=800), Needs("flame", width=801)]
    assert rows.db.read(lanes.count_needs) == 2


def test_a_farm_without_tasks_has_no_needs(rows: Rows):
    assert rows.db.read(lanes.all_needs) == []
    assert rows.db.read(lanes.count_needs) == 0


def test_a_lane_is_one_for_needs_account_and_priority(rows: Rows):
    for account, priority in (("ann", 0), ("ann", 0), ("ann", 1), ("bob", 0)):
        rows.job(account=account, terms=Terms(priority=priority))
    assert [(name, priority) for name, priority, _, _ in rows.lanes()] == [("ann", 0), ("ann", 1), ("bob", 0)]


def test_a_lane_that_many_ask_for_at_once_is_made_once(rows: Rows):
    ann = rows.account("ann")
    made = in_threads(6, lambda _: rows.db.write(lambda tx: lanes.ensure_lane(tx, EASY, ann.id, 0)))
    assert len(set(made)) == 1


def test_a_waking_lane_starts_where_the_others_are(rows: Rows):
    rows.job(account="ann")
    rows.job(account="bob")
    rows.run("UPDATE lanes SET virtual_time = 700 WHERE id = 1")
    rows.run("UPDATE lanes SET virtual_time = 100, drained_at = 1 WHERE id = 2")
    rows.db.write(lambda tx: lanes.wake_lane(tx, 2))
    assert [virtual_time for _, _, virtual_time, _ in rows.lanes()] == [700, 700]


def test_a_waking_lane_that_is_ahead_stays_ahead(rows: Rows):
    rows.job(account="ann")
    rows.job(account="bob")
    rows.run("UPDATE lanes SET virtual_time = 900, drained_at = 1 WHERE id = 2")
    rows.db.write(lambda tx: lanes.wake_lane(tx, 2))
    assert [virtual_time for _, _, virtual_time, _ in rows.lanes()] == [0, 900]


def test_a_lane_that_is_awake_is_not_moved_by_waking(rows: Rows):
    rows.job(account="ann")
    rows.job(account="bob")
    rows.run("UPDATE lanes SET virtual_time = 700 WHERE id = 1")
    rows.db.write(lambda tx: lanes.wake_lane(tx, 2))
    assert [virtual_time for _, _, virtual_time, _ in rows.lanes()] == [700, 0]


def test_the_last_lane_awake_wakes_where_it_was(rows: Rows):
    rows.job()
    rows.run("UPDATE lanes SET virtual_time = 500, drained_at = 1")
    rows.db.write(lambda tx: lanes.wake_lane(tx, 1))
    assert [(virtual_time, bool(sleeps)) for _, _, virtual_time, sleeps in rows.lanes()] == [(500, False)]


def test_tidying_wakes_only_lanes_that_have_an_opening(rows: Rows):
    rows.job(account="ann")
    rows.job(account="bob")
    rows.run("UPDATE lanes SET drained_at = 1")
    rows.run("UPDATE tasks SET openings = 0 WHERE id = 2")
    assert rows.db.read(lanes.is_untidy)
    assert rows.db.write(lanes.tidy) == 1
    assert not rows.db.read(lanes.is_untidy)
    assert [bool(sleeps) for *_, sleeps in rows.lanes()] == [False, True]


def test_charges_are_folded_by_many_houses_once(rows: Rows):
    rows.job(tasks=20, cost_ms=10)
    box = rows.machine("box")
    for _ in range(20):
        rows.claim(box)
    in_threads(4, lambda _: rows.db.write(lanes.tidy))
    assert [virtual_time for _, _, virtual_time, _ in rows.lanes()] == [200]
