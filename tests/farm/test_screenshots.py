"""How far an order of screenshots is, as old clients are told."""

import pytest
from tests.conftest import HEIGHT, WIDTH, World, picture

from sheepfold.farm.browsers import add_browser, list_factories
from sheepfold.farm.screenshots import Estimates, group_status
from sheepfold.farm.upkeep import expire_leases
from sheepfold.model.browsers import BrowserProgram, Factory, Screen
from sheepfold.model.errors import UnknownJob
from sheepfold.model.jobs import JobId, Terms
from sheepfold.model.machines import Machine, MachineId
from sheepfold.model.matching import Abilities, Browser, Needs
from sheepfold.store import browsers as browser_rows
from sheepfold.store.leases import Holding

WIRE = "browsershots"


def told(world: World, job_id: JobId) -> list[tuple[str, int]]:
    return [(one.status, one.seconds) for one in group_status(world.farm, job_id, WIRE)]


def frame_of(world: World, held: Holding) -> int:
    return world.task(held.task_id).frame


def test_each_view_is_told_by_what_became_of_it(world: World):
    job = world.order(4, terms=Terms(max_attempts=1))
    box = world.maker("box")
    world.clock.advance(10)
    late = frame_of(world, world.held(box, term_s=5))
    world.clock.advance(6)
    expire_leases(world.farm)
    held = world.held(box)
    made = frame_of(world, held)
    world.send(held, picture(size=(WIDTH + made, HEIGHT)))
    world.clock.advance(4)
    begun = frame_of(world, world.held(box))
    expected = dict.fromkeys(range(4), ("pending", 0)) | {
        late: ("failed", 0), made: ("uploaded", 16), begun: ("starting", 80)}  # fmt: skip
    assert told(world, job.id) == list(expected.values())


def test_what_is_no_order_of_screenshots_is_none(world: World):
    with pytest.raises(UnknownJob, match="Request group not found"):
        group_status(world.farm, JobId(4711), WIRE)


def test_factories_are_listed_with_what_is_theirs_and_those_alone_that_asked_of_late(world: World):
    for name, version in (("argo", "9.2"), ("brig", "128.0"), ("sloop", "3.0")):
        world.maker(name)
        own = BrowserProgram(f"Browser of {name}", version)
        add_browser(world.farm, None, name, own, "linux", Screen(800, 600, 24))
        add_browser(world.farm, None, name, BrowserProgram("Lynx", "2.8"))
    listed = list_factories(world.farm)
    assert [one.machine.name for one in listed] == ["argo", "brig", "sloop"]
    assert [[each.program.name for each in one.browsers] for one in listed] == [
        [f"Browser of {one.machine.name}", "Lynx"] for one in listed]
    assert {one.screens for one in listed} == {(Screen(800, 600, 24),)}
    now = world.clock.now
    world.farm.db.write(lambda tx: browser_rows.note_poll(tx, listed[1].machine.id, now))
    (of_late,) = world.farm.db.read(lambda tx: browser_rows.list_factories(tx, now - 1))
    assert (of_late.machine.name, of_late.browsers, of_late.polled_at) == ("brig", listed[1].browsers, now)
    assert world.farm.db.read(lambda tx: browser_rows.list_factories(tx, now)) == []


def test_an_estimate_is_that_of_the_quickest_which_can_make_it():
    def having(name: str, seconds: int | None) -> tuple[Factory, Abilities]:
        factory = Factory(Machine(MachineId(1), None, "argo", 0), queue_estimate_s=seconds)
        return factory, Abilities(frozenset({"screenshot"}), browsers=frozenset({Browser(name, "1.0")}))

    estimates = Estimates([having("opera", 50), having("firefox", 70), having("opera", 30), having("opera", None)])
    found = {name: estimates.of(Needs("screenshot", browser=name)) for name in ("opera", "firefox", "lynx")}
    assert found == {"opera": 30, "firefox": 70, "lynx": 0}
