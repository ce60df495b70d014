"""Jobs that get more frames after they were ordered."""

import pytest
from tests.conftest import picture

from sheepfold.farm.browse import view_job
from sheepfold.farm.dispatch import claim_task, held_lease
from sheepfold.farm.extending import can_extend, extend_job
from sheepfold.farm.orders import Order, cancel_job, order_job
from sheepfold.model.errors import Forbidden, InvalidSpec, JobEnded
from sheepfold.model.jobs import JobState
from sheepfold.model.matching import Abilities, Program

ABLE = Abilities(kinds=frozenset({"blender"}), renderers=frozenset({Program("blender", "4.5")}), memory_mib=8192)
SIZE = (64, 48)


@pytest.fixture(autouse=True)
def _no_bpy(monkeypatch):
    monkeypatch.setenv("SHEEPFOLD_BPY_PYTHON", "/nonexistent/python")


@pytest.fixture
def job(world):
    path = world.folder / "scene.blend"
    path.write_bytes(b"BLENDER-v402 a scene")
    spec = {"frames": "1-2", "width": SIZE[0], "height": SIZE[1]}
    return order_job(world.farm, world.account("ann"), Order("blender", spec, {"project": path}))


def make_all(world):
    maker, made = world.maker("one"), []
    while (granted := claim_task(world.farm, maker, ABLE, 600)) is not None:
        world.send(held_lease(world.farm, maker, granted.lease_id), picture(granted.frame, SIZE))
        made.append(granted.frame)
    return made


def extended(world, job, frames, account="ann"):
    return extend_job(world.farm, world.account(account), job.id, frames)


def test_a_done_job_gets_more_frames_and_runs_again(world, job):
    assert make_all(world) == [1, 2]
    longer = extended(world, job, "2-4,10")
    assert (longer.state, longer.progress.total, longer.progress.done) == (JobState.RUNNING, 5, 2)
    assert longer.spec["frames"] == "1-4,10"
    assert world.findings() == []
    assert make_all(world) == [3, 4, 10]
    assert view_job(world.farm, job.id).job.state is JobState.DONE
    assert world.findings() == []


def test_frames_that_it_has_or_that_make_no_sense_are_refused(world, job):
    for frames in ("1-2", "x", "", "9-3", "1-99999"):
        with pytest.raises(InvalidSpec):
            extended(world, job, frames)
    assert view_job(world.farm, job.id).job.progress.total == 2


def test_what_others_ordered_or_was_canceled_or_cannot_grow_is_refused(world, job):
    with pytest.raises(Forbidden):
        extended(world, job, "3", "eve")
    with pytest.raises(InvalidSpec):
        extended(world, world.order(1), "3")
    assert [kind for kind in ("blender", "flame", "screenshot") if can_extend(kind)] == ["blender"]
    cancel_job(world.farm, world.account("ann"), job.id)
    with pytest.raises(JobEnded):
        extended(world, job, "3")
