"""Retention on every sort of store: what is cleared is gone from it, and what was kept just now stays."""

from dataclasses import replace

import pytest
from tests.conftest import ANY_SITE, World, backwards

from sheepfold.blobs.spool import Digest
from sheepfold.config import Settings
from sheepfold.farm.browse import view_job
from sheepfold.farm.farm import open_farm
from sheepfold.farm.retention import GUARD_S, Retention
from sheepfold.farm.upkeep import sweep_blobs

DAY_S = 86_400


@pytest.fixture
def world(store_url, tmp_path, clock, shared_inspector):
    settings = Settings(data=tmp_path / "data", blobs_url=store_url, result_limit_bytes=2**20, keep_days=1, **ANY_SITE)
    with open_farm(settings, backwards, clock, shared_inspector) as farm:
        yield World(farm, clock, tmp_path)


def made(world, first=0):
    job = world.order(2)
    world.make_all(world.maker("box"), first)
    world.do_chores()
    return job


def originals(world, job):
    return {world.task(task.id).results[0].digest for task in view_job(world.farm, job.id).tasks}


def test_what_is_cleared_is_gone_from_the_store_and_what_was_kept_again_is_not(world):
    old = made(world)
    world.clock.advance(2 * DAY_S)
    new = made(world, 50)
    kept_at = dict(world.farm.blobs.list_digests())
    keeper = Retention(world.farm)
    for _ in range(4):
        keeper.step()
        world.do_chores()
    assert all(world.farm.blobs.exists(Digest(digest)) for digest in originals(world, new))
    assert not any(world.farm.blobs.exists(Digest(digest)) for digest in originals(world, old))
    assert world.findings() == []

    now = max(kept_at.values()) + GUARD_S - 100  # by the store's own clock what is left is young
    world.farm = replace(world.farm, now=lambda: int(now), settings=replace(world.farm.settings, keep_days=0))
    for digest in originals(world, new):
        assert not world.farm.blobs.delete(Digest(digest), older_than=world.farm.now() - GUARD_S)
    assert sweep_blobs(world.farm) == 0
    assert world.findings() == []
