"""Settlement: whatever follows from a change of a task is written with it, or not at all."""

import pytest
from tests.conftest import HEIGHT, WIDTH, World, in_threads, picture

from sheepfold.farm.browse import newest_event_id, view_job
from sheepfold.farm.settlement import end_job, settle
from sheepfold.model import lifecycle
from sheepfold.model.events import What
from sheepfold.model.jobs import JobState
from sheepfold.model.tasks import TaskState
from sheepfold.store import events as event_rows
from sheepfold.store import tasks as task_rows
from sheepfold.store.database import Tx


def test_a_change_that_is_none_writes_nothing(world: World):
    world.order()
    held = world.held(world.maker("box"))
    before = newest_event_id(world.farm)

    def again(tx: Tx) -> None:
        task = task_rows.load(tx, held.task_id, lock=True)
        settle(tx, task, lifecycle.transition(task, world.clock.now), world.clock.now)

    world.farm.db.write(again)
    assert newest_event_id(world.farm) == before


def test_a_settlement_that_stumbles_at_its_end_leaves_nothing(world: World):
    job = world.order()
    held = world.held(world.maker("box"))
    before = newest_event_id(world.farm)

    def stumble(tx: Tx) -> None:
        task = task_rows.load(tx, held.task_id, lock=True)
        settle(tx, task, lifecycle.cancel(task, world.clock.now), world.clock.now)
        raise KeyError("stumbled")

    with pytest.raises(KeyError):
        world.farm.db.write(stumble)
    assert world.task(held.task_id).state is TaskState.OPEN
    assert view_job(world.farm, job.id).job.state is JobState.RUNNING
    assert newest_event_id(world.farm) == before
    assert world.findings() == []


def test_the_last_task_ends_its_job_and_queues_its_chores(world: World):
    job = world.order(frames=2)
    world.make_all(world.maker("box"))
    view = view_job(world.farm, job.id)
    assert (view.job.state, view.job.ended_at) == (JobState.DONE, world.clock.now)
    assert view.chores_waiting == 3  # two previews and what the pictures are made into


def test_the_last_tasks_of_a_job_that_end_at_once_end_it_once(world: World):
    makers = [world.maker(f"box-{number}") for number in range(4)]
    for turn in range(6):
        job = world.order(frames=len(makers))
        orders = [(maker, world.claim(maker)) for maker in makers]
        bodies = [picture(10 * turn + order.frame, (WIDTH + order.frame, HEIGHT)) for _, order in orders]
        held = [order.held_by(maker) for maker, order in orders]
        in_threads(len(held), lambda n, held=held, bodies=bodies: world.send(held[n], bodies[n]))
        view = view_job(world.farm, job.id)
        assert (view.job.state, view.job.progress.done) == (JobState.DONE, len(makers))
        told = world.farm.db.read(lambda tx, job_id=job.id: event_rows.of_job(tx, job_id, What.JOB_DONE))
        assert len(told) == 1
    assert world.findings() == []


def test_a_job_ends_once(world: World):
    job = world.order()

    def end(tx: Tx) -> list[What]:
        return [event.what for event in end_job(tx, job.id, JobState.DONE, world.clock.now)]

    assert world.farm.db.write(end) == [What.JOB_DONE]
    assert world.farm.db.write(end) == []


def test_a_failed_job_is_made_into_nothing(world: World):
    from sheepfold.farm.dispatch import give_up
    from sheepfold.model.jobs import Terms

    job = world.order(terms=Terms(max_attempts=1))
    give_up(world.farm, world.held(world.maker("box")), "It crashed.", failed=True)
    view = view_job(world.farm, job.id)
    assert (view.job.state, view.chores_waiting) == (JobState.FAILED, 0)


def test_an_opening_wakes_its_lane(world: World):
    world.order()
    box = world.maker("box")
    held = world.held(box)
    assert world.claim(world.maker("other")) is None  # and the lane falls asleep
    world.send(held, b"rubbish")
    assert world.findings() == []
    assert world.send(world.held(world.maker("other")), picture()).task_state is TaskState.DONE
