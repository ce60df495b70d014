"""What renders send: frames, heartbeats, errors and goodbyes, from clients of six eras."""

from dataclasses import replace

import pytest
from tests.conftest import balances

from sheepfold.farm.browse import story
from sheepfold.farm.dispatch import open_blob
from sheepfold.farm.orders import cancel_job
from sheepfold.farm.replacing import replace_input
from sheepfold.farm.upkeep import expire_leases
from sheepfold.model.tasks import LeaseState, TaskState, Verdict
from sheepfold.protocols.sheepit import wire

ERAS = ("a0", "a", "a2", "b", "b22", "c")
WEDGED = ("a0", "a", "a2")
UNWEDGED = ("b", "b22", "c")
GOOD = {"login": "alice", "version": "6.20294.0", "os": "linux", "bits": "64bit"}


def fetch(client, job, archive):
    return client.http.get(f"{client.path('download-archive')}?type={archive}&job={job.id}")


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
def test_a_frame_that_waited_for_its_upload_while_its_file_was_replaced_is_not_taken_for_one_of_the_new(site, era):
    ordered = site.order()
    client = site.client(era)
    old = client.job()
    scene = site.world.folder / "new.blend"
    scene.write_bytes(b"BLENDER-v402 new")
    replace_input(site.farm, site.world.account("ann"), ordered.id, "project", scene)
    new = client.job()
    assert (new.id, new.frame, new.revision) == (old.id, old.frame, "1")
    assert client.send(old, site.picture(1)) == 0
    assert site.results(ordered.id) == []
    assert client.send(new, site.picture(2)) == 0
    assert [result.verdict for result in site.results(ordered.id)] == [Verdict.VALID]
    assert client.send(old, site.picture(1)) == 0
    assert len(site.results(ordered.id)) == 1


@pytest.mark.parametrize("era", ERAS)
def test_frames_of_unknown_or_foreign_jobs_are_zero(site, era):
    ordered = site.order()
    client, other = site.client(era), site.client("b", "other", "mallory")
    job = other.job()
    token, own = wire.read_extras(job.extras)[0], client.path("logout").split("/")[2]
    foreign = replace(job, extras=job.extras.replace(token, own), validation_url=job.validation_url.replace(token, own))
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


@pytest.mark.parametrize("error", sorted(wire.KEPT_OFF_S))
def test_a_machine_that_cannot_or_will_not_render_a_project_gets_others(site, clock, error):
    blocked, open_ = site.order(frames=2), site.order()
    client, other = site.client("b"), site.client("b22")
    job = client.job()
    client.report(f"type={error}&frame={job.frame}&job={job.id}")
    assert client.job().id == open_.id
    assert client.ask().status == 200
    assert other.job().id == blocked.id, "for another machine it may be well"
    clock.advance(wire.KEPT_OFF_S[error])
    expire_leases(site.farm)
    again = site.client("b", "box-b")
    assert again.job().id == blocked.id


@pytest.mark.parametrize("error", ["", "8", "9", "12", "14", "22"])
def test_what_may_go_well_the_next_time_is_offered_again(site, error):
    site.order()
    client = site.client()
    job = client.job()
    client.report(f"type={error}&frame={job.frame}&job={job.id}")
    again = client.job()
    assert (again.id, again.frame) == (job.id, job.frame)


def asked_with(limit_s):
    return f"computemethod=1&cpu_cores=1&ram_max=24117248&rendertime_max={limit_s}"


def test_a_project_that_is_guessed_to_take_longer_than_the_client_may_is_not_offered(site):
    ordered = site.order(frames=3, samples=10_000)
    guess_s = site.tasks(ordered.id)[0].cost_ms // 1000
    client = site.client()
    assert client.ask(asked_with(guess_s - 1)).status == 200
    assert [lease.state for lease in site.leases(ordered.id)] == [LeaseState.RELEASED]
    short = site.order(samples=1)
    assert client.ask(asked_with(guess_s - 1)).job.id == short.id
    for limit_s in (-1, 0, guess_s + 1):
        assert site.client("b", f"box{limit_s}").ask(asked_with(limit_s)).job is not None


def test_what_frames_of_a_project_took_tells_more_than_the_guess(site):
    site.order(frames=4, samples=10_000)
    quick = site.client("b", "quick")
    assert quick.send(quick.job(), site.picture(), rendertime="7") == 0
    assert site.client("b", "hurried").ask(asked_with(6)).status == 200
    assert site.client("b", "patient").ask(asked_with(8)).job is not None


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


# screens -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("era", "engine", "has_job"), [
    ("a", "BLENDER_EEVEE", True), ("b", "CYCLES", True), ("b", "BLENDER_EEVEE", False),
    ("c", "BLENDER_WORKBENCH", False),
])
def test_a_client_without_a_screen_gets_no_frames_that_need_one(site, era, engine, has_job):
    site.order(engine=engine)
    assert (site.client(era).ask().job is not None) is has_job
