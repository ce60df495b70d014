"""An input replaced while its job runs: what is done stays, what is not renders from the new file."""

import os
import zipfile

import pytest
from tests.conftest import GENOMES, picture

from sheepfold.farm.archives import open_archive
from sheepfold.farm.browse import remarks_on, story, view_job
from sheepfold.farm.dispatch import claim_task, give_up, heartbeat, held_lease, read_input
from sheepfold.farm.orders import Order, cancel_job, order_job
from sheepfold.farm.replacing import replace_input
from sheepfold.farm.upkeep import sweep_blobs
from sheepfold.kinds.blender.complete import UNSEEN
from sheepfold.model.accounts import Role
from sheepfold.model.errors import Conflict, Forbidden, InvalidSpec, JobEnded, LeaseNotHeld, UnknownBlob, UnknownJob
from sheepfold.model.events import What
from sheepfold.model.jobs import JobId, JobState, Terms
from sheepfold.model.matching import Abilities, Program
from sheepfold.model.tasks import TaskState, Verdict

ABLE = Abilities(kinds=frozenset({"blender"}), renderers=frozenset({Program("blender", "4.5")}), memory_mib=8192)
OLD, NEW = b"BLENDER-v402 old", b"BLENDER-v402 new"
SIZE = (64, 48)


@pytest.fixture(autouse=True)
def _no_bpy(monkeypatch):
    monkeypatch.setenv("SHEEPFOLD_BPY_PYTHON", "/nonexistent/python")


def project(world, body=OLD):
    path = world.folder / "scene.blend"
    path.write_bytes(body)
    return path


def ordered(world, frames="1-3", **terms):
    spec = {"frames": frames, "width": SIZE[0], "height": SIZE[1]}
    return order_job(world.farm, world.account("ann"),
                     Order("blender", spec, {"project": project(world)}, terms=Terms(**terms)))


def replaced(world, job, body=NEW, account="ann", name="project"):
    return replace_input(world.farm, world.account(account), job.id, name, project(world, body))


def claimed(world, machine):
    maker = world.maker(machine)
    granted = claim_task(world.farm, maker, ABLE, 600)
    return granted, held_lease(world.farm, maker, granted.lease_id)


def bytes_of(file):
    return b"".join(file.chunks)


def test_what_is_done_stays_and_the_rest_renders_from_the_new_file(world):
    job = ordered(world)
    _, first = claimed(world, "one")
    assert world.send(first, picture(1, SIZE)).verdict is Verdict.VALID
    changed = replaced(world, job)
    assert (changed.revision, changed.inputs["project"] == job.inputs["project"]) == (1, False)
    granted, second = claimed(world, "two")
    assert (granted.job.revision, granted.frame) == (1, 2)
    assert bytes_of(read_input(world.farm, second, "project")) == NEW
    assert [task.state for task in view_job(world.farm, job.id).tasks] == [
        TaskState.DONE, TaskState.OPEN, TaskState.OPEN]  # fmt: skip
    assert world.findings() == []


@pytest.mark.parametrize("ending", ["active", "expired"])
def test_who_renders_from_the_old_file_is_told_to_stop_and_its_frame_is_not_taken(world, clock, ending):
    job = ordered(world, "1")
    granted, held = claimed(world, "one")
    if ending == "expired":
        clock.advance(601)
    replaced(world, job)
    with pytest.raises(LeaseNotHeld):
        heartbeat(world.farm, held, 600)
    with pytest.raises(LeaseNotHeld, match="replaced"):
        world.send(held, picture(1, SIZE))
    with pytest.raises(UnknownBlob):
        read_input(world.farm, held, "project")
    told = story(world.farm, granted.task_id)
    assert [lease.state for lease in told.leases] == ["withdrawn"]
    assert What.LEASE_WITHDRAWN in {event.what for event in told.events}
    again, anew = claimed(world, "one")
    assert again.frame == 1
    assert world.send(anew, picture(2, SIZE)).verdict is Verdict.VALID
    assert view_job(world.farm, job.id).job.state is JobState.DONE
    assert world.findings() == []


