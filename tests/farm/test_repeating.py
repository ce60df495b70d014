"""Frames rendered anew: opened once more, the old picture shown and paid until there is another."""

import pytest
from tests.conftest import balances, picture

from sheepfold.farm import repeating
from sheepfold.farm.browse import open_picture, story, view_job
from sheepfold.farm.dispatch import claim_task, heartbeat, held_lease
from sheepfold.farm.orders import Order, cancel_job, order_job
from sheepfold.farm.repeating import render_again, render_task_again
from sheepfold.farm.settlement import settle
from sheepfold.model.accounts import Role
from sheepfold.model.errors import Conflict, Forbidden, JobEnded, LeaseNotHeld, UnknownTask
from sheepfold.model.events import What
from sheepfold.model.jobs import JobState, Terms
from sheepfold.model.matching import Abilities, Program
from sheepfold.model.tasks import TaskState, Verdict

ABLE = Abilities(kinds=frozenset({"blender"}), renderers=frozenset({Program("blender", "4.5")}), memory_mib=8192)
SIZE = (64, 48)


@pytest.fixture(autouse=True)
def _no_bpy(monkeypatch):
    monkeypatch.setenv("SHEEPFOLD_BPY_PYTHON", "/nonexistent/python")


def ordered(world, frames="1-2", **terms):
    path = world.folder / "scene.blend"
    path.write_bytes(b"BLENDER-v402 a scene")
    spec = {"frames": frames, "width": SIZE[0], "height": SIZE[1]}
    return order_job(world.farm, world.account("ann"), Order("blender", spec, {"project": path}, terms=Terms(**terms)))


def claimed(world, machine):
    maker = world.maker(machine)
    granted = claim_task(world.farm, maker, ABLE, 600)
    return held_lease(world.farm, maker, granted.lease_id)


def finished(world, **terms):
    job = ordered(world, **terms)
    for number in range(job.progress.total):
        world.send(claimed(world, "one"), picture(number, SIZE))
    return job


def again(world, job, frame=1, account="ann"):
    return render_again(world.farm, world.account(account), job.id, frame)


def digest_of(world, job):
    return open_picture(world.farm, view_job(world.farm, job.id).tasks[0].id)[1].digest


def test_a_done_frame_is_rendered_once_more_and_both_are_paid(world):
    job = finished(world)
    earned, old = balances(world.farm)["one-owner"], digest_of(world, job)
    opened = again(world, job)
    assert (opened.state, opened.ended_at, opened.progress.done) == (JobState.RUNNING, None, 1)
    assert (balances(world.farm)["one-owner"], digest_of(world, job)) == (earned, old)
    assert world.send(claimed(world, "one"), picture(7, SIZE)).verdict is Verdict.VALID
    assert view_job(world.farm, job.id).job.state is JobState.DONE
    assert digest_of(world, job) != old
    assert balances(world.farm)["one-owner"] == earned * 3 // 2
    assert world.findings() == []


def test_the_same_picture_again_ends_the_frame_too(world):
    job = finished(world, frames="1")
    again(world, job)
    assert world.send(claimed(world, "one"), picture(0, SIZE)).task_state is TaskState.DONE
    assert world.findings() == []


def test_a_frame_that_failed_has_all_its_attempts_anew(world):
    job = ordered(world, "1", max_attempts=1)
    world.send(claimed(world, "one"), b"no picture")
    assert view_job(world.farm, job.id).job.state is JobState.FAILED
    again(world, job)
    assert world.findings() == []
    assert world.send(claimed(world, "one"), picture(1, SIZE)).task_state is TaskState.DONE
    assert view_job(world.farm, job.id).job.progress.failed == 0


def test_the_old_round_says_nothing_in_the_new_one(world, clock):
    job = ordered(world, "1", quorum=2)
    late = claimed(world, "late")
    clock.advance(601)
    for machine in ("one", "two"):
        world.send(claimed(world, machine), picture(1, SIZE))
    again(world, job)
    with pytest.raises(LeaseNotHeld):
        world.send(late, picture(1, SIZE))
    assert world.send(claimed(world, "one"), picture(1, SIZE)).verdict is Verdict.PENDING
    assert world.send(claimed(world, "two"), picture(1, SIZE)).task_state is TaskState.DONE
    assert world.findings() == []


def test_its_story_tells_who_wanted_it(world):
    job = finished(world, frames="1")
    again(world, job)
    told = [event.what for event in story(world.farm, view_job(world.farm, job.id).tasks[0].id).events]
    assert told[-1] is What.TASK_REOPENED


def test_a_frame_that_is_open_or_is_none_or_was_canceled_is_refused(world):
    job = ordered(world)
    held = claimed(world, "one")
    with pytest.raises(Conflict):
        again(world, job)
    with pytest.raises(UnknownTask):
        again(world, job, frame=77)
    heartbeat(world.farm, held, 600)
    cancel_job(world.farm, world.account("ann"), job.id)
    with pytest.raises(JobEnded):
        again(world, job)


def test_others_repeat_nothing_but_the_owner_does(world):
    job = finished(world)
    world.account("eve")
    with pytest.raises(Forbidden):
        again(world, job, account="eve")
    task = view_job(world.farm, job.id).tasks[1]
    boss = world.account("boss", Role.OWNER)
    assert render_task_again(world.farm, boss, task.id).frame == 2
    assert view_job(world.farm, job.id).tasks[1].state is TaskState.OPEN


@pytest.mark.parametrize("dialect", ["postgresql"])  # where two write at once
def test_a_job_that_is_canceled_in_the_same_moment_stays_so(world, monkeypatch):
    job = ordered(world)
    world.send(claimed(world, "one"), picture(0, SIZE))

    def crossed(*args):
        cancel_job(world.farm, world.account("ann"), job.id)
        settle(*args)

    monkeypatch.setattr(repeating, "settle", crossed)
    with pytest.raises(JobEnded):
        again(world, job)
    assert view_job(world.farm, job.id).job.state is JobState.CANCELED
    assert world.findings() == []
