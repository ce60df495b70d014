"""Browsing: what people and players ask of the farm."""

import pytest
from tests.conftest import World, balances, picture

from sheepfold.farm.browse import (
    list_jobs,
    newest_event_id,
    open_picture,
    open_preview,
    open_product,
    story,
    view_job,
)
from sheepfold.farm.dispatch import open_session, session_of
from sheepfold.farm.views import machines_of
from sheepfold.model.errors import UnknownBlob, UnknownJob, UnknownTask
from sheepfold.model.tasks import TaskId, TaskState


def test_the_newest_jobs_come_first_and_in_pages(world: World):
    ids = [world.order().id for _ in range(5)][::-1]
    assert [job.id for job in list_jobs(world.farm)] == ids
    assert [job.id for job in list_jobs(world.farm, limit=2)] == ids[:2]
    assert [job.id for job in list_jobs(world.farm, limit=2, before=ids[1])] == ids[2:4]
    assert list_jobs(world.farm, before=ids[-1]) == []


def test_a_job_shows_its_tasks_as_they_stand(world: World):
    job = world.flame(frames=3)
    box = world.maker("box")
    first = world.held(box)
    world.held(box)
    world.send(first, picture(size=(64, 48)))
    tasks = view_job(world.farm, job.id).tasks
    assert [(task.frame, task.state, task.openings, task.active_leases) for task in tasks] == [
        (0, TaskState.DONE, 0, 0), (1, TaskState.OPEN, 0, 1), (2, TaskState.OPEN, 1, 0)
    ]  # fmt: skip
    assert not any(task.has_preview for task in tasks)


def test_what_is_not_there_is_said_to_be_unknown(world: World):
    job = world.order()
    task_id = view_job(world.farm, job.id).tasks[0].id
    with pytest.raises(UnknownJob):
        view_job(world.farm, job.id + 1)
    with pytest.raises(UnknownTask):
        story(world.farm, TaskId(task_id + 1))
    for ask in (
        lambda: open_picture(world.farm, task_id),
        lambda: open_preview(world.farm, task_id, 320),
        lambda: open_product(world.farm, job.id, "film.mp4"),
    ):
        with pytest.raises(UnknownBlob):
            ask()


def test_the_story_of_a_task_names_everybody(world: World):
    world.order()
    world.send(world.held(world.maker("box")), b"rubbish")
    held = world.held(world.maker("other"))
    world.send(held, picture())
    told = story(world.farm, held.task_id)
    assert [(lease.machine, lease.account, lease.state) for lease in told.leases] == [
        ("box", "box-owner", "submitted"), ("other", "other-owner", "submitted")
    ]  # fmt: skip
    assert [event.id for event in told.events] == sorted(event.id for event in told.events)
    assert newest_event_id(world.farm) >= told.events[-1].id


def test_machines_are_listed_by_when_they_were_heard_of(world: World):
    world.maker("early")
    world.clock.advance(100)
    world.maker("late")
    assert [machine.name for machine in machines_of(world.farm, None)] == ["late", "early"]
    token = open_session(world.farm, world.maker("early"), "")
    world.clock.advance(100)
    session_of(world.farm, token)
    assert [machine.name for machine in machines_of(world.farm, None)] == ["early", "late"]


def test_balances_are_what_each_account_earned(world: World):
    world.order(frames=3)
    sent = world.make_all(world.maker("box", account="vera"))
    world.maker("idle", account="ida")
    earned = balances(world.farm)
    assert (sent, earned["vera"], earned["ida"]) == (3, 3 * 30_000, 0)
