"""What tests of the farm share: a place for another farm, and webhooks that may lead to this machine."""

import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from tests.conftest import World, new_database
from tests.farm.receiver import receiving

from sheepfold.store import chores as chore_rows


def until(is_so) -> None:
    """Wait until something is so that another thread does, a minute at most."""
    deadline = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def one_chore(world: World) -> int:
    """Leave a preview as the only chore; returns its id."""
    world.order()
    world.make_all(world.maker("box"))
    chore = world.farm.db.write(lambda tx: chore_rows.take(tx, world.clock.now, 60))
    world.do_chores()
    world.farm.db.write(lambda tx: chore_rows.put_back(tx, chore.id, world.clock.now))
    return chore.id


@pytest.fixture
def inbox():
    with receiving() as kept:
        yield kept


@pytest.fixture
def near(world):
    """The world's farm, whose owner lets webhooks lead to this machine."""
    world.farm = replace(world.farm, settings=replace(world.farm.settings, webhook_allowed_ranges=("127.0.0.0/8",),
                                                      public_url="https://farm.example"))
    return world


@contextmanager
def no_farm(data: Path, dialect: str, request: pytest.FixtureRequest, world: World):
    """Give settings of a farm that is not there yet, on an empty database of the same sort."""
    if dialect == "sqlite":
        yield replace(world.farm.settings, data=data, database_url="")
        return
    with new_database(dialect, request, data) as url:
        yield replace(world.farm.settings, data=data, database_url=url)


@pytest.fixture
def elsewhere(dialect: str, request: pytest.FixtureRequest, world: World, tmp_path: Path):
    with no_farm(tmp_path / "elsewhere", dialect, request, world) as settings:
        yield settings
