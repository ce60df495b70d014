"""A real farm and clients of six eras: every quirk of the note has its test here."""

import ast
import hashlib
import io
import json
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from urllib.parse import quote

import pytest

from sheepfold.farm.accounts import revoke_keys
from sheepfold.farm.browse import balances, story
from sheepfold.farm.dispatch import open_blob
from sheepfold.farm.orders import cancel_job
from sheepfold.farm.renderers import Target, add_local, remove_renderer
from sheepfold.farm.upkeep import expire_leases
from sheepfold.model.errors import StoreUnavailable
from sheepfold.model.tasks import LeaseState, TaskState, Verdict
from sheepfold.protocols.sheepit import wire
from sheepfold.protocols.sheepit.endpoints import routes

ERAS = ("a0", "a", "a2", "b", "b22", "c")
WEDGED = ("a0", "a", "a2")
UNWEDGED = ("b", "b22", "c")
GOOD = {"login": "alice", "version": "6.20294.0", "os": "linux", "bits": "64bit"}


def fetch(client, job, archive):
    return client.http.get(f"{client.path('download-archive')}?type={archive}&job={job.id}")


# one whole life, in every era ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("era", ERAS)
def test_a_client_of_every_era_goes_from_login_to_logout(site, era):
    ordered = site.order(frames=1)
    client = site.client(era)
    job = client.job()
    assert (job.id, job.frame) == (ordered.id, "0001")
    assert client.send(job, site.picture()) == 0
    assert [result.verdict for result in site.results(job.id)] == [Verdict.VALID]
    assert client.ask().status == 200
    assert client.log_out().status_code == 200
    assert client.ask().status == 202


def test_the_answer_is_one_superset_of_what_all_eras_demand(site):
    site.order()
    client = site.client("b")
    answer = client.http.post(client.path("request-job") + "?computemethod=1").text
    for word in ("archive_md5=", 'revision="0"', "extras=", 'synchronous_upload="', 'password=""', "validation_url=",
                 "<frames remaining=", "<stats credits_session=", "renderable_project=", "update_method=", "<chunk id=",
                 "<script>import bpy"):
        assert word in answer, word


def test_a_job_of_many_frames_is_given_out_frame_by_frame_and_padded(site):
    site.order(frames=2)
    client = site.client()
    assert [client.job().frame, client.job().frame] == ["0001", "0002"]


# sessions ------------------------------------------------------------------------------------------------------------


def config_status(site, method="post", **pairs):
    sent = {"data": pairs} if method == "post" else {"params": pairs}
    return wire.ConfigAnswer.from_xml(site.http.request(method, "/server/config.php", **sent).content).status


@pytest.mark.parametrize("method", ["get", "post"])
def test_config_refuses_with_the_documented_numbers(site, method):
    key = site.key()
    assert config_status(site, method, login="alice", password=key) == 100
    assert config_status(site, method, **GOOD, password="wrong") == 102
    assert config_status(site, method, **GOOD | {"login": "bob"}, password=key) == 102
    assert config_status(site, method, **GOOD) == 104
    assert config_status(site, method, **GOOD, password=key) == 0


@pytest.mark.parametrize("changed", [{"sheepit_min_version": "5.0"}])
def test_clients_below_the_farms_minimum_version_are_too_old(site):
    key = site.key()
    seen = [config_status(site, **GOOD | {"version": version}, password=key)
            for version in ("3.3.1762", "4.9.9", "dev", "5.0", "5.290.2718", "7.24086.0")]
    assert seen == [101, 101, 101, 0, 0, 0]


def test_a_web_cookie_that_is_no_session_is_103_and_a_living_one_logs_in(site):
    client = site.client()
    token = client.path("logout").split("/")[2]
    site.http.cookies.clear()
    dead = site.http.get("/server/config.php?version=6.0", headers={"cookie": "farm=" + "0" * 32})
    assert wire.ConfigAnswer.from_xml(dead.content).status == 103
    living = site.http.get("/server/config.php?version=6.0", headers={"cookie": f"farm={token}"})
    assert wire.ConfigAnswer.from_xml(living.content).status == 0


