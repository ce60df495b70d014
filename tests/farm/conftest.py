"""A farm whose webhooks may lead to this machine, and a receiver there."""

import time
from dataclasses import replace

import pytest
from tests.farm.receiver import receiving


def until(is_so) -> None:
    """Wait until something is so that another thread does, a minute at most."""
    deadline = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.01)


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
