"""The client against a real farm, and against servers that are none."""

import hashlib
import http.server
import re
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import httpx
import pytest

from sheepfold import client as face
from sheepfold.farm.accounts import revoke_keys
from sheepfold.farm.upkeep import expire_leases
from sheepfold.model.accounts import Role
from sheepfold.model.jobs import JobState
from sheepfold.model.matching import Abilities, Program
from sheepfold.protocols.link import FarmRefused, FarmUnreachable, Figures, Link, Receipt
from sheepfold.protocols.rest.calls import FarmProblem
from sheepfold.protocols.rest.client import FarmClient, RestLink, open_link

FIGURES = Figures(1, 2, 3)


@pytest.fixture
def picture(site, tmp_path):
    path = tmp_path / "picture.png"
    path.write_bytes(site.picture())
    return path


def test_worker_makes_a_picture(site, tmp_path, picture):
    client = site.client()
    job = site.order(client)
    link: Link = site.link()
    work = link.claim(site.abilities)
    assert (work.kind, work.frame, work.term_s) == ("flame", 0, site.farm.settings.lease_term_s)
    link.fetch_input(work, "genome", tmp_path / "genome")
    assert hashlib.sha256((tmp_path / "genome").read_bytes()).hexdigest() == work.inputs["genome"]
    assert link.fetch_task_input(work, tmp_path / "own")
    assert b"<flame" in (tmp_path / "own").read_bytes()
    assert link.heartbeat(work, 5)
    assert link.submit(work, picture, FIGURES) is Receipt.ACCEPTED
    assert link.submit(work, picture, FIGURES) is Receipt.ACCEPTED
    assert client.job(job).tasks_done == 1
    assert link.claim(site.abilities) is None


def test_task_without_a_file_of_its_own_has_none(site, tmp_path):
    site.client().order("screenshot", {"url": "http://127.0.0.1/", "browsers": ["Firefox"], "widths": [800]})
    link = site.link()
    assert link.claim(site.abilities) is None
    browser = frozenset({Program("Firefox", "128.0")})
    work = link.claim(replace(site.abilities, kinds=frozenset({"screenshot"}), browsers=browser))
    assert (work.kind, work.inputs) == ("screenshot", {})
    assert not link.fetch_task_input(work, tmp_path / "own")
    assert list(tmp_path.glob("own*")) == []


def test_refused_picture_is_refused(site, tmp_path):
    site.order(site.client())
    link = site.link()
    (tmp_path / "bad").write_bytes(b"bad")
    assert link.submit(link.claim(site.abilities), tmp_path / "bad", FIGURES) is Receipt.REFUSED


def test_picture_that_is_too_large_is_refused(site, tmp_path):
    site.order(site.client())
    link = site.link()
    (tmp_path / "large").write_bytes(b"x" * 300_000)
    assert link.submit(link.claim(site.abilities), tmp_path / "large", FIGURES) is Receipt.REFUSED


def test_second_picture_for_a_lease_is_unwanted(site, tmp_path, picture):
    site.order(site.client())
    link = site.link()
    work = link.claim(site.abilities)
    link.submit(work, picture, FIGURES)
    (tmp_path / "other").write_bytes(site.picture(1))
    assert link.submit(work, tmp_path / "other", FIGURES) is Receipt.UNWANTED


def test_canceled_job_wants_no_more_heartbeats(site):
    client = site.client()
    job = site.order(client)
    link = site.link()
    work = link.claim(site.abilities)
    client.cancel(job)
    assert not link.heartbeat(work, 1)


def test_late_picture_is_accepted(site, picture):
    site.order(site.client())
    link = site.link()
    work = link.claim(site.abilities)
    site.clock.now += 10_000
    expire_leases(site.farm)
    assert not link.heartbeat(work, 1)
    assert link.submit(work, picture, FIGURES) is Receipt.ACCEPTED


def test_lease_is_given_back_with_its_log(site, tmp_path):
    client = site.client()
    site.order(client)
    link = site.link()
    work = link.claim(site.abilities)
    (tmp_path / "log").write_bytes(b"head " + b"x" * 150_000 + b" tail")
    link.give_up(work, "It broke:\nbadly \x00" + "!" * 1000, tmp_path / "log", failed=True)
    lease, = client.story(client.job(client.jobs().jobs[0].id).tasks[0].id).leases
    assert (lease.state, lease.reason[:16]) == ("failed", "It broke: badly ")
    assert b"".join(site.farm.blobs.open_stream(lease.log)).endswith(b" tail")
    link.give_up(work, "again", None, failed=False)