def test_a_dead_cookie_does_not_hinder_a_login(site):
    answer = site.http.post("/server/config.php", data=GOOD | {"password": site.key()},
                            headers={"cookie": "farm=" + "0" * 32})
    assert wire.ConfigAnswer.from_xml(answer.content).status == 0


def test_config_sets_exactly_one_cookie_in_title_case_and_an_empty_public_key(site):
    answer = site.http.post("/server/config.php", data=GOOD | {"password": site.key()})
    assert len(answer.headers.get_list("set-cookie")) == 1
    assert b"Set-Cookie" in [name for name, _ in answer.headers.raw]
    assert 'publickey=""' in answer.text


def test_no_path_holds_a_query_and_all_hold_the_token(site):
    client = site.client()
    assert all("?" not in path and path.startswith("/s/") for path in client.paths.values())
    assert set(client.paths) == set(wire.Endpoint)


def test_nothing_is_compressed(site):
    site.order()
    client = site.client()
    client.http.headers["accept-encoding"] = "gzip"
    answers = [fetch(client, client.job(), "binary"), client.http.get(client.path("keepmealive"))]
    assert all("content-encoding" not in answer.headers for answer in answers)


def test_doubled_slashes_count_as_one(site):
    site.order()
    client = site.client()
    base = "http://farm.example:8080"
    assert site.http.get(f"{base}//server/config.php").status_code == 200
    answer = site.http.post(base + "/" + client.path("request-job").replace("/server/", "//server//"))
    assert wire.JobAnswer.from_xml(answer.content).status == 0
    assert site.http.get(f"{base}//elsewhere//").status_code == 404


def test_the_literal_paths_find_their_session_by_cookie_even_with_attributes_echoed(site):
    site.order()
    client = site.client("a")
    token = client.path("logout").split("/")[2]
    site.http.cookies.clear()
    headers = {"cookie": f"farm={token}; path=/; HttpOnly"}
    answer = site.http.post("/server/request_job.php?computemethod=1", headers=headers)
    assert wire.JobAnswer.from_xml(answer.content).status == 0
    assert site.http.get("/account.php?mode=logout&worker=1", headers=headers).status_code == 200
    assert wire.JobAnswer.from_xml(
        site.http.post("/server/request_job.php", headers=headers).content).status == 202


def test_an_old_heartbeat_to_the_bare_path_is_known_by_its_extras(site, clock):
    job = site.order()
    client = site.client("a")
    got = client.job()
    before = site.leases(job.id)[0].deadline_at
    clock.advance(700)
    assert client.beat(f"frame={got.frame}&job={got.id}&extras={got.extras}", "/server/keepmealive.php") == 0
    assert site.leases(job.id)[0].deadline_at == before + 700


def test_a_heartbeat_of_nobody_is_answered_zero(site):
    answer = site.http.get("/server/keepmealive.php")
    assert wire.KeepAliveAnswer.from_xml(answer.content).status == 0


# asking for jobs -----------------------------------------------------------------------------------------------------


def test_without_work_the_answer_is_200_with_figures(site):
    answer = site.client().ask()
    assert answer.status == 200
    assert answer.stats.connected_machine == 1


def test_an_unknown_token_is_202(site):
    answer = site.http.post(f"/s/{'0' * 32}/server/request_job.php")
    assert wire.JobAnswer.from_xml(answer.content).status == 202


def test_a_revoked_key_is_201(site):
    site.order()
    client = site.client()
    revoke_keys(site.farm, "box-b")
    assert client.ask().status == 201


def test_five_invalid_frames_in_a_row_are_203_and_four_are_not(site):
    site.order(frames=9)
    client = site.client()
    for _ in range(4):
        assert client.send(client.job(), b"no picture") == 302
    assert client.ask().status == 0
    fifth = client.job()
    assert client.send(fifth, b"no picture at all") == 302
    assert client.ask().status == 203


def test_no_renderer_for_its_system_is_205_and_a_new_one_ends_it(site):
    site.order()
    client = site.client("b")
    mac = site.client("b", "mac", out=True)
    mac.os = "mac"
    mac.log_in()
    assert mac.ask().status == 205
    add_local(site.farm, Target("4.5", "mac"))
    assert mac.ask().status == 0
    remove_renderer(site.farm, Target("4.5"))
    assert client.ask().status == 205


