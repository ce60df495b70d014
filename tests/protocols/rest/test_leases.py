"""Leases over the wire: the whole way of a picture, and every way it may go wrong."""

import base64
import hashlib
import re
import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from sheepfold.farm.accounts import revoke_keys
from sheepfold.farm.upkeep import expire_leases
from sheepfold.store import accounts as account_rows

ASKED = {"abilities": {"kinds": ["flame"], "renderers": [{"name": "flam3"}], "memory_mib": 8192}}
BODIES = {"/v1/sessions": ASKED, "/v1/flock/{number}/votes": {"value": 1}}


def claimed(site, headers):
    answer = site.http.post("/leases", headers=headers)
    assert answer.status_code == 201, answer.text
    return answer.json()


def test_whole_way_of_a_picture(site):
    job = site.order(site.client())
    me = site.session()
    lease = claimed(site, me)
    assert lease["job"] == job
    assert lease["kind"] == "flame"
    assert lease["term_s"] == site.farm.settings.lease_term_s
    assert lease["inputs"] == {"genome": hashlib.sha256(site.genome.read_bytes()).hexdigest()}

    own = site.http.get(f"/leases/{lease['lease']}/input", headers=me)
    assert own.content.count(b"<flame") == 3
    assert own.headers["etag"].strip('"') == hashlib.sha256(own.content).hexdigest()
    assert int(own.headers["content-length"]) == len(own.content)
    genome = site.http.get(f"/leases/{lease['lease']}/inputs/genome", headers=me)
    assert genome.content == site.genome.read_bytes()

    site.clock.now += 100
    beat = site.http.post(f"/leases/{lease['lease']}/heartbeat", headers=me, json={"seconds_done": 100})
    assert beat.json()["deadline_at"] == lease["deadline_at"] + 100

    sent = site.http.put(f"/leases/{lease['lease']}/result", headers=me, content=site.picture(),
                         params={"render_time_s": 3, "memory_kib": 4, "cores": 2})
    assert sent.status_code == 200, sent.text
    assert sent.json()["verdict"] == "valid"
    assert sent.json()["task_state"] == "done"

    story = site.http.get(f"/tasks/{lease['task']}/story", headers=me).json()
    assert story["leases"][0]["figures"] == {"cores": 2, "memory_kib": 4, "render_time_s": 3, "seconds_done": 100}
    assert "credit earned" in [event["what"] for event in story["events"]]
    assert site.http.get(f"/tasks/{lease['task']}/picture", headers=me).content == site.picture()


def test_no_work_is_204_with_a_time_to_come_back(site):
    answer = site.http.post("/leases", headers=site.session())
    assert answer.status_code == 204
    assert int(answer.headers["retry-after"]) == site.farm.settings.retry_s


def test_held_request_is_woken_by_an_order(site):
    client, me = site.client(), site.session()
    answers = []
    waiting = threading.Thread(target=lambda: answers.append(
        site.http.post("/leases", headers=me, json={"wait_s": 30})))
    waiting.start()
    site.somebody_waits()
    job = site.order(client)
    waiting.join(60)
    assert answers[0].status_code == 201
    assert answers[0].json()["job"] == job


def test_client_that_went_away_while_it_waited_gets_no_lease(site):
    client, me = site.client(), site.session()
    line = socket.create_connection(("127.0.0.1", httpx.URL(site.url).port))
    body = b'{"wait_s": 30}'
    line.sendall(b"POST /api/v1/leases HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                 b"Authorization: %s\r\nContent-Length: %d\r\n\r\n%s"
                 % (me["Authorization"].encode(), len(body), body))
    site.somebody_waits()
    line.close()
    job = site.order(client)
    site.nobody_waits()
    assert client.job(job).tasks[0].active_leases == 0


@pytest.mark.parametrize("end", [
    lambda site, me: revoke_keys(site.farm, "box"), lambda site, me: site.http.delete("/sessions/current", headers=me),
], ids=["its key", "its session"])
def test_held_request_gets_nothing_after_its_key_or_session(site, end):
    client, me = site.client(), site.session()
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(site.http.post, "/leases", headers=me, json={"wait_s": 30})
        site.somebody_waits()
        end(site, me)
        job = site.order(client)
        answer = asked.result(60)
    assert (answer.status_code, answer.json()["type"]) == (401, "/api/docs#session-ended")
    assert client.job(job).tasks[0].active_leases == 0


