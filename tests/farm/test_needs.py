"""Which needs abilities satisfy, remembered between claims."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from tests.conftest import ABLE, PAGE, World

from sheepfold.farm import needs
from sheepfold.farm.needs import NeedsIndex
from sheepfold.farm.orders import Order, order_job
from sheepfold.model.accounts import Account
from sheepfold.model.jobs import Job
from sheepfold.model.matching import Program
from sheepfold.store import lanes as lane_rows


def test_abilities_find_the_needs_they_satisfy(world: World):
    world.order(frames=2)
    world.flame()
    known = {row.id: row.needs for row in world.farm.db.read(lane_rows.all_needs)}
    found = world.farm.needs.satisfied_by(ABLE)
    assert {known[needs_id].kind for needs_id in found} == {"screenshot", "flame"}
    flames = replace(ABLE, kinds=frozenset({"flame"}))
    assert {known[needs_id].kind for needs_id in world.farm.needs.satisfied_by(flames)} == {"flame"}
    assert world.farm.needs.satisfied_by(replace(ABLE, kinds=frozenset())) == ()


def test_new_needs_of_another_server_are_seen_when_they_are_looked_for(world: World):
    other = NeedsIndex(world.farm.db)
    assert other.satisfied_by(ABLE) == ()
    world.order()
    assert other.refresh()
    assert len(other.satisfied_by(ABLE)) == 1
    assert not other.refresh()


def test_new_needs_of_another_server_are_seen_within_a_while(world: World, monkeypatch):
    other = NeedsIndex(world.farm.db)
    assert other.satisfied_by(ABLE) == ()
    world.order()
    monkeypatch.setattr(needs, "NEWS_PERIOD_S", 0.0)
    assert len(other.satisfied_by(ABLE)) == 1


def test_nobodys_odd_abilities_change_what_others_get(world: World):
    world.order(browsers=["Internet Explorer"])
    odd = replace(ABLE, browsers=frozenset({Program("Internet", "Explorer 6.0")}))
    plain = replace(ABLE, browsers=frozenset({Program("Internet Explorer", "6.0")}))
    assert world.farm.needs.satisfied_by(odd) == ()
    assert len(world.farm.needs.satisfied_by(plain)) == 1


def test_made_up_abilities_do_not_fill_the_memory(world: World, monkeypatch):
    monkeypatch.setattr(needs, "REMEMBERED", 10)
    world.order()
    for memory_mib in range(30):
        world.farm.needs.satisfied_by(replace(ABLE, memory_mib=memory_mib))
    assert len(world.farm.needs._satisfied) == 10
    assert len(world.farm.needs.satisfied_by(ABLE)) == 1


def test_an_order_that_is_committed_after_a_later_one_is_offered(
        world: World, dialect: str, monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    if dialect == "sqlite":
        pytest.skip("SQLite's transactions come one after another.")
    ann, bob, box = world.account("ann"), world.account("bob"), world.maker("box")
    has_needs, may_commit = threading.Event(), threading.Event()
    ensure_lane = lane_rows.ensure_lane

    def slow_for_ann(tx, needs, account_id, priority):
        found = ensure_lane(tx, needs, account_id, priority)
        if account_id == ann.id:
            has_needs.set()
            assert may_commit.wait(30)
        return found

    def order(account: Account, width: int) -> Job:
        spec = {"url": PAGE, "browsers": ["Firefox"], "widths": [width]}
        return order_job(world.farm, account, Order("screenshot", spec))

    monkeypatch.setattr(lane_rows, "ensure_lane", slow_for_ann)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(order, ann, 320)
        assert has_needs.wait(30)
        second = order(bob, 640)
        assert world.claim(box).job.id == second.id  # which remembers what needs there are
        may_commit.set()
        assert first.result().id != second.id
    assert world.claim(box).job.id == first.result().id