def test_a_database_that_does_not_answer_is_207_not_a_parking_number(site, monkeypatch):
    site.order()
    client = site.client()

    def broken(_):
        raise StoreUnavailable

    monkeypatch.setattr(site.farm.db, "write", broken)
    assert client.ask().status == 207


def test_the_renderer_must_be_of_the_version_that_the_job_wants(site):
    site.order(renderer_version="4.2")
    client = site.client()
    assert client.ask().status == 200
    add_local(site.farm, Target("4.2.1"))
    wanted = client.job()
    md5 = hashlib.md5(fetch(client, wanted, "binary").content).hexdigest()
    assert md5 == wanted.renderer.md5


@pytest.mark.parametrize(("query", "compute", "expected"), [
    ("computemethod=1", "gpu", None), ("computemethod=1", "either", False), ("computemethod=0", "gpu", None),
    ("computemethod=0&gpu_model=RTX&gpu_ram=8000000000&gpu_type=CUDA", "gpu", True),
    ("computemethod=0&gpu_model=RTX&gpu_ram=8000000000&gpu_type=CUDA", "cpu", False),
    ("computemethod=2&gpu_model=RTX", "either", True), ("computemethod=2&gpu_model=RTX", "cpu", None)])
def test_compute_method_and_gpu_are_abilities_of_the_request(site, query, compute, expected):
    site.order(compute=compute)
    answer = site.client().ask(query)
    assert (answer.job.uses_gpu if answer.job else None) is expected


def test_memory_is_an_ability_of_the_request(site):
    site.order(memory_mib=4096)
    client = site.client()
    assert client.ask("computemethod=1&ram_max=1048576").status == 200
    assert client.ask("computemethod=1&ram_max=8388608").status == 0


def test_memory_in_bytes_is_understood(site):
    site.order(memory_mib=4096)
    client = site.client("a", out=True)
    client.log_in(ram=str(2 * 2**30))
    assert client.ask().status == 200
    client.log_in(ram=str(8 * 2**30))
    assert client.ask().status == 0


def test_the_own_project_comes_first(site):
    site.order(1, account="bob")
    mine = site.order(1, account="carol")
    assert site.client("b", account="carol").job().id == mine.id


def test_a_request_without_xml_or_with_a_real_form_is_answered(site):
    site.order(frames=2)
    client = site.client()
    assert client.http.get(client.path("request-job") + "?computemethod=1").status_code == 200
    answer = client.http.post(client.path("request-job"), data={"computemethod": "1"})
    assert wire.JobAnswer.from_xml(answer.content).status == 0


def test_two_renders_may_wait_for_their_upload_and_a_lost_one_is_given_back(site):
    ordered = site.order(frames=9)
    client = site.client()
    jobs = [client.job() for _ in range(4)]
    assert [lease.state for lease in site.leases(ordered.id)] == [LeaseState.ACTIVE] * 4
    client.job()
    states = {task.frame: [lease.state for lease in task.leases] for task in site.tasks(ordered.id)}
    assert states[1][0] is LeaseState.RELEASED
    assert client.send(jobs[1], site.picture(1)) == 0
    assert client.send(jobs[0], site.picture(0)) == 0, "a late frame is a frame"


def test_the_script_defines_what_clients_call_and_forces_a_picture(site):
    site.order(format="JPEG", samples=7)
    script = site.client().job().script
    compile(script, "script", "exec")
    assert "def sheepit_set_compute_device(" in script
    told = json.loads(ast.literal_eval(script.split("json.loads(")[1].split(")\n")[0]))
    assert (told["format"], told["samples"], told["width"], told["height"]) == ("JPEG", 7, 64, 48)
    assert told["device"] == "CPU"


@pytest.mark.parametrize("changed", [{"claim_wait_limit_s": 10}])
def test_a_request_is_held_in_the_hope_of_work(site):
    client = site.client()
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(client.ask)
        time.sleep(0.5)
        assert not asked.done()
        ordered = site.order()
        assert asked.result(30).job.id == ordered.id


