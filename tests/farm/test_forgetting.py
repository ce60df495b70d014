"""Forgetting: what only told of what is long over goes, and what anything hangs on stays."""

from dataclasses import replace

import pytest
from sqlalchemy import text
from tests.conftest import World

from sheepfold.farm import forgetting
from sheepfold.farm.accounts import add_key
from sheepfold.farm.browse import newest_event_id, story, view_job
from sheepfold.farm.dispatch import give_up, maker_named, open_session, session_of
from sheepfold.farm.feed import Feed
from sheepfold.farm.flock import vote
from sheepfold.farm.forgetting import CHORE_DAYS, SESSION_DAYS, forget_in_steps, forget_old_rows
from sheepfold.farm.outstanding import keep_off
from sheepfold.farm.problems import problems_of, report_problem
from sheepfold.farm.upkeep import expire_leases
from sheepfold.farm.views import machines_of
from sheepfold.model.accounts import Role
from sheepfold.model.errors import SessionEnded
from sheepfold.model.events import What
from sheepfold.model.jobs import Job, JobState, Terms
from sheepfold.model.tasks import TaskId, TaskState
from sheepfold.store.forgetting import CHORES, EVENTS, LEASES, MACHINES, SESSIONS, TICKETS, WEB_SESSIONS, Pile
from sheepfold.store.schema import metadata

DAY_S = 86_400
EVENT_DAYS = 90


def rows(world: World, table: str, where: str = "1 = 1") -> int:
    return world.farm.db.read(lambda tx: tx.execute(text(f"SELECT count(*) FROM {table} WHERE {where}")).scalar_one())


def made(world: World, frames: int = 2) -> Job:
    """Order screenshots, and have them made with all that becomes of them."""
    job = world.order(frames)
    world.make_all(world.maker("box"))
    world.do_chores()
    return job


def first_task(world: World, job: Job) -> TaskId:
    return view_job(world.farm, job.id).tasks[0].id


def test_the_events_of_tasks_go_with_time_and_leases_results_and_credit_tell_on(world: World):
    job = made(world)
    task_id = first_task(world, job)
    before = story(world.farm, task_id)
    world.clock.advance(EVENT_DAYS * DAY_S)
    forget_old_rows(world.farm)
    assert story(world.farm, task_id).events == before.events
    world.clock.advance(60)
    assert forget_old_rows(world.farm) > 10
    after = story(world.farm, task_id)
    assert after.events == ()
    assert (after.leases, after.task) == (before.leases, before.task)
    assert rows(world, "events", f"job_id = {job.id} AND task_id IS NULL") >= 2  # ordered, done
    assert rows(world, "ledger") == 2
    assert forget_old_rows(world.farm) == 0
    assert world.findings() == []


@pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
def test_events_of_a_job_that_runs_or_ended_lately_stay_however_old(world: World):
    world.order(2)
    box = world.maker("box")
    held = world.held(box)
    world.send(held, b"no picture")
    begun_at = world.clock.now
    world.clock.advance(2 * EVENT_DAYS * DAY_S)
    assert forget_old_rows(world.farm) == 0
    world.make_all(box)
    world.clock.advance(DAY_S)
    forget_old_rows(world.farm)
    told = story(world.farm, held.task_id).events
    assert told[0].at == begun_at
    assert What.TASK_DONE in {event.what for event in told}


@pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
def test_that_somebody_voted_goes_with_time_and_the_vote_stays(world: World):
    world.flame("r2")
    world.make_all(world.maker("box"))
    for uid in ("AB", "CD"):
        vote(world.farm, 1, uid, 1)
    world.clock.advance(EVENT_DAYS * DAY_S + 60)
    vote(world.farm, 1, "EF", 1)
    forget_old_rows(world.farm)
    assert rows(world, "events", "what = 'vote cast'") == 1
    assert rows(world, "votes") == 3
    assert rows(world, "events", "what IN ('job ordered', 'job done')") == 2


def test_what_people_reported_stays(world: World):
    job = made(world)
    task_id = first_task(world, job)
    report_problem(world.farm, world.account("eve"), task_id, "A menu is there twice.")
    world.clock.advance((EVENT_DAYS + 1) * DAY_S)
    forget_old_rows(world.farm)
    assert [event.detail["text"] for event in problems_of(world.farm, job.id)[task_id]] == ["A menu is there twice."]


@pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
def test_an_owner_may_keep_all_events(world: World):
    made(world)
    world.farm = replace(world.farm, settings=replace(world.farm.settings, keep_events_days=0))
    before = rows(world, "events")
    world.clock.advance(1000 * DAY_S)
    forget_old_rows(world.farm)
    assert rows(world, "events") == before


