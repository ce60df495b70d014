"""Our worker's line to a farm over SheepIt's wire, against the real endpoints."""

from dataclasses import replace
from hashlib import sha256

import pytest

from sheepfold.farm.browse import story
from sheepfold.farm.dispatch import open_blob
from sheepfold.farm.orders import cancel_job
from sheepfold.farm.replacing import replace_input
from sheepfold.farm.upkeep import expire_leases
from sheepfold.model.matching import Abilities, Program
from sheepfold.model.tasks import LeaseState, TaskState, Verdict
from sheepfold.protocols.link import FarmRefused, FarmUnreachable, Figures, Receipt
from sheepfold.protocols.sheepit.client import PROJECT, SheepItLink

ABLE = Abilities(frozenset({"blender"}), frozenset({Program("blender", "4.5")}), platform="linux", memory_mib=8192)


@pytest.fixture
def link(site):
    return made(site)


def made(site, key="", account="alice", abilities=ABLE):
    line = SheepItLink("http://farm.example:8080/", account, key or site.key(), "test/1")
    line._http = site.http
    line.open(abilities)
    return line


def picture(site, tmp_path, **size):
    path = tmp_path / "0001.png"
    path.write_bytes(site.picture(**size))
    return path


def test_a_frame_goes_the_whole_way(site, link, tmp_path):
    ordered = site.order(2)
    work = link.claim(ABLE)
    assert (work.kind, work.handle, work.frame) == ("blender", f"{ordered.id}/0001/1", 1)
    assert work.spec == {"main": "scene.blend"}
    assert "sheepit_set_compute_device" in work.script
    archive = tmp_path / "project.zip"
    link.fetch_input(work, PROJECT, archive)
    assert sha256(archive.read_bytes()).hexdigest() == work.inputs[PROJECT]
    assert link.fetch_task_input(work, tmp_path / "none") is False
    assert link.heartbeat(work, 4) is True
    assert link.submit(work, picture(site, tmp_path), Figures(7, 1234, 2)) is Receipt.ACCEPTED
    (result,) = site.results(ordered.id)
    assert (result.verdict, site.tasks(ordered.id)[0].state) == (Verdict.VALID, TaskState.DONE)


@pytest.mark.parametrize("frame", ["x", "", "1.5", "٣", "9" * 5000])
def test_a_frame_that_is_no_number_is_left(site, link, monkeypatch, frame):
    site.order(1)
    told = link._requested

    def odd(asked):
        answer = told(asked)
        return replace(answer, job=replace(answer.job, frame=frame))

    monkeypatch.setattr(link, "_requested", odd)
    with pytest.raises(FarmUnreachable, match="no frame"):
        link.claim(ABLE)


def test_frames_of_one_job_have_one_spec_so_that_their_scene_stays_loaded(site, link):
    site.order(2)
    first, second = link.claim(ABLE), link.claim(ABLE)
    assert (first.spec, first.inputs) == (second.spec, second.inputs)


@pytest.mark.parametrize(("account", "key"), [("alice", "f" * 32), ("bob", "")])
def test_a_wrong_log_in_is_refused_for_good(site, account, key):
    with pytest.raises(FarmRefused, match="bad credentials"):
        made(site, key, account)


def test_an_idle_farm_has_nothing(site, link):
    assert link.claim(ABLE, may_wait=False) is None


def test_a_farm_without_a_renderer_for_us_has_nothing_for_us(site):
    site.order()
    line = made(site, abilities=Abilities(frozenset({"blender"}), platform="windows"))
    assert line.claim(ABLE) is None


def test_a_session_that_ended_is_opened_anew(site, link, clock, tmp_path):
    ordered = site.order(2)
    work = link.claim(ABLE)
    site.http.get(link._config.paths["logout"])
    assert link.claim(ABLE).frame in {1, 2}
    site.http.get(link._config.paths["logout"])
    assert link.submit(work, picture(site, tmp_path), Figures()) is Receipt.ACCEPTED
    assert len(site.results(ordered.id)) == 1


def test_a_restarted_worker_delivers_what_it_had(site, link, tmp_path):
    key = site.key("box")
    site.order()
    first = made(site, key)
    work = first.claim(ABLE)
    assert made(site, key).submit(work, picture(site, tmp_path), Figures()) is Receipt.ACCEPTED


def test_a_frame_of_a_file_that_was_replaced_is_not_taken_for_one_of_the_new(site, link, tmp_path):
    ordered = site.order()
    old = link.claim(ABLE)
    scene = tmp_path / "new.blend"
    scene.write_bytes(b"BLENDER-v402 new")
    replace_input(site.farm, site.world.account("ann"), ordered.id, PROJECT, scene)
    new = link.claim(ABLE)
    link.submit(old, picture(site, tmp_path), Figures())
    assert site.results(ordered.id) == []
    assert link.submit(new, picture(site, tmp_path), Figures()) is Receipt.ACCEPTED
    assert [result.verdict for result in site.results(ordered.id)] == [Verdict.VALID]


def test_a_late_frame_is_still_a_frame(site, link, clock, tmp_path):
    ordered = site.order()
    work = link.claim(ABLE)
    clock.advance(5000)
    expire_leases(site.farm)
    assert link.submit(work, picture(site, tmp_path), Figures()) is Receipt.ACCEPTED
    assert site.tasks(ordered.id)[0].state is TaskState.DONE


def test_a_bad_frame_is_refused(site, link, tmp_path):
    ordered = site.order()
    work = link.claim(ABLE)
    assert link.submit(work, picture(site, tmp_path, width=10), Figures()) is Receipt.REFUSED
    assert site.results(ordered.id)[0].verdict is Verdict.INVALID


def test_a_canceled_job_is_told_by_the_heartbeat(site, link):
    ordered = site.order()
    work = link.claim(ABLE)
    cancel_job(site.farm, site.world.account("ann"), ordered.id)
    assert link.heartbeat(work, 1) is False


@pytest.mark.parametrize(("failed", "state"), [(True, LeaseState.FAILED), (False, LeaseState.RELEASED)])
def test_a_lease_is_given_up_with_its_log(site, link, tmp_path, failed, state):
    ordered = site.order()
    work = link.claim(ABLE)
    log = tmp_path / "log"
    log.write_bytes(b"Fra:1 and then it broke\n")
    link.give_up(work, "It broke.", log, failed=failed)
    told = story(site.farm, site.tasks(ordered.id)[0].id).leases[0]
    assert site.leases(ordered.id)[0].state is state
    assert b"it broke" in b"".join(open_blob(site.farm, told.log).chunks)


def test_closing_ends_the_session(site, link):
    site.order()
    link.claim(ABLE)
    link.close()
    with pytest.raises(FarmUnreachable, match="no session"):
        link.claim(ABLE)