def test_a_project_that_cannot_be_sent_uses_up_an_attempt(site, tmp_path):
    packed = tmp_path / "hostile.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("../scene.blend", b"BLENDER")
    ordered = site.order()
    job_input = site.farm.blobs.local_path(ordered.inputs["project"], tmp_path)
    job_input.chmod(0o644)
    job_input.write_bytes(packed.read_bytes())
    assert site.client().ask().status == 204
    assert [lease.state for lease in site.leases(ordered.id)] == [LeaseState.FAILED]


# downloads -----------------------------------------------------------------------------------------------------------


def test_both_archives_come_with_their_length_and_checksum(site):
    site.order()
    client = site.client()
    job = client.job()
    for archive, md5 in (("binary", job.renderer.md5), ("job", job.archive_md5)):
        answer = fetch(client, job, archive)
        assert answer.status_code == 200
        assert int(answer.headers["content-length"]) == len(answer.content)
        assert hashlib.md5(answer.content).hexdigest() == md5


def test_the_project_lies_where_the_job_says(site):
    site.order()
    client = site.client()
    job = client.job()
    with zipfile.ZipFile(io.BytesIO(fetch(client, job, "job").content)) as archive:
        assert archive.read(job.path) == b"BLENDER-v402"


def test_the_renderer_has_rend_exe_at_its_root(site):
    site.order()
    client = site.client()
    with zipfile.ZipFile(io.BytesIO(fetch(client, client.job(), "binary").content)) as archive:
        assert archive.read("rend.exe").startswith(b"#!/bin/sh\n")


def test_revisions_that_are_no_more_are_404(site):
    site.order()
    client = site.client("a")
    job = client.job()
    path = client.path("download-archive")
    assert client.http.get(f"{path}?type=job&job={job.id}&revision=0").status_code == 200
    assert client.http.get(f"{path}?type=job&job={job.id}&revision=1").status_code == 404


def test_a_burst_of_five_downloads_is_served(site):
    site.order()
    client = site.client()
    job = client.job()
    assert {fetch(client, job, "job").status_code for _ in range(5)} == {200}


def test_the_rust_client_finds_binary_and_chunks(site):
    site.order()
    client = site.client("c")
    job = client.job()
    binary = client.http.get(f"{client.path('download-binary')}?job={job.id}")
    assert hashlib.md5(binary.content).hexdigest() == job.renderer.md5
    parts = [client.http.get(f"{client.path('download-chunk')}?chunk={chunk.id}").content for chunk in job.chunks]
    assert [hashlib.md5(part).hexdigest() for part in parts] == [chunk.md5 for chunk in job.chunks]
    assert zipfile.is_zipfile(io.BytesIO(b"".join(parts)))


def test_other_peoples_projects_are_404(site):
    site.order()
    client, stranger = site.client("b"), site.client("c", account="mallory")
    job = client.job()
    assert fetch(stranger, job, "job").status_code == 404
    assert stranger.http.get(f"{stranger.path('download-chunk')}?chunk={job.chunks[0].id}").status_code == 404
    assert stranger.http.get(f"{stranger.path('download-binary')}?job={job.id}").status_code == 404
    assert client.http.get(f"/server/archive.php?type=job&job={job.id}").status_code == 404


@pytest.mark.parametrize("query", ["", "type=job", "type=job&job=9999999", "type=x&job=1000", "type=job&job=x"])
def test_downloads_that_make_no_sense_are_404(site, query):
    site.order()
    client = site.client()
    client.job()
    assert client.http.get(f"{client.path('download-archive')}?{query}").status_code == 404


# frames --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("era", ERAS)
def test_the_same_frame_twice_is_zero_and_paid_once(site, era):
    ordered = site.order()
    client = site.client(era)
    job = client.job()
    assert [client.send(job, site.picture()) for _ in range(2)] == [0, 0]
    assert len(site.results(ordered.id)) == 1
    assert balances(site.farm)["alice"] == site.tasks(ordered.id)[0].cost_ms


def test_a_frame_that_comes_after_its_lease_expired_counts(site, clock):
    ordered = site.order()
    client = site.client()
    job = client.job()
    clock.advance(5000)
    expire_leases(site.farm)
    assert client.send(job, site.picture()) == 0
    assert site.tasks(ordered.id)[0].state is TaskState.DONE