def test_held_request_ends_when_its_time_is_up(site):
    assert site.http.post("/leases", headers=site.session(), json={"wait_s": 1}).status_code == 204


def test_a_request_whose_answer_was_lost_gets_its_lease_by_asking_again(site):
    site.order(site.client(), frames=3)
    me, asked = site.session(), {"name": "first"}
    lost = site.http.post("/leases", headers=me, json=asked).json()
    other = claimed(site, me)
    site.clock.now += 60
    again = site.http.post("/leases", headers=site.session(), json={**asked, "again": True})  # in a new session, too
    assert (again.status_code, again.json()) == (201, {**lost, "deadline_at": lost["deadline_at"] + 60})
    for odd in ({"name": "second", "again": True}, {"again": True}):
        answer = site.http.post("/leases", headers=me, json=odd)
        assert answer.status_code in {201, 204}
        assert answer.status_code == 204 or answer.json()["lease"] not in {lost["lease"], other["lease"]}


def test_a_lease_that_is_held_no_more_is_not_granted_by_asking_again(site):
    site.order(site.client())
    me, asked = site.session(), {"name": "first", "wait_s": 0}
    lost = site.http.post("/leases", headers=me, json=asked).json()
    assert site.http.post("/leases", headers=site.session("other"), json={**asked, "again": True}).status_code == 204
    assert site.http.delete(f"/leases/{lost['lease']}", headers=me).status_code == 204
    again = site.http.post("/leases", headers=me, json={**asked, "again": True})
    assert (again.status_code, again.json()["task"], again.json()["lease"]) == (201, lost["task"], lost["lease"] + 1)


def test_abilities_of_a_request_override_those_of_the_session(site):
    site.order(site.client())
    me = site.session()
    assert site.http.post("/leases", headers=me, json={"abilities": {"kinds": ["blender"]}}).status_code == 204
    assert site.http.post("/leases", headers=me, json=ASKED).status_code == 201


@pytest.mark.parametrize("authorization", [None, "Bearer wrong", "Bearer", "Basic Zm9vOmJhcg==", b"Bearer \xff"])
def test_without_a_key_nothing_opens(site, authorization):
    headers = {} if authorization is None else {"Authorization": authorization}
    document = site.http.get(f"{site.url}/api/openapi.json").json()
    for path, operations in document["paths"].items():
        for method in operations:
            address = site.url + "/api" + re.sub(r"{\w+}", "1", path)
            answer = site.http.request(method, address, headers=headers, json=BODIES.get(path))
            assert answer.status_code == 401, (method, address, answer.text)
            assert answer.headers["www-authenticate"] == "Bearer"
            assert answer.headers["content-type"] == "application/problem+json"


def test_ended_session_opens_nothing_and_gives_its_lease_back(site):
    site.order(site.client())
    me = site.session()
    claimed(site, me)
    assert site.http.delete("/sessions/current", headers=me).status_code == 204
    assert site.http.post("/leases", headers=me).status_code == 401
    claimed(site, site.session("other"))


def test_session_ends_with_its_key(site):
    me = site.session("box")
    assert revoke_keys(site.farm, "box") == 1
    answer = site.http.post("/leases", headers=me)
    assert answer.status_code == 401
    assert answer.json()["type"].endswith("#session-ended")


def test_suspended_machine_is_told_so(site):
    site.order(site.client())
    me = site.session("box")
    machine = account_rows.machine_named
    site.farm.db.write(lambda tx: account_rows.suspend_machine(tx, machine(tx, "box").id, 1))
    answer = site.http.post("/leases", headers=me)
    assert (answer.status_code, answer.json()["type"]) == (403, "/api/docs#machine-suspended")


def test_same_picture_again_gets_the_same_receipt(site):
    site.order(site.client())
    me = site.session()
    path = f"/leases/{claimed(site, me)['lease']}/result"
    first, again = (site.http.put(path, headers=me, content=site.picture()) for _ in range(2))
    assert first.json() == again.json()
    assert again.status_code == 200
    other = site.http.put(path, headers=me, content=site.picture(1))
    assert (other.status_code, other.json()["type"]) == (409, "/api/docs#lease-not-held")


