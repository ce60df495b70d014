"""A real farm and clients of six eras: every quirk of the note has its test here."""

import ast
import hashlib
import io
import json
import threading
import zipfile
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import text

from sheepfold.farm.accounts import revoke_keys
from sheepfold.farm.renderers import Target, add_local, remove_renderer
from sheepfold.model.errors import StoreUnavailable
from sheepfold.model.tasks import LeaseState, Verdict
from sheepfold.protocols.sheepit import endpoints, wire

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


# asking for jobs -----------------------------------------------------------------------------------------------------


def test_without_work_the_answer_is_200_with_figures(site):
    answer = site.client().ask()
    assert answer.status == 200
    assert answer.stats.connected_machine == 1


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


@pytest.fixture
def is_held(monkeypatch):
    """Say when a request has found no work, and is held."""
    begun, awaited = threading.Event(), endpoints._awaited

    def noted(*words):
        begun.set()
        return awaited(*words)

    monkeypatch.setattr(endpoints, "_awaited", noted)
    return begun


@pytest.mark.parametrize("changed", [{"claim_wait_limit_s": 60}])
def test_a_request_is_held_in_the_hope_of_work(site, is_held):
    client = site.client()
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(client.ask)
        assert is_held.wait(60)
        assert not asked.done()
        ordered = site.order()
        assert asked.result(60).job.id == ordered.id


@pytest.mark.parametrize("changed", [{"claim_wait_limit_s": 60}])
def test_a_request_that_is_held_gets_nothing_after_its_key_was_revoked(site, is_held):
    client = site.client()
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(client.ask)
        assert is_held.wait(60)
        revoke_keys(site.farm, "box-b")
        ordered = site.order()
        assert asked.result(60).status == wire.JobStatus.NO_RENDERING_RIGHT
    assert site.leases(ordered.id) == []


@pytest.mark.timeout(60)
@pytest.mark.parametrize("changed", [{"claim_wait_limit_s": 10_000}])
def test_a_request_is_held_no_longer_when_the_server_ends(site):
    client = site.client()
    site.farm.closing.set()
    assert client.ask().status == wire.JobStatus.NO_JOB


def test_a_project_that_cannot_be_sent_uses_up_an_attempt(site, tmp_path):
    packed = tmp_path / "hostile.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("../scene.blend", b"BLENDER")
    ordered = site.order()
    job_input = site.farm.blobs.local_path(ordered.inputs["project"], tmp_path)
    job_input.chmod(0o644)
    job_input.write_bytes(packed.read_bytes())
    site.farm.db.write(lambda tx: tx.execute(text("DELETE FROM archives")))  # as in a farm that made them when asked
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


@pytest.mark.parametrize("query", ["", "type=job", "type=job&job=9999999", "type=x&job=1000", "type=job&job=x"])
def test_downloads_that_make_no_sense_are_404(site, query):
    site.order()
    client = site.client()
    client.job()
    assert client.http.get(f"{client.path('download-archive')}?{query}").status_code == 404