def test_a_frame_that_another_machine_has_made_meanwhile_is_zero(site, clock):
    ordered = site.order()
    slow, quick = site.client("a"), site.client("b")
    late = slow.job()
    clock.advance(5000)
    expire_leases(site.farm)
    assert quick.send(quick.job(), site.picture()) == 0
    assert slow.send(late, site.picture(0)) == 0
    assert {result.verdict for result in site.results(ordered.id)} == {Verdict.VALID}


@pytest.mark.parametrize("era", ERAS)
def test_frames_of_unknown_or_foreign_jobs_are_zero(site, era):
    ordered = site.order()
    client, other = site.client(era), site.client("b", "other", "mallory")
    job = other.job()
    foreign = replace(job, extras=client.path("logout").split("/")[2], validation_url=job.validation_url.replace(
        job.extras, client.path("logout").split("/")[2]))
    assert client.send(foreign, site.picture()) == 0
    unknown = replace(foreign, id=999_999, validation_url=foreign.validation_url.replace("job=1000", "job=999999"))
    assert client.send(unknown, site.picture()) == 0
    assert site.results(ordered.id) == []


@pytest.mark.parametrize(("era", "status"), [*((era, 0) for era in WEDGED), *((era, 301) for era in UNWEDGED)])
def test_a_broken_frame_is_301_unless_that_would_wedge_the_client(site, era, status):
    ordered = site.order(1, account="ann")
    client, other = site.client(era), site.client("b", "other", "bob")
    client_job = client.job()
    site.world.clock.advance(5000)
    expire_leases(site.farm)
    assert other.send(other.job(), site.picture(1)) == 0
    assert client.send(client_job, site.picture(2)) == status, "it differs from what the other machine made"
    assert site.results(ordered.id)[-1].verdict is Verdict.INVALID


@pytest.mark.parametrize("changed", [{"sheepit_seed_statuses": True}])
def test_the_seeds_statuses_may_be_had_by_a_setting(site):
    site.order()
    client, other = site.client("a"), site.client("b", "other", "bob")
    job = client.job()
    site.world.clock.advance(5000)
    expire_leases(site.farm)
    assert other.send(other.job(), site.picture(1)) == 0
    assert client.send(job, site.picture(2)) == 301


def test_an_invalid_frame_opens_its_task_again(site):
    ordered = site.order()
    client = site.client("a")
    assert client.send(client.job(), b"GIF89a nothing") == 302
    assert site.tasks(ordered.id)[0].state is TaskState.OPEN
    assert client.job().frame == "0001"


@pytest.mark.parametrize("era", ERAS)
def test_wrong_dimensions_are_308(site, era):
    site.order()
    client = site.client(era)
    assert client.send(client.job(), site.picture(width=32)) == 308


@pytest.mark.parametrize("changed", [{"result_limit_bytes": 5000}])
@pytest.mark.parametrize("era", ERAS)
def test_too_large_a_frame_is_306(site, era):
    ordered = site.order(frames=2)
    client = site.client(era)
    assert client.send(client.job(), b"x" * 5001) == 306
    assert client.send(client.job(), b"x" * 200_000) == 306
    assert {lease.state for lease in site.leases(ordered.id)} == {LeaseState.FAILED}


def validation(answer):
    assert answer.status_code == 200
    return wire.ValidationAnswer.from_xml(answer.content).status


@pytest.mark.parametrize(("era", "status"), [("a", 0), ("a2", 0), ("b", 300), ("c", 300)])
def test_missing_parameters_are_300_unless_that_would_wedge_the_client(site, era, status):
    site.order()
    client = site.client(era)
    client.job()
    assert validation(client.http.post(client.path("validate-job") + "?job=1000")) == status


def test_an_upload_that_breaks_off_is_303(site, multipart):
    site.order()
    client = site.client()
    job = client.job()
    body, content_type = multipart(site.picture())
    for cut in (body[:-20], body[:100], b""):
        answer = client.http.post(job.validation_url, content=cut, headers={"content-type": content_type})
        assert validation(answer) == 303
    assert client.send(job, site.picture()) == 0


