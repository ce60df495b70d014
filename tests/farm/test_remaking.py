"""Remaking: what was given up of a job is tried once more, and then no finding any more."""

from dataclasses import replace

import pytest
from tests.conftest import World

from sheepfold.blobs.spool import Digest
from sheepfold.farm.browse import open_preview, view_job
from sheepfold.farm.chores import PREVIEW_WIDTH
from sheepfold.farm.remaking import remake
from sheepfold.farm.repeating import render_again
from sheepfold.farm.retention import Retention
from sheepfold.model.accounts import Role
from sheepfold.model.errors import Forbidden, UnknownJob
from sheepfold.model.jobs import Job, JobId
from sheepfold.store import chores as chore_rows
from sheepfold.store.chores import LONGEST_DELAY_S, ChoreWhat


def given_up(world: World) -> tuple[Job, bytes]:
    """Have a job's preview and sheet given up, as its picture is away; returns that, too."""
    job = world.order()
    world.make_all(world.maker("box"))
    digest = Digest(world.task(view_job(world.farm, job.id).tasks[0].id).results[0].digest)
    body = b"".join(world.farm.blobs.open_stream(digest))
    world.farm.blobs.delete(digest)
    do_all(world, job)
    assert failed(world) == 2
    return job, body


def do_all(world: World, job: Job) -> None:
    while view_job(world.farm, job.id).chores_waiting:
        world.do_chores()
        world.clock.advance(LONGEST_DELAY_S)


def failed(world: World) -> int:
    return len(world.farm.db.read(chore_rows.failed))


def test_what_was_given_up_is_made_once_it_can_be(world: World):
    job, body = given_up(world)
    ann = world.account("ann")
    assert remake(world.farm, ann, job.id) == 2
    assert remake(world.farm, ann, job.id) == 0
    do_all(world, job)
    assert failed(world) == 2  # with as many tries as at first, all in vain
    world.farm.blobs.keep_bytes(body)
    assert remake(world.farm, world.account("chief", Role.OWNER), job.id) == 2
    do_all(world, job)
    view = view_job(world.farm, job.id)
    assert (len(view.products), view.tasks[0].has_preview) == (1, True)
    assert open_preview(world.farm, view.tasks[0].id, PREVIEW_WIDTH).size_bytes > 0
    assert world.findings() == []


def test_what_is_made_anew_settles_what_was_given_up_of_it(world: World):
    job, _ = given_up(world)
    other = world.order(account="bob")
    render_again(world.farm, world.account("ann"), job.id, 0)
    world.make_all(world.maker("other"), first=50)
    do_all(world, job)
    do_all(world, other)
    assert failed(world) == 0
    assert remake(world.farm, world.account("ann"), job.id) == 0


def test_the_newest_of_the_same_stands_for_those_before(world: World):
    job, body = given_up(world)
    world.farm.db.write(lambda tx: chore_rows.add(tx, ChoreWhat.ASSEMBLE, job.id, None, world.clock.now))
    do_all(world, job)
    assert failed(world) == 3
    world.farm.blobs.keep_bytes(body)
    assert remake(world.farm, world.account("ann"), job.id) == 2
    do_all(world, job)
    assert world.findings() == []


def test_of_a_cleared_job_nothing_is_made_any_more(world: World):
    job, _ = given_up(world)
    world.farm = replace(world.farm, settings=replace(world.farm.settings, keep_days=1))
    world.clock.advance(3 * 86_400)
    Retention(world.farm).step()
    world.do_chores()
    assert failed(world) == 2
    assert remake(world.farm, world.account("ann"), job.id) == 0
    assert world.findings() == []


def test_only_its_account_and_the_owner_have_a_job_remade(world: World):
    job, _ = given_up(world)
    with pytest.raises(Forbidden):
        remake(world.farm, world.account("bob"), job.id)
    with pytest.raises(UnknownJob):
        remake(world.farm, world.account("bob"), JobId(4711))
    assert failed(world) == 2