def test_bad_picture_is_422_with_its_receipt_each_time(site):
    site.order(site.client())
    me = site.session()
    path = f"/leases/{claimed(site, me)['lease']}/result"
    for _ in range(2):
        answer = site.http.put(path, headers=me, content=site.picture(0, 8, 8))
        problem = answer.json()
        assert (answer.status_code, problem["type"]) == (422, "/api/docs#wrong-dimensions")
        assert problem["receipt"]["verdict"] == "invalid"
        assert "8" in problem["detail"]


def test_rubbish_is_an_undecodable_picture(site):
    site.order(site.client())
    me = site.session()
    answer = site.http.put(f"/leases/{claimed(site, me)['lease']}/result", headers=me, content=b"rubbish")
    assert (answer.status_code, answer.json()["type"]) == (422, "/api/docs#undecodable-picture")


def test_result_of_two_waits_for_another_machine(site):
    site.order(site.client(), quorum=2)
    me, other = site.session("one"), site.session("two", "walt")
    first = site.http.put(f"/leases/{claimed(site, me)['lease']}/result", headers=me, content=site.picture())
    assert (first.status_code, first.json()["verdict"]) == (200, "pending")
    second = site.http.put(f"/leases/{claimed(site, other)['lease']}/result", headers=other, content=site.picture())
    assert second.json()["verdict"] == "valid"


def test_late_result_is_taken(site):
    site.order(site.client())
    me = site.session()
    lease = claimed(site, me)
    site.clock.now += site.farm.settings.lease_term_s + 1
    assert expire_leases(site.farm) == 1
    late = site.http.post(f"/leases/{lease['lease']}/heartbeat", headers=me)
    assert (late.status_code, late.json()["type"]) == (409, "/api/docs#lease-not-held")
    sent = site.http.put(f"/leases/{lease['lease']}/result", headers=me, content=site.picture())
    assert sent.json()["verdict"] == "valid"


def test_heartbeat_learns_that_the_job_was_canceled_and_the_picture_is_still_paid(site):
    client = site.client()
    job = site.order(client)
    me = site.session()
    lease = claimed(site, me)
    client.cancel(job)
    assert site.http.post(f"/leases/{lease['lease']}/heartbeat", headers=me).status_code == 409
    sent = site.http.put(f"/leases/{lease['lease']}/result", headers=me, content=site.picture())
    assert (sent.status_code, sent.json()["verdict"]) == (200, "valid")


@pytest.mark.parametrize(("method", "path"), [
    ("GET", "/input"), ("GET", "/inputs/genome"), ("POST", "/heartbeat"), ("PUT", "/result"), ("DELETE", "")])
def test_lease_of_another_machine_is_not_found(site, method, path):
    site.order(site.client())
    lease = claimed(site, site.session())
    stranger = site.session("other", "walt")
    answer = site.http.request(method, f"/leases/{lease['lease']}{path}", headers=stranger)
    assert (answer.status_code, answer.json()["type"]) == (404, "/api/docs#unknown-lease")
    assert answer.json()["lease"] == str(lease["lease"])


def test_ids_that_name_nothing_are_not_found(site):
    me = site.session()
    for lease in ("0", "-1", "9" * 24, str(2**63), str(2**63 - 1), "x", "1%00", "1.5", "1e3", "%F0%9F%90%91", "%ff"):
        assert site.http.get(f"/leases/{lease}/input", headers=me).status_code == 404
        assert site.http.delete(f"/leases/{lease}", headers=me).status_code == 404


@pytest.mark.parametrize("announce", [True, False])
def test_body_above_the_limit_is_refused(site, announce):
    site.order(site.client())
    me = site.session()
    path = f"/leases/{claimed(site, me)['lease']}/result"
    body = b"x" * 300_000
    answer = site.http.put(path, headers=me, content=body if announce else iter([body]))
    assert (answer.status_code, answer.json()["type"]) == (413, "/api/docs#too-large")
    assert list(site.farm.spool_folder.glob("spool-*")) == []


def sha256_member(body):
    return f"sha-256=:{base64.b64encode(hashlib.sha256(body).digest()).decode()}:"


@pytest.mark.parametrize("headers", [
    {"X-Sha256": hashlib.sha256(b"other").hexdigest()}, {"Content-Digest": sha256_member(b"other")}])