def test_a_frame_of_an_unknown_session_is_304_and_0_where_its_boundary_tells_an_old_client(site, multipart, old):
    url = f"/s/{'0' * 32}/server/send_frame.php?job=1000&frame=0001"
    for boundary, status in ((None, 304), (old, 0)):
        body, content_type = multipart(b"x", boundary=boundary) if boundary else multipart(b"x")
        assert validation(site.http.post(url, content=body, headers={"content-type": content_type})) == status


def test_job_and_frame_may_come_as_parts_of_the_form(site):
    site.order()
    client = site.client()
    job = client.job()
    answer = client.http.post(client.path("validate-job"), data={"job": str(job.id), "frame": job.frame},
                              files={"file": ("x.png", site.picture(), "image/png")})
    assert validation(answer) == 0
    assert site.results(job.id)[0].verdict is Verdict.VALID


def test_what_the_client_told_is_kept_with_its_lease(site):
    ordered = site.order()
    client = site.client()
    client.send(client.job(), site.picture(), cores="3")
    told = story(site.farm, site.tasks(ordered.id)[0].id).leases[0].figures
    assert (told["seconds"], told["memory_kib"], told["cores"]) == (4, 223450, 3)
    assert told["era"] == "b"


# heartbeats ----------------------------------------------------------------------------------------------------------


def test_a_lease_lasts_1020_seconds_after_the_last_sign_of_life(site, clock):
    ordered = site.order()
    client = site.client()
    job = client.job()
    assert site.leases(ordered.id)[0].deadline_at == clock.now + 1020
    clock.advance(1000)
    assert client.beat(f"frame={job.frame}&job={job.id}&extras={job.extras}&rendertime=959&remainingtime=62") == 0
    assert site.leases(ordered.id)[0].deadline_at == clock.now + 1020


@pytest.mark.parametrize("changed", [{"sheepit_max_period_s": 1440}])
def test_a_lease_lasts_the_advertised_period_if_that_is_more(site, clock):
    ordered = site.order()
    client = site.client()
    client.job()
    assert site.leases(ordered.id)[0].deadline_at == clock.now + 1440


def test_the_rust_clients_heartbeat_names_no_task_and_keeps_it(site, clock):
    ordered = site.order()
    client = site.client("c")
    client.job()
    clock.advance(900)
    assert client.beat("paused=false") == 0
    assert site.leases(ordered.id)[0].deadline_at == clock.now + 1020


def test_a_frame_that_was_dropped_without_a_word_expires_though_its_client_lives_on(site, clock):
    ordered = site.order()
    client = site.client("c")
    client.job()
    before = site.leases(ordered.id)[0].deadline_at
    clock.advance(600)
    assert client.ask().status == 200
    clock.advance(300)
    client.beat("paused=false")
    assert site.leases(ordered.id)[0].deadline_at == before


def test_downloads_are_signs_of_life(site, clock):
    ordered = site.order()
    client = site.client("a")
    job = client.job()
    clock.advance(900)
    fetch(client, job, "binary")
    assert site.leases(ordered.id)[0].deadline_at == clock.now + 1020


def test_a_canceled_job_stops_its_renders_by_400(site):
    ordered = site.order()
    client = site.client()
    job = client.job()
    cancel_job(site.farm, site.world.account("ann"), ordered.id)
    assert client.beat(f"frame={job.frame}&job={job.id}") == 400


def test_an_expired_lease_goes_on_as_long_as_its_task_is_open(site, clock):
    site.order()
    slow, quick = site.client("a"), site.client("b")
    job = slow.job()
    clock.advance(2000)
    assert slow.beat(f"frame={job.frame}&job={job.id}") == 0
    expire_leases(site.farm)
    assert slow.beat(f"frame={job.frame}&job={job.id}") == 0
    quick.send(quick.job(), site.picture())
    assert slow.beat(f"frame={job.frame}&job={job.id}") == 400


@pytest.mark.parametrize("query", ["frame=0001&job=999999", "frame=0007&job=1000"])
def test_a_heartbeat_for_an_unknown_task_is_400(site, query):
    site.order()
    client = site.client()
    client.job()
    assert client.beat(query) == 400


