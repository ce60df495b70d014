"""Setbacks of the clock: what it has put off while it was ahead comes in its time when it is right again."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from sqlalchemy import text
from tests.conftest import World
from tests.farm.receiver import go_round
from tests.plans import whole

from sheepfold.farm import backups, postman, webhooks
from sheepfold.farm.backups import ask_backup, make_next_backup, view_backup
from sheepfold.farm.dispatch import Maker
from sheepfold.farm.outstanding import LONGEST_REFUSAL_S, keep_off
from sheepfold.farm.owner import change_machine
from sheepfold.farm.retention import HOLD_S
from sheepfold.farm.setbacks import LOOK_PERIOD_S, mend_times
from sheepfold.farm.upkeep import House
from sheepfold.farm.webhooks import Wanted
from sheepfold.model.browsers import BLOCKED_S, BrowserProgram
from sheepfold.model.errors import Forbidden, MachineSuspended
from sheepfold.model.trust import UNPROVEN_SUSPENSION_S
from sheepfold.protocols.sheepit.endpoints import TOO_LONG_S
from sheepfold.protocols.sheepit.statuses import KEPT_OFF_S
from sheepfold.store import accounts as account_rows
from sheepfold.store import browsers as browser_rows
from sheepfold.store import setbacks as setback_rows
from sheepfold.store.database import Tx

DAY_S = 86_400
YEAR_S = 365 * DAY_S


def beat(world: World) -> None:
    """Have the house do all that is due, as one that begins does."""
    House(world.farm, lambda: ThreadPoolExecutor(1)).beat()


def dead_backup(world: World, monkeypatch) -> int:
    """Have a backup begun whose maker dies at once; returns its id."""
    def die(*_: object) -> None:
        raise SystemExit

    world.farm = replace(world.farm, settings=replace(world.farm.settings, backup_folder=str(world.folder / "safe")))
    asked = ask_backup(world.farm, None)
    with monkeypatch.context() as patch:
        patch.setattr(backups, "back_up", die)
        with pytest.raises(SystemExit):
            make_next_backup(world.farm)
    return asked.id


def test_a_backup_whose_maker_died_while_the_clock_was_ahead_is_taken_over(world: World, monkeypatch):
    world.clock.advance(YEAR_S)
    backup_id = dead_backup(world, monkeypatch)
    world.clock.advance(-YEAR_S)
    beat(world)
    world.clock.advance(HOLD_S)
    assert not make_next_backup(world.farm)
    world.clock.advance(1)
    assert make_next_backup(world.farm)
    assert view_backup(world.farm, backup_id).ended_at == world.clock.now


@pytest.mark.parametrize("ahead_s", [3600, DAY_S, YEAR_S])
def test_a_message_of_a_clock_that_was_ahead_is_sent_when_it_is_right_again(near, inbox, clock, ahead_s):
    ann = near.account("ann")
    hook = webhooks.add_webhook(near.farm, ann, Wanted(inbox.url))
    clock.advance(ahead_s)
    webhooks.try_webhook(near.farm, ann, hook.id)
    clock.advance(-ahead_s)
    beat(near)
    assert go_round(near.farm) == 1


def test_a_message_that_failed_while_the_clock_was_ahead_is_tried_again_when_it_is_right_again(near, inbox, clock):
    ann = near.account("ann")
    hook = webhooks.add_webhook(near.farm, ann, Wanted(inbox.url))
    clock.advance(DAY_S)
    webhooks.try_webhook(near.farm, ann, hook.id)
    inbox.status = 500
    assert go_round(near.farm) == 1
    clock.advance(-DAY_S)
    beat(near)
    clock.advance(postman.TAKEN_S)
    assert go_round(near.farm) == 1


def test_what_a_hook_asks_to_wait_is_waited_for(near, inbox, clock):
    ann = near.account("ann")
    hook = webhooks.add_webhook(near.farm, ann, Wanted(inbox.url))
    inbox.status, inbox.headers = 503, {"Retry-After": str(postman.LONGEST_RETRY_S)}
    webhooks.try_webhook(near.farm, ann, hook.id)
    assert go_round(near.farm) == 1
    assert mend_times(near.farm) == 0


def test_a_job_that_a_machine_refused_while_the_clock_was_ahead_is_offered_again_after_a_day(world: World):
    world.order()
    box = world.maker("box")
    held = world.held(box)
    world.clock.advance(YEAR_S)
    keep_off(world.farm, held, TOO_LONG_S)
    world.clock.advance(-YEAR_S)
    world.order()
    assert world.held(box).job_id != held.job_id
    beat(world)
    world.clock.advance(DAY_S)
    beat(world)
    assert world.held(box).job_id == held.job_id


def test_no_refusal_lasts_for_longer_than_any_may():
    assert max(TOO_LONG_S, *KEPT_OFF_S.values()) <= LONGEST_REFUSAL_S


def blocked_browser(world: World, box: Maker) -> None:
    """Have a browser of a machine fail now."""
    def fail(tx: Tx) -> None:
        browser_rows.ensure_factory(tx, box.machine_id, "linux")
        added = browser_rows.add_browser(tx, box.machine_id, BrowserProgram("Firefox", "128.0"), world.clock.now)
        browser_rows.block_browser(tx, added, "It crashed.", world.clock.now)

    world.farm.db.write(fail)


def is_blocked(world: World) -> bool:
    (factory,) = world.farm.db.read(browser_rows.list_factories)
    return factory.browsers[0].is_blocked(world.clock.now)


def test_a_browser_that_failed_while_the_clock_was_ahead_is_left_in_peace_no_longer_than_others(world: World):
    world.clock.advance(DAY_S)
    blocked_browser(world, world.maker("box"))
    world.clock.advance(-DAY_S)
    beat(world)
    assert is_blocked(world)
    world.clock.advance(BLOCKED_S)
    assert not is_blocked(world)


def suspended(world: World, maker: Maker) -> None:
    """Have the farm suspend a machine now, as it does after invalid results."""
    world.farm.db.write(lambda tx: account_rows.suspend_machine(tx, maker.machine_id, world.clock.now + 1))


def test_a_machine_that_anybody_may_name_is_tried_again_an_hour_after_the_clock_was_set_back(world: World):
    world.order()
    maker = replace(world.maker("es-ab", protocol="electricsheep"), is_proven=False)
    world.clock.advance(DAY_S)
    suspended(world, maker)
    world.clock.advance(-DAY_S)
    beat(world)
    with pytest.raises(MachineSuspended):
        world.claim(maker)
    world.clock.advance(UNPROVEN_SUSPENSION_S + 1)
    assert world.claim(maker) is not None


@pytest.mark.parametrize("paused_s", [0, 60, YEAR_S])
def test_a_quarantine_of_a_clock_that_was_ahead_stays_one(world: World, paused_s):
    """Also where its account has paused the machine itself before, by the same clock or by another."""
    maker = world.maker("box")
    owner = world.account("box-owner")
    world.clock.advance(YEAR_S - paused_s)
    change_machine(world.farm, owner, "box", "pause")
    change_machine(world.farm, owner, "box", "resume")
    world.clock.advance(paused_s)
    suspended(world, maker)
    world.clock.advance(-YEAR_S)
    beat(world)
    with pytest.raises(Forbidden):
        change_machine(world.farm, owner, "box", "resume")


def test_what_is_put_off_for_as_long_as_anything_may_be_stays_so(world: World, monkeypatch):
    put_off(world, monkeypatch)
    assert mend_times(world.farm) == 0


@pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
def test_an_idle_farm_is_not_written_to(world: World, monkeypatch):
    put_off(world, monkeypatch)
    commits: list[None] = []
    world.farm.db.listen(lambda: commits.append(None))
    mend_times(world.farm)
    assert commits == []


def put_off(world: World, monkeypatch) -> None:
    """Have something put off of each sort, for as long as it may be."""
    world.order()
    box = world.maker("box")
    dead_backup(world, monkeypatch)
    keep_off(world.farm, world.held(box), LONGEST_REFUSAL_S)
    blocked_browser(world, box)
    suspended(world, box)


def test_it_is_looked_for_now_and_then_and_logged_once(world: World, caplog):
    house = House(world.farm, lambda: ThreadPoolExecutor(1))
    house.beat()
    elapsed_at, world.clock.now = world.clock.now, world.clock.now + DAY_S
    blocked_browser(world, world.maker("box"))
    world.clock.now = elapsed_at + LOOK_PERIOD_S - 1
    house.beat()
    assert "blocks_shortened" not in caplog.text
    for _ in range(LOOK_PERIOD_S):
        world.clock.advance(1)
        house.beat()
    told = [record.getMessage() for record in caplog.records if "blocks_shortened" in record.getMessage()]
    assert told == ["blocks_shortened=1 reason=the clock was set back"]


@pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
@pytest.mark.parametrize("sort", [setback_rows.NEW_DELIVERIES, setback_rows.FAILED_DELIVERIES])
def test_of_messages_only_those_are_looked_at_that_wait(world: World, sort):
    query = f"SELECT 1 FROM {sort.table} WHERE {setback_rows._behind(sort)} LIMIT 1"
    assert world.farm.db.read(lambda tx: whole(tx, query)) == []
    plan = world.farm.db.read(lambda tx: list(tx.execute(text("EXPLAIN QUERY PLAN " + query), {"until": 1, "at": 1})))
    assert "ix_hook_deliveries_waiting" in plan[0][3]