def test_body_that_was_damaged_on_its_way_is_no_result(site, headers):
    site.order(site.client())
    me = site.session()
    path = f"/leases/{claimed(site, me)['lease']}/result"
    answer = site.http.put(path, headers=me | headers, content=site.picture())
    assert (answer.status_code, answer.json()["type"]) == (400, "/api/docs#incomplete-upload")
    good = {"Content-Digest": sha256_member(site.picture())}
    assert site.http.put(path, headers=me | good, content=site.picture()).json()["verdict"] == "valid"


@pytest.mark.parametrize("query", ["cores=-1", "cores=x", "render_time_s=99999999999999999999", "unknown=1"])
def test_figures_that_make_no_sense_are_named(site, query):
    site.order(site.client())
    me = site.session()
    answer = site.http.put(f"/leases/{claimed(site, me)['lease']}/result?{query}", headers=me, content=site.picture())
    assert answer.status_code == 400
    assert answer.json()["faults"][0]["where"].startswith("query.")


def test_failed_lease_keeps_the_end_of_its_log(site):
    site.order(site.client())
    me = site.session()
    lease = claimed(site, me)
    log = b"".join(b"line %d\n" % i for i in range(1000))
    path = f"/leases/{lease['lease']}"
    asked = {"reason": "flam3 crashed", "failed": "true"}
    answer = site.http.request("DELETE", path, headers=me, params=asked, content=log)
    assert (answer.status_code, answer.content) == (204, b"")
    told = site.http.get(f"/tasks/{lease['task']}/story", headers=me).json()["leases"][0]
    assert (told["state"], told["reason"]) == ("failed", "flam3 crashed")
    kept = b"".join(site.farm.blobs.open_stream(told["log"]))
    assert kept == log[-site.farm.settings.log_limit_bytes:]


def test_released_lease_opens_its_task_for_others(site):
    site.order(site.client())
    me = site.session()
    lease = claimed(site, me)
    for _ in range(2):
        assert site.http.delete(f"/leases/{lease['lease']}", headers=me).status_code == 204
    assert claimed(site, site.session("other"))["task"] == lease["task"]


def test_unknown_input_is_not_found(site):
    site.order(site.client())
    me = site.session()
    lease = claimed(site, me)["lease"]
    assert site.http.get(f"/leases/{lease}/inputs/other", headers=me).json()["type"] == "/api/docs#unknown-blob"
    assert site.http.get(f"/leases/{lease}/inputs/..%2F..", headers=me).status_code == 404


def test_input_that_the_client_has_is_not_sent_again(site):
    site.order(site.client())
    me = site.session()
    lease = claimed(site, me)
    tag = f'"{lease["inputs"]["genome"]}"'
    answer = site.http.get(f"/leases/{lease['lease']}/inputs/genome", headers=me | {"If-None-Match": tag})
    assert (answer.status_code, answer.content) == (304, b"")


def test_large_json_is_refused(site):
    key = site.key("vera", "box")
    large = {"abilities": {"kinds": ["x" * 100_000]}}
    for content in ({"json": large}, {"content": iter([b'{"abilities": ' + b" " * 100_000])}):
        headers = site.bearer(key) | {"Content-Type": "application/json"}
        answer = site.http.post("/sessions", headers=headers, **content)
        assert (answer.status_code, answer.json()["type"]) == (413, "/api/docs#too-large")


NONSENSE = (
    b"", b"nonsense", b"[]", b"{}", b'{"abilities": {"kinds": []}}', b'{"abilities": {"kinds": ["a\\u0000b"]}}',
    b'{"abilities": {"kinds": ["\\ud800"]}}', b'{"abilities": {"kinds": ["a"], "memory_mib": 1e999}}',
    b'{"abilities": {"kinds": ["a"], "memory_mib": NaN}}', b'{"abilities": {"kinds": ["a"]}, "more": 1}',
    b'{"abilities": ' + b"[" * 10_000, b"\xff\xfe", b'{"abilities": {"kinds": [' + b"9" * 5000 + b"]}}",
)


def test_abilities_that_make_no_sense_are_refused(site):
    headers = site.bearer(site.key("vera", "box")) | {"Content-Type": "application/json"}
    for body in NONSENSE:
        answer = site.http.post("/sessions", headers=headers, content=body)
        assert answer.status_code == 400, body
        assert answer.headers["content-type"] == "application/problem+json"