# errors and the end --------------------------------------------------------------------------------------------------


def test_an_error_report_frees_its_task_at_once_and_keeps_the_log(site):
    ordered = site.order()
    client = site.client()
    job = client.job()
    assert client.report(f"type=12&frame={job.frame}&job={job.id}&render_time=-1&memoryused=0", b"crash!\n") == 0
    assert [lease.state for lease in site.leases(ordered.id)] == [LeaseState.FAILED]
    told = story(site.farm, site.tasks(ordered.id)[0].id).leases[0]
    assert "renderer crashed" in told.reason
    assert b"".join(open_blob(site.farm, told.log).chunks) == b"crash!\n"
    assert client.job().frame == job.frame


@pytest.mark.parametrize(("error", "state"), [
    ("9", LeaseState.RELEASED), ("20", LeaseState.RELEASED), ("22", LeaseState.RELEASED), ("8", LeaseState.FAILED),
    ("", LeaseState.FAILED), ("777", LeaseState.FAILED)])
def test_only_faults_of_the_task_use_up_an_attempt(site, error, state):
    ordered = site.order()
    client = site.client()
    job = client.job()
    client.report(f"type={error}&frame={job.frame}&job={job.id}")
    assert [lease.state for lease in site.leases(ordered.id)] == [state]


def test_type_zero_is_no_error(site):
    ordered = site.order()
    client = site.client("b22")
    job = client.job()
    assert client.report(f"type=0&frame={job.frame}&job={job.id}") == 0
    assert client.report("type=0") == 0
    assert [lease.state for lease in site.leases(ordered.id)] == [LeaseState.ACTIVE]


def test_an_error_report_without_any_parameter_frees_what_was_given_last(site):
    ordered = site.order(frames=2)
    client = site.client("a")
    client.job()
    client.job()
    assert client.report("", b"") == 0
    assert [lease.state for lease in site.leases(ordered.id)] == [LeaseState.ACTIVE, LeaseState.FAILED]


def test_error_reports_of_unknown_tasks_and_sessions_are_zero(site, multipart):
    client = site.client()
    assert client.report("type=12&frame=0001&job=999999") == 0
    assert client.report("type=&frame=x&job=y") == 0
    body, content_type = multipart(b"log")
    answer = site.http.post("/server/error.php?type=1", content=body, headers={"content-type": content_type})
    assert wire.ErrorAnswer.from_xml(answer.content).status == 0


@pytest.mark.parametrize("changed", [{"log_limit_bytes": 1000}])
def test_of_a_long_log_the_end_is_kept(site):
    ordered = site.order()
    client = site.client()
    job = client.job()
    client.report(f"type=12&frame={job.frame}&job={job.id}", b"x" * 300_000 + b"the end")
    told = story(site.farm, site.tasks(ordered.id)[0].id).leases[0]
    log = b"".join(open_blob(site.farm, told.log).chunks)
    assert len(log) == 1000
    assert log.endswith(b"xthe end")


def test_logout_frees_everything_at_once(site):
    ordered = site.order(frames=2)
    client, other = site.client("b"), site.client("c")
    client.job()
    client.job()
    assert other.ask().status == 200
    assert client.log_out().status_code == 200
    assert {lease.state for lease in site.leases(ordered.id)} == {LeaseState.RELEASED}
    assert other.ask().status == 0


# figures -------------------------------------------------------------------------------------------------------------