@pytest.mark.parametrize("ending", ["submitted", "failed"])
def test_who_broke_off_or_sent_nonsense_of_the_old_file_may_not_send_its_frame_once_more(world, ending):
    job = ordered(world, "1", max_attempts=2)
    granted, held = claimed(world, "one")
    if ending == "failed":
        give_up(world.farm, held, "It crashed.", failed=True)
    else:
        assert world.send(held, picture(1, SIZE)[:200]).verdict is Verdict.INVALID
    replaced(world, job)
    with pytest.raises(LeaseNotHeld, match="replaced"):
        world.send(held, picture(1, SIZE))
    assert [lease.state for lease in story(world.farm, granted.task_id).leases] == [ending]
    assert world.findings() == []
    _, crashed = claimed(world, "one")  # the new file has its own attempts
    give_up(world.farm, crashed, "It crashed.", failed=True)
    _, anew = claimed(world, "one")
    assert world.send(anew, picture(2, SIZE)).verdict is Verdict.VALID
    assert world.findings() == []


def test_the_archive_of_old_clients_is_there_at_once_and_the_old_one_is_gone(world):
    job = ordered(world)
    claimed(world, "one")
    machine = world.maker("one").machine_id
    replaced(world, job)
    with pytest.raises(UnknownBlob, match="revision 1"):
        open_archive(world.farm, machine, job.id, revision=0)
    (world.folder / "new.zip").write_bytes(bytes_of(open_archive(world.farm, machine, job.id, revision=1)))
    with zipfile.ZipFile(world.folder / "new.zip") as archive:
        assert [archive.read(name) for name in archive.namelist()] == [NEW]


def test_of_a_project_that_was_replaced_often_nothing_old_stays(world, clock):
    job = ordered(world)
    claimed(world, "one")
    for number in range(3):
        replaced(world, job, b"BLENDER-v402 number %d" % number)
    clock.advance(world.farm.settings.orphan_blob_age_s + 1)
    for digest, _ in world.farm.blobs.list_digests():
        os.utime(world.farm.blobs.local_path(digest, world.folder), (1, 1))
    sweep_blobs(world.farm)
    left = {digest for digest, _ in world.farm.blobs.list_digests()}
    archive = open_archive(world.farm, world.maker("one").machine_id, job.id)
    assert left == {view_job(world.farm, job.id).job.inputs["project"], archive.digest}
    assert world.findings() == []


def test_the_same_file_again_changes_nothing(world):
    job = ordered(world)
    _, held = claimed(world, "one")
    assert replaced(world, job, OLD).revision == 0
    assert heartbeat(world.farm, held, 600)


def test_what_the_artist_should_know_is_of_the_newest_revision(world):
    job = ordered(world)
    assert remarks_on(world.farm, job) == (UNSEEN,)
    changed = replaced(world, job)
    assert remarks_on(world.farm, changed) == view_job(world.farm, job.id).remarks == (UNSEEN,)


def test_what_will_not_do_is_refused_and_the_old_file_stays(world):
    job = ordered(world)
    _, held = claimed(world, "one")
    world.account("eve")
    for wrong, why in [
        (lambda: replaced(world, job, b"no project"), InvalidSpec),
        (lambda: replaced(world, job, account="eve"), Forbidden),
        (lambda: replaced(world, job, name="genome"), UnknownBlob),
        (lambda: replace_input(world.farm, world.account("ann"), JobId(9), "project", project(world)), UnknownJob),
    ]:
        with pytest.raises(why):
            wrong()
    assert bytes_of(read_input(world.farm, held, "project")) == OLD
    assert [path.name for path in world.farm.spool_folder.iterdir()] == []
    cancel_job(world.farm, world.account("ann"), job.id)
    with pytest.raises(JobEnded):
        replaced(world, job)


def test_the_owner_may_replace_anybodys(world):
    job = ordered(world)
    world.account("olga", Role.OWNER)
    assert replaced(world, job, account="olga").revision == 1


def test_a_frame_that_waits_for_another_machine_keeps_the_old_file(world):
    job = ordered(world, "1", quorum=2)
    _, held = claimed(world, "one")
    assert world.send(held, picture(1, SIZE)).verdict is Verdict.PENDING
    with pytest.raises(Conflict, match="wait for other machines"):
        replaced(world, job)
    assert view_job(world.farm, job.id).job.revision == 0


def test_a_flame_was_made_of_its_genome(world):
    job = world.flame()
    with pytest.raises(InvalidSpec, match="order anew"):
        replace_input(world.farm, world.account("ann"), job.id, "genome", GENOMES / "r1.flam3")
