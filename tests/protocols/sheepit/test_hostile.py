"""Figures that are true, and input that no client would send."""

from urllib.parse import quote

import pytest

from sheepfold.farm import outlook
from sheepfold.model.tasks import LeaseState
from sheepfold.protocols.sheepit import wire
from sheepfold.protocols.sheepit.endpoints import routes

ERAS = ("a0", "a", "a2", "b", "b22", "c")
WEDGED = ("a0", "a", "a2")
UNWEDGED = ("b", "b22", "c")
GOOD = {"login": "alice", "version": "6.20294.0", "os": "linux", "bits": "64bit"}


def fetch(client, job, archive):
    return client.http.get(f"{client.path('download-archive')}?type={archive}&job={job.id}")


# figures -------------------------------------------------------------------------------------------------------------


def test_figures_are_true(site, monkeypatch):
    monkeypatch.setattr(outlook, "SHARE", 0)  # of this moment, however long it took to look them up before
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


def validation(answer):
    assert answer.status_code == 200
    return wire.ValidationAnswer.from_xml(answer.content).status


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