def test_figures_are_true(site):
    ordered = site.order(frames=3)
    client = site.client()
    client.send(client.job(), site.picture())
    answer = client.ask()
    cost_ms = site.tasks(ordered.id)[0].cost_ms
    assert answer.stats.frame_remaining == 2
    assert (answer.stats.waiting_project, answer.stats.renderable_project) == (1, 1)
    assert answer.stats.credits_session == answer.stats.credits_total == cost_ms // 1000
    earned = client.http.get(client.path("credits-earned"))
    assert earned.text == str(cost_ms // 1000)
    assert earned.headers["content-length"] == str(len(earned.content))


def test_another_session_of_the_machine_has_earned_nothing_yet(site):
    site.order(frames=2)
    client = site.client()
    client.send(client.job(), site.picture())
    client.log_in()
    assert client.ask().stats.credits_session == 0


def test_the_last_frame_comes_with_its_length(site):
    site.order()
    client = site.client("a")
    assert client.http.get(client.path("last-render-frame")).status_code == 404
    client.send(client.job(), site.picture(5))
    answer = client.http.get(client.path("last-render-frame"))
    assert answer.content == site.picture(5)
    assert answer.headers["content-length"] == str(len(answer.content))
    assert answer.headers["content-type"] == "image/png"


# hostile -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("query", [
    "job=" + "9" * 400, "job=-1&frame=-1", "job=1000&frame=" + quote("١٢٣"), "a=b&" * 300, "x=" + "y" * 60_000,
    "job=%00&frame=%ff%fe", "type=job&job=1000&revision=" + "9" * 30, "chunk=../../etc/passwd", "extras=%0d%0aX:1"])
def test_hostile_queries_are_never_a_fault_of_the_server(site, query):
    site.order()
    client = site.client()
    client.job()
    for path in [*client.paths.values(), "/server/config.php", "/account.php", *wire.LITERAL_PATHS]:
        for method in ("GET", "POST"):
            answer = client.http.request(method, f"{path}?{query}")
            assert answer.status_code in {200, 404}, (method, path)
        assert client.log_in().status == 0, "a logout may have ended the session"


@pytest.mark.parametrize(("content_type", "body"), [
    ("multipart/form-data", b"x"), ("multipart/form-data; boundary=", b"x"), ("multipart/form-data; boundary=a", b"x"),
    ("multipart/form-data; boundary=" + "b" * 5000, b"x"), ("multipart/form-data; boundary=é", b"--\xc3\xa9\r\n"),
    ("multipart/form-data; boundary=a", b"--a\r\n" + b"X: y\r\n" * 5000 + b"\r\n"),
    ("multipart/form-data; boundary=a", b"--a\r\n" + b"X" * 100_000),
    ("multipart/form-data; boundary=a", b"--a\r\nContent-Disposition: form-data; name=x\r\n\r\n" + b"z" * 100_000),
    ("multipart/form-data; boundary=a",
     b"--a\r\nContent-Disposition: form-data; name=\"f\xff\"\r\n\r\n\xff\r\n" * 80 + b"--a--"),
    ("multipart/form-data; boundary=a", b"--a\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\n\r\n--a--\r\n"),
    ("application/x-www-form-urlencoded", b"file=" + b"%ff" * 40_000), ("text/xml", b"<a>"), ("", b"\0" * 1000)])
def test_hostile_bodies_are_never_a_fault_of_the_server(site, content_type, body):
    site.order()
    client = site.client()
    job = client.job()
    for path in (job.validation_url, client.path("error"), client.path("validate-job"), client.path("request-job")):
        answer = client.http.post(path, content=body, headers={"content-type": content_type.encode("latin-1")})
        assert answer.status_code == 200, path
    assert {lease.state for lease in site.leases(job.id)} <= set(LeaseState)


def test_a_lying_content_length_is_refused(site):
    client = site.client()
    answer = client.http.post(client.path("validate-job"), content=b"x", headers={"content-length": "99999999999999"})
    assert validation(answer) == 306


def test_no_spool_file_is_left(site, multipart):
    site.order()
    client = site.client()
    job = client.job()
    client.send(job, b"no picture")
    body, content_type = multipart(site.picture())
    client.http.post(job.validation_url, content=body[:-20], headers={"content-type": content_type})
    fetch(client, job, "job")
    assert list(site.farm.spool_folder.glob("*")) == []


def test_the_farm_is_well_after_all_this(site):
    site.order(frames=4)
    client = site.client()
    client.send(client.job(), site.picture())
    client.report(f"type=12&frame=0002&job={client.job().id}")
    client.send(client.job(), b"no picture")
    client.log_out()
    assert site.world.findings() == []


def test_every_endpoint_has_its_literal_path(site):
    paths = {route.path for route in routes(site.farm) if hasattr(route, "path")}
    assert set(wire.LITERAL_PATHS) | {wire.CONFIG_PATH} <= paths