def test_forgotten_session_is_opened_anew(site, picture):
    site.order(site.client())
    link = site.link()
    work = link.claim(site.abilities)
    site.http.delete("/sessions/current", headers=site.bearer(link._calls.token))
    assert link.submit(work, picture, FIGURES) is Receipt.ACCEPTED


def test_revoked_key_is_refused(site):
    link = site.link("box")
    revoke_keys(site.farm, "box")
    with pytest.raises(FarmRefused):
        link.claim(site.abilities)


@pytest.mark.parametrize("key", ["wrong", "", "schlüssel", "a b", "x" * 5000])
def test_wrong_key_is_refused(site, tmp_path, key):
    link = open_link(site.url, key, tmp_path, "test/1")
    with pytest.raises(FarmRefused):
        link.open(site.abilities)
    link.close()


def test_closed_link_has_given_its_lease_back(site):
    client = site.client()
    job = site.order(client)
    link = site.link()
    link.claim(site.abilities)
    link.close()
    assert client.job(job).tasks[0].active_leases == 0


def test_farm_that_is_away_is_unreachable(site, tmp_path):
    link = RestLink("http://127.0.0.1:9", "key", "test/1", pause=lambda _: None)
    with pytest.raises(FarmUnreachable):
        link.open(site.abilities)
    link.close()
    for url in ("nonsense", "http://", "gopher://x"):
        with FarmClient(url, "key", pause=lambda _: None) as client, pytest.raises(FarmUnreachable):
            client.jobs()


def test_order_that_makes_no_sense_tells_why(site):
    client = site.client()
    with pytest.raises(FarmProblem, match="needs a genome"):
        client.order("flame", {})
    with pytest.raises(FarmProblem, match="title"):
        client.order("flame", {}, title="x" * 1000)


def test_volunteer_may_not_order(site):
    with pytest.raises(FarmRefused, match="scope"):
        site.order(site.client("vic", Role.VOLUNTEER))


def test_products_are_downloaded_once(site, tmp_path):
    client = site.client()
    job = site.rendered(site.order(client, frames=2), client)
    paths = client.download(job.id, tmp_path / "films")
    assert {path.name for path in paths} == {product.name for product in job.products}
    for product in job.products:
        assert hashlib.sha256((tmp_path / "films" / product.name).read_bytes()).hexdigest() == product.digest
    marks = {path: path.stat().st_mtime_ns for path in paths}
    (tmp_path / "films" / "film.mp4").write_bytes(b"half")
    client.download(job.id, tmp_path / "films")
    assert {path for path in paths if path.stat().st_mtime_ns != marks[path]} == {tmp_path / "films" / "film.mp4"}
    assert (tmp_path / "films" / "film.mp4").stat().st_size > 4


def test_waiting_tells_of_every_change_and_ends_with_the_job(site):
    client = site.client()
    job = site.order(client)
    told = []

    def change(detail):
        told.append(detail.state)
        if len(told) == 1:
            site.rendered(job, site.client("bob"))

    assert client.wait(job, change).is_finished
    assert told == ["running", "done"]
    assert client.wait(site.order(client), timeout_s=0).state == "running"


class Odd(http.server.BaseHTTPRequestHandler):
    """A server that is no farm: it answers as its class says."""

    status, headers_out, body = 200, {}, b""
    asked = 0

    def do_GET(self):
        type(self).asked += 1
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(self.status)
        for name, value in self.headers_out.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(self.body)

    do_POST = do_PUT = do_DELETE = do_GET  # noqa: N815 - the names are the library's

    def log_message(self, *_):
        pass


@pytest.fixture
def odd():
    class Handler(Odd):
        pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    Handler.url = f"http://127.0.0.1:{server.server_port}"
    yield Handler
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(("status", "headers", "body"), [
    (200, {}, b"<html>"), (200, {}, b""), (200, {"Content-Length": "99"}, b"{"), (404, {}, b"<html>"),
    (302, {"Location": "/login"}, b""), (500, {}, b""), (502, {}, b"\xff"), (503, {"Retry-After": "x"}, b""),
    (429, {"Retry-After": "5"}, b""), (200, {"Content-Encoding": "gzip"}, b"rubbish"), (405, {}, b""),
])
def test_what_is_no_farm_is_unreachable(odd, status, headers, body):
    odd.status, odd.headers_out, odd.body = status, headers, body
    client = FarmClient(odd.url, "key", pause=lambda _: None)
    with pytest.raises(FarmUnreachable):
        client.jobs()
    link = RestLink(odd.url, "key", "test/1", pause=lambda _: None)
    with pytest.raises(FarmUnreachable):
        link.open(Abilities(kinds=frozenset({"flame"})))
    client.close()
    link.close()