def test_a_reader_goes_on_from_a_place_that_was_forgotten_and_from_the_newest(world: World):
    made(world)
    newest = newest_event_id(world.farm)
    world.clock.advance((EVENT_DAYS + 1) * DAY_S)
    assert forget_old_rows(world.farm) > 0
    assert newest_event_id(world.farm) == newest  # ids are not given out again
    old, now = Feed(world.farm, newest // 2), Feed(world.farm, newest)
    left = [event.id for event in old.next()]
    assert left == sorted(left)
    assert left[-1] == newest
    assert now.next() == []
    world.order(account="ann")
    assert [event.what for event in now.next()] == [event.what for event in old.next()] == [What.JOB_ORDERED]


def test_chores_go_that_are_done_and_those_that_failed_or_wait_stay(world: World):
    made(world)
    waiting = rows(world, "chores")
    assert waiting == rows(world, "chores", "state = 'done'") == 3
    world.farm.db.write(lambda tx: tx.execute(text(
        "UPDATE chores SET state = CASE what WHEN 'assemble' THEN 'failed' ELSE state END")))
    world.clock.advance(CHORE_DAYS * DAY_S + 1)
    world.order(1)
    assert forget_old_rows(world.farm) == 2
    assert rows(world, "chores", "state = 'failed'") == 1


def test_sessions_go_that_nobody_was_heard_of_in_and_nothing_was_rendered_in(world: World):
    box = world.maker("box")
    idle, busy, alive = (open_session(world.farm, box, "{}") for _ in range(3))
    world.order()
    maker = replace(box, session_id=session_of(world.farm, busy).session.id)
    world.make_all(maker)
    world.clock.advance(SESSION_DAYS * DAY_S)
    session_of(world.farm, alive)
    world.clock.advance(1)
    forget_old_rows(world.farm)
    with pytest.raises(SessionEnded):
        session_of(world.farm, idle)
    assert {session_of(world.farm, token).session.machine_id for token in (busy, alive)} == {box.machine_id}


def test_leases_that_came_to_nothing_go_with_the_events_of_their_jobs(world: World):
    box, fox = world.maker("box"), world.maker("fox")
    world.order(1)
    failed = world.held(fox)
    give_up(world.farm, failed, "No room.", failed=True)
    keep_off(world.farm, failed, DAY_S)
    world.make_all(box)
    world.do_chores()
    world.order(1)
    idle = world.held(fox)
    world.clock.advance((EVENT_DAYS + 1) * DAY_S)
    expire_leases(world.farm)
    assert rows(world, "refusals") == 1
    forget_old_rows(world.farm)
    assert rows(world, "refusals") == 0
    assert rows(world, "leases", "state = 'failed'") == 0  # its job has ended
    assert rows(world, "leases", f"id = {idle.lease_id}") == 1  # this one's has not
    assert rows(world, "leases", "state = 'submitted'") == rows(world, "ledger") == 1
    assert world.findings() == []


def test_a_task_that_failed_stays_failed_when_its_leases_are_forgotten(world: World):
    job = world.order(1, terms=Terms(max_attempts=1))
    give_up(world.farm, world.held(world.maker("fox")), "It crashed.", failed=True)
    assert view_job(world.farm, job.id).job.state is JobState.FAILED
    made(world)
    world.clock.advance((EVENT_DAYS + 1) * DAY_S)
    forget_old_rows(world.farm)
    assert story(world.farm, first_task(world, job)).leases == ()
    assert view_job(world.farm, job.id).tasks[0].state is TaskState.FAILED
    assert world.findings() == []


def test_machines_that_were_never_more_than_a_name_go(world: World):
    made(world)
    for name in ("gone", "gone-too"):
        maker_named(world.farm, world.farm.anonymous.id, name, "electricsheep")
    add_key(world.farm, world.account("eve").name, "keyed")
    maker_named(world.farm, world.farm.anonymous.id, "newest", "electricsheep")
    world.clock.advance((SESSION_DAYS + 1) * DAY_S)
    forget_old_rows(world.farm)
    assert {machine.name for machine in machines_of(world.farm, None)} == {"box", "keyed", "newest"}
    assert world.findings() == []


@pytest.mark.parametrize(("pile", "named_in"), [
    (MACHINES, {"leases", "results", "sessions", "machine_keys", "factories", "browsers", "screens", "refusals"}),
    (LEASES, {"results"}), (SESSIONS, {"leases"}), (CHORES, set()), (EVENTS, set()), (TICKETS, set()),
    (WEB_SESSIONS, set()),
])
def test_no_row_is_forgotten_that_another_names(pile: Pile, named_in: set[str]):
    names = {table.name for table in metadata.tables.values() for key in table.foreign_keys
             if key.column.table.name == pile.table}
    assert names == named_in
    assert all(f"FROM {name} " in pile.over for name in names)


@pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
def test_each_step_looks_at_some_rows_and_an_idle_farm_is_not_written_to(world: World, monkeypatch):
    monkeypatch.setattr(forgetting, "ROWS_AT_A_TIME", 5)
    world.account("owner", Role.OWNER)
    made(world, 3)
    commits: list[None] = []
    world.farm.db.listen(lambda: commits.append(None))
    assert set(forget_in_steps(world.farm)) <= {0}
    assert commits == []
    world.clock.advance((EVENT_DAYS + 1) * DAY_S)
    steps = list(forget_in_steps(world.farm))
    assert sum(steps) > 20
    assert max(steps) == 5
