"""A farm whose webhooks may lead to this machine, and a receiver there."""

from dataclasses import replace

import pytest
from tests.farm.receiver import receiving


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