def test_reading_and_ordering_are_tried_three_times(odd):
    odd.status = 503
    with FarmClient(odd.url, "key", pause=lambda _: None) as client:
        with pytest.raises(FarmUnreachable):
            client.jobs()
        assert odd.asked == 3
        with pytest.raises(FarmUnreachable):
            client.order("flame", {})
        assert odd.asked == 6


def test_farm_that_wishes_long_quiet_gets_it(odd):
    odd.status, odd.headers_out = 503, {"Retry-After": "600"}
    with FarmClient(odd.url, "key", pause=lambda _: None) as client:
        with pytest.raises(FarmUnreachable) as caught:
            client.jobs()
        assert (odd.asked, caught.value.retry_after_s) == (1, 600)


def test_half_a_download_leaves_nothing(odd, tmp_path):
    odd.headers_out, odd.body = {"Content-Length": "99"}, b"half"
    with FarmClient(odd.url, "key", pause=lambda _: None) as client, pytest.raises(FarmUnreachable):
        client.download_picture(1, tmp_path / "picture")
    assert list(tmp_path.iterdir()) == []


def test_damaged_download_leaves_nothing(odd, tmp_path):
    odd.headers_out, odd.body = {"ETag": f'"{"0" * 64}"'}, b"damaged"
    with FarmClient(odd.url, "key", pause=lambda _: None) as client, pytest.raises(FarmUnreachable, match="digest"):
        client.download_picture(1, tmp_path / "picture")
    assert list(tmp_path.iterdir()) == []


def test_product_with_the_name_of_a_path_is_not_written(site, tmp_path, odd):
    client = site.client()
    job = site.rendered(site.order(client), client)
    evil = job.model_copy(update={"products": [job.products[0].model_copy(update={"name": "../evil"})]})
    odd.body = evil.model_dump_json().encode()
    with FarmClient(odd.url, "key", pause=lambda _: None) as liar, pytest.raises(FarmUnreachable, match="evil"):
        liar.download(job.id, tmp_path / "films")
    assert not (tmp_path / "evil").exists()


def test_key_is_not_sent_where_a_redirect_points(odd):
    odd.status, odd.headers_out = 307, {"Location": odd.url + "/elsewhere"}
    with FarmClient(odd.url, "key", pause=lambda _: None) as client, pytest.raises(FarmUnreachable, match="points to"):
        client.vote(1, 1)
    assert odd.asked == 1


def test_client_carries_no_server_along():
    code = (
        "import sys, sheepfold.protocols.rest.client; "
        "print([m for m in sys.modules if m.split('.')[0] in {'starlette', 'fastapi', 'uvicorn', 'sqlalchemy'} "
        "or m.startswith(('sheepfold.farm', 'sheepfold.store', 'sheepfold.blobs'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_proxies_of_the_environment_are_obeyed(odd, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", odd.url)
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    odd.body = b'{"jobs": []}'
    with FarmClient("http://farm.invalid", "key", pause=lambda _: None) as client:
        assert client.jobs().jobs == []
    assert httpx.URL(odd.url).port


def test_the_examples_of_the_client_work_as_they_are_written(site, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "coral.flam3").write_bytes(site.genome.read_bytes())
    examples = re.findall(r"```python\n(.*?)```", face.__doc__, re.DOTALL)
    known = {"http://localhost:8470": site.url, "0123…": site.key("ann", "desk"),
             '{"frames": 160}': '{"frames": 2, "width": 32, "height": 32, "quality": 1, "temporal_samples": 1}'}
    farmer = site.client("bob")
    with ThreadPoolExecutor(1) as thread:
        for example in examples:
            for written, here in known.items():
                example = example.replace(written, here)  # noqa: PLW2901
            running = thread.submit(exec, compile(example, "example", "exec"), {})
            while not running.done():
                for job in farmer.jobs().jobs:
                    if job.state is JobState.RUNNING:
                        site.rendered(job.id, farmer)
                time.sleep(0.05)
            running.result()
    told = capsys.readouterr().out
    for said in ("points", "2 of 2", "film.mp4", "1 job ordered 1000", "404 ", "manage"):
        assert said in told
