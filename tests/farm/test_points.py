"""Points on a farm: earned by the minute, spent by jobs, and what they are good for."""

import pytest
from sqlalchemy import text
from tests.conftest import HEIGHT, WIDTH, World, picture

from sheepfold.farm.browse import purses
from sheepfold.farm.dispatch import Maker
from sheepfold.farm.upkeep import favour_earners
from sheepfold.farm.views import machines_of
from sheepfold.model.credit import BOUND, FAVOUR, Purse
from sheepfold.model.jobs import Terms
from sheepfold.model.tasks import Verdict
from sheepfold.store.leases import Holding

MINUTE_S = 60


def send(world: World, held: Holding) -> int:
    """Send the picture of a lease; returns what it was expected to cost."""
    task = world.task(held.task_id)
    assert world.send(held, picture(task.frame, (WIDTH + task.frame, HEIGHT))).verdict is Verdict.VALID
    return task.cost_ms


def make(world: World, maker: Maker, seconds: int) -> int:
    """Have a machine make one picture in so many seconds; returns what it was expected to cost."""
    held = world.held(maker)
    world.clock.advance(seconds)
    return send(world, held)


def earned(world: World, account: str) -> int:
    return purses(world.farm)[account].earned


def powers(world: World) -> dict[str, float | None]:
    """Return how many reference cores each machine is worth, by name."""
    return {machine.name: machine.power for machine in machines_of(world.farm, None)}


def test_the_account_whose_job_it_is_pays_the_one_that_made_it(world: World):
    world.order(frames=1)
    cost = make(world, world.maker("box"), MINUTE_S)
    assert purses(world.farm)["box-owner"] == Purse(cost, 0)
    assert purses(world.farm)["ann"] == Purse(0, cost)
    assert purses(world.farm)["ann"].balance == -cost
    assert world.findings() == []


def test_who_makes_its_own_pictures_is_as_rich_as_before(world: World):
    world.order(frames=2)
    make(world, world.maker("desk", "ann"), MINUTE_S)
    make(world, world.maker("desk", "ann"), 2 * MINUTE_S)
    assert purses(world.farm)["ann"].balance == 0
    assert earned(world, "ann") > 0


def test_each_voice_of_a_quorum_is_paid_for(world: World):
    world.order(terms=Terms(quorum=2))
    held = [world.held(world.maker(name)) for name in ("box", "crate")]
    body = picture(0, (WIDTH, HEIGHT))
    for one in held:
        world.send(one, body)
    cost = world.task(held[0].task_id).cost_ms
    assert (earned(world, "box-owner"), earned(world, "crate-owner")) == (cost, cost)
    assert purses(world.farm)["ann"].spent == 2 * cost


def test_a_picture_sent_again_takes_nothing_more(world: World):
    world.order()
    held = world.held(world.maker("box"))
    send(world, held)
    before = purses(world.farm)
    send(world, held)
    assert purses(world.farm) == before


def test_minutes_count_once_a_machine_is_known(world: World):
    world.order(frames=3)
    box = world.maker("box")
    cost = make(world, box, MINUTE_S)
    assert earned(world, "box-owner") == cost
    make(world, box, 2 * MINUTE_S)  # as long as two of those
    assert earned(world, "box-owner") == cost + 2 * cost
    make(world, box, 1000 * MINUTE_S)
    assert earned(world, "box-owner") == cost + 2 * cost + BOUND * cost
    assert world.findings() == []


def test_an_hour_of_a_machine_counts_once_however_many_leases_it_holds(world: World):
    world.order(frames=4)
    box = world.maker("box")
    cost = make(world, box, MINUTE_S)
    held = [world.held(box) for _ in range(3)]
    world.clock.advance(MINUTE_S)
    send(world, held[0])
    assert earned(world, "box-owner") == 2 * cost
    world.clock.advance(2 * MINUTE_S)
    send(world, held[1])  # from the last upload on, not from its lease
    assert earned(world, "box-owner") == pytest.approx(4 * cost, abs=2)
    assert powers(world)["box"] == pytest.approx(3 * cost / 1000 / (4 * MINUTE_S))


def test_what_a_client_claims_is_worth_nothing(world: World):
    world.order(frames=2)
    for name in ("box", "liar"):
        held = world.held(world.maker(name))
        world.clock.advance(MINUTE_S)
        send(world, held)
    found = {one: power for one, power in powers(world).items() if power}
    assert len(set(found.values())) == 1  # the helper claims one second


def favour_of(world: World, account: str) -> int:
    query = text("SELECT favour FROM accounts WHERE name = :name")
    return world.farm.db.read(lambda tx: tx.execute(query, {"name": account}).scalar_one())


def test_who_has_points_to_spend_is_favoured_until_they_are_spent(world: World):
    world.account("ann")
    world.order(frames=1, account="bob")
    cost = make(world, world.maker("desk", "ann"), MINUTE_S)
    assert favour_earners(world.farm) == 0  # nothing of hers waits
    for account in ("ann", "bob"):
        world.order(frames=1, account=account)
    assert favour_earners(world.farm) == 1
    assert favour_earners(world.farm) == 0
    assert (favour_of(world, "ann"), favour_of(world, "bob")) == (FAVOUR, 1)
    world.order(frames=1, account="ann")
    make(world, world.maker("box"), MINUTE_S)
    make(world, world.maker("box"), MINUTE_S)
    assert purses(world.farm)["ann"] == Purse(cost, cost)
    assert favour_earners(world.farm) == 1
    assert (favour_of(world, "ann"), favour_of(world, "bob")) == (1, 1)


def test_ones_own_jobs_come_first_whatever_one_owes(world: World):
    world.order(frames=2, account="ann")
    make(world, world.maker("box"), MINUTE_S)  # ann owes
    own = world.order(frames=1, account="ann")
    world.order(frames=9, account="bob")
    favour_earners(world.farm)
    desk = world.maker("desk", "ann")
    assert {world.claim(desk).job.account_id for _ in range(2)} == {own.account_id}
