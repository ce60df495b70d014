"""Orders of screenshots: limits, expiry and extension."""

from dataclasses import replace

import pytest

from sheepfold.farm.browse import view_job
from sheepfold.farm.expiry import expire_orders, prolong
from sheepfold.farm.orders import Order, order_job
from sheepfold.model.accounts import Role
from sheepfold.model.errors import Forbidden, JobEnded, UnknownJob
from sheepfold.model.jobs import JobId, JobState

PAGE = "http://127.0.0.1/a"


@pytest.fixture
def ann(world):
    return world.account("ann", Role.ARTIST)


def order(world, account, url=PAGE, **spec):
    return order_job(world.farm, account, Order("screenshot", {"url": url, "browsers": ["firefox"], **spec}))


def limited(world, **limits):
    return replace(world, farm=replace(world.farm, settings=replace(world.farm.settings, **limits)))


@pytest.mark.parametrize(
    ("limit", "other_page"),
    [("screenshot_site_limit", PAGE + "#top"), ("screenshot_domain_limit", "http://127.0.0.1:8000/b"),
     ("screenshot_account_limit", "http://127.0.0.2/")],
)  # fmt: skip
def test_a_limit_holds_for_a_day_and_for_all_but_the_owner(world, ann, clock, limit, other_page):
    few = limited(world, **{limit: 2})
    order(few, ann)
    order(few, ann, other_page)
    with pytest.raises(Forbidden, match="24 hours"):
        order(few, ann)
    order(few, world.account("chief", Role.OWNER))
    clock.advance(86_401)
    order(few, ann)


def test_beyond_a_limit_the_site_is_asked_nothing(world, ann):
    order(world, ann)
    strict = limited(world, screenshot_account_limit=1, screenshot_obey_robots=True)
    with pytest.raises(Forbidden, match="24 hours"):
        order(strict, ann, "http://127.0.0.1:9/")  # where nobody answers
    with pytest.raises(Forbidden, match=r"robots\.txt"):
        order(strict, world.account("bob", Role.ARTIST), "http://127.0.0.1:9/")


def test_an_order_expires_and_what_is_shot_by_then_stays(world, ann, clock):
    job = order(world, ann, expire_s=600)
    lasting = order(world, ann)
    clock.advance(599)
    assert expire_orders(world.farm) == 0
    clock.advance(1)
    assert expire_orders(world.farm) == 1
    assert view_job(world.farm, job.id).job.state is JobState.CANCELED
    assert view_job(world.farm, lasting.id).job.state is JobState.RUNNING
    assert expire_orders(world.farm) == 0


def test_an_order_is_extended_by_its_owner_while_it_runs(world, ann, clock):
    job = order(world, ann, expire_s=600)
    with pytest.raises(Forbidden):
        prolong(world.farm, world.account("bob", Role.ARTIST), job.id)
    assert prolong(world.farm, ann, job.id) == clock.now + 1800
    clock.advance(1799)
    assert expire_orders(world.farm) == 0
    assert prolong(world.farm, world.account("chief", Role.OWNER), job.id) == clock.now + 1800
    clock.advance(1801)
    with pytest.raises(JobEnded):
        prolong(world.farm, ann, job.id)
    assert prolong(world.farm, ann, order(world, ann).id) is None
    with pytest.raises(UnknownJob):
        prolong(world.farm, ann, JobId(4711))


def test_a_page_that_may_not_be_visited_is_not_ordered(world, ann):
    with pytest.raises(Forbidden):
        order(world, ann, "http://10.0.0.1/")
    with pytest.raises(Forbidden):
        order(limited(world, screenshot_blocked_domains=("127.0.0.1",)), ann)
