"""Jobs over the wire: orders, pages, cancels, products and stories."""

import io
import json
import sys
import zipfile

import pytest
from tests.disks import small_disk

from sheepfold.kinds.blender import home
from sheepfold.model.accounts import Role
from sheepfold.model.jobs import Terms
from sheepfold.protocols.link import FarmRefused
from sheepfold.protocols.rest.calls import FarmProblem

BOUNDARY = "sheep"


def form(*parts, end=True):
    """Write a form of (headers, body) parts by hand."""
    body = b"".join(b"--sheep\r\n" + headers + b"\r\n\r\n" + data + b"\r\n" for headers, data in parts)
    return body + (b"--sheep--\r\n" if end else b"")


def part(name, data=b"", more=b""):
    return b'Content-Disposition: form-data; name="' + name + b'"; filename="f"' + more, data


ORDER = part(b"order", b'{"kind": "flame", "spec": {"frames": 1, "width": 16, "height": 16, "temporal_samples": 1}}')


def post(site, body, key=None, media_type="multipart/form-data; boundary=sheep"):
    headers = site.bearer(key or site.key("ann", "desk")) | {"Content-Type": media_type}
    return site.http.post("/jobs", headers=headers, content=body)


def test_job_is_ordered_and_looked_at(site):
    client = site.client()
    job = client.job(site.order(client, quorum=2, frames=3))
    assert (job.kind, job.title, job.account, job.state) == ("flame", "tiny", "ann", "running")
    assert (job.quorum, job.tasks_total, job.tasks_done) == (2, 3, 0)
    assert [(task.frame, task.part, task.openings) for task in job.tasks] == [(0, 0, 2), (1, 0, 2), (2, 0, 2)]
    assert job.sheep is not None
    assert list(job.inputs) == ["genome"]


def test_order_answers_with_its_address(site):
    answer = post(site, form(ORDER, part(b"genome", site.genome.read_bytes())))
    assert answer.status_code == 201, answer.text
    assert answer.headers["location"] == f"/api/v1/jobs/{answer.json()['id']}"


def test_files_may_come_before_the_order(site):
    assert post(site, form(part(b"genome", site.genome.read_bytes()), ORDER)).status_code == 201


@pytest.mark.parametrize("files", [{"zeros": bytes(2**23)}, {f"maps/{number}": b"x" for number in range(1500)}],
                         ids=["promised", "met"])
def test_a_project_that_fills_the_disk_is_an_outage_and_leaves_nothing(site, monkeypatch, files):
    monkeypatch.setenv(home.VARIABLE, sys.executable)  # before it is asked, the project is unpacked
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in {"a.blend": b"BLENDER-v405", **files}.items():
            archive.writestr(name, content)
    order = part(b"order", b'{"kind": "blender", "spec": {"frames": "1"}}')
    with small_disk(site.farm.spool_folder, "4m") as disk:
        answer = post(site, form(order, part(b"project", packed.getvalue())))
        assert answer.status_code == 503, answer.text
        assert "No space left" in answer.json()["detail"]
        assert list(disk.iterdir()) == []


def test_key_for_rendering_may_not_order(site):
    answer = post(site, form(ORDER), site.key("vera", "box", Role.VOLUNTEER))
    assert (answer.status_code, answer.json()["type"]) == (403, "/api/docs#forbidden")


def test_session_may_not_order(site):
    token = site.session()["Authorization"].removeprefix("Bearer ")
    assert post(site, form(ORDER), token).status_code == 401


def test_forms_that_make_no_sense_are_refused(site):
    genome = part(b"genome", b"<x/>")
    two = part(b"genome", b"a"), part(b"genome", b"b")
    cases = [
        (b"", 400), (b"nonsense", 400), (form(genome), 400), (form(ORDER, end=False), 400), (form(ORDER, ORDER), 400),
        (form(ORDER, *two), 400), (form(ORDER, part(b"../x")), 400), (form(ORDER, part(b"")), 400),
        (form(ORDER, part(b"a\x00b")), 400), (form(ORDER, part(b"\xff")), 400), (form((b"X: y", b"z")), 400),
        (form(part(b"order", b"{")), 400), (form(part(b"order", b"[]")), 400), (form(part(b"order", b"\xff")), 400),
        (form(part(b"order", b'{"kind": "flame", "spec": {"seed": NaN}}')), 400),
        (form(part(b"order", b'{"kind": "flame", "spec": {"\\ud800": 1}}')), 400),
        (form(part(b"order", b'{"kind": "flame", "title": "a\\u0000b"}')), 400),
        (form(part(b"order", b'{"kind": "flame", "quorum": 99}')), 400),
        (form(part(b"order", b'{"kind": "flame", "spec": ' + b'{"a":' * 5000)), 400),
        (form(part(b"order", b'{"kind": "knitting"}')), 422), (form(part(b"order", b'{"kind": "flame"}')), 422),
        (form(part(b"order", b'{"kind": "flame", "spec": {"width": ' + b"9" * 400 + b"}}")), 422),
        (form(ORDER, genome), 422), (form(part(b"order", b" " * 300_000)), 413),
        (form(ORDER, *(part(b"f%d" % i) for i in range(20))), 400),
        (form(ORDER, part(b"x", b"", b"".join(b"\r\nX%d: y" % i for i in range(100)))), 400),
        (form(ORDER, part(b"x", b"", b"\r\nX: " + b"y" * 100_000)), 400),
    ]
    key = site.key("ann", "desk")
    for body, status in cases:
        answer = post(site, body, key)
        assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json"), body[:200]
    assert list(site.farm.spool_folder.iterdir()) == []


@pytest.mark.parametrize("media_type", ["application/json", "multipart/form-data", "multipart/form-data; boundary=",
                                        "multipart/form-data; boundary=" + "x" * 300, "", "a/b; boundary=sheep"])
def test_order_is_a_form(site, media_type):
    assert post(site, form(ORDER), media_type=media_type).status_code == 400


@pytest.mark.parametrize("announce", [True, False])
def test_file_above_the_limit_is_refused_and_nothing_is_left(site, announce):
    body = form(ORDER, part(b"genome", b"x" * 250_000))
    pieces = (body[at:at + 10_000] for at in range(0, len(body), 10_000))
    answer = post(site, body if announce else pieces)
    assert (answer.status_code, answer.json()["type"]) == (413, "/api/docs#too-large")
    assert list(site.farm.spool_folder.iterdir()) == []


def test_jobs_are_listed_page_by_page(site):
    client = site.client()
    ordered = [site.order(client) for _ in range(5)]
    first = client.jobs(limit=2)
    second = client.jobs(limit=2, before=first.next)
    last = client.jobs(limit=2, before=second.next)
    assert [job.id for page in (first, second, last) for job in page.jobs] == ordered[::-1]
    assert last.next is None


@pytest.mark.parametrize("query", ["limit=0", "limit=201", "before=-1", "before=x", "before=9223372036854775808"])
def test_pages_that_make_no_sense_are_refused(site, query):
    headers = site.bearer(site.key("ann", "desk"))
    assert site.http.get(f"/jobs?{query}", headers=headers).status_code == 400


def test_canceled_job_cannot_be_canceled_again(site):
    client = site.client()
    job = site.order(client)
    assert client.cancel(job).state == "canceled"
    with pytest.raises(FarmProblem, match="canceled already") as caught:
        client.cancel(job)
    assert caught.value.status == 409


def test_job_of_another_account_is_canceled_by_the_owner_alone(site):
    job = site.order(site.client("ann"))
    with pytest.raises(FarmRefused, match="another account"):
        site.client("bob").cancel(job)
    assert site.client("olga", Role.OWNER).cancel(job).state == "canceled"


def test_products_come_whole_and_in_ranges(site):
    client = site.client()
    job = site.rendered(site.order(client, frames=3), client)
    assert job.is_finished
    film = next(product for product in job.products if product.name == "film.mp4")
    headers = site.bearer(site.key("ann", "desk"))
    path = f"/jobs/{job.id}/products/film.mp4"
    whole = site.http.get(path, headers=headers)
    assert len(whole.content) == film.size_bytes == int(whole.headers["content-length"])
    assert whole.headers["content-type"] == film.media_type
    assert whole.headers["accept-ranges"] == "bytes"
    for asked, expected in [("bytes=0-9", whole.content[:10]), ("bytes=5-", whole.content[5:]),
                            ("bytes=-7", whole.content[-7:]), (f"bytes=1-{10**9}", whole.content[1:])]:
        ranged = site.http.get(path, headers=headers | {"Range": asked})
        assert (ranged.status_code, ranged.content) == (206, expected)
        assert ranged.headers["content-range"].endswith(f"/{film.size_bytes}")
    beyond = site.http.get(path, headers=headers | {"Range": f"bytes={film.size_bytes}-"})
    assert (beyond.status_code, beyond.headers["content-range"]) == (416, f"bytes */{film.size_bytes}")
    for odd in ("bytes=5-2", "bytes=a-b", "bytes=-", "bytes=0-1,3-4", "lines=1-2", "bytes=" + "9" * 30 + "-"):
        assert site.http.get(path, headers=headers | {"Range": odd}).status_code in {200, 416}
    stale = headers | {"Range": "bytes=0-9", "If-Range": '"other"'}
    assert site.http.get(path, headers=stale).content == whole.content


def test_preview_is_there_when_the_house_has_made_it(site):
    client = site.client()
    job_id = site.order(client)
    headers = site.bearer(site.key("ann", "desk"))
    task = client.job(job_id).tasks[0].id
    assert site.http.get(f"/tasks/{task}/preview", headers=headers).status_code == 404
    assert site.http.get(f"/tasks/{task}/picture", headers=headers).status_code == 404
    site.rendered(job_id, client)
    preview = site.http.get(f"/tasks/{task}/preview", headers=headers)
    assert preview.content.startswith(b"\xff\xd8")
    assert site.http.get(f"/tasks/{task}/preview?width=7", headers=headers).status_code == 404


def test_story_tells_of_every_lease_and_result(site):
    client = site.client()
    job = site.rendered(site.order(client), client)
    story = client.story(job.tasks[0].id)
    assert (story.job, story.state) == (job.id, "done")
    assert [(lease.machine, lease.state, lease.protocol) for lease in story.leases] == [
        ("renderer", "submitted", "rest")]
    assert story.leases[0].figures == {"render_time_s": 1, "memory_kib": 2, "cores": 3}
    assert [result.verdict for result in story.results] == ["valid"]
    assert {"lease granted", "result valid", "task done"} <= {event.what for event in story.events}


def test_what_is_not_there_is_not_found(site):
    headers = site.bearer(site.key("ann", "desk"))
    for path in ("/jobs/1", f"/jobs/{2**63}", "/jobs/x", "/jobs/1/products/film.mp4", "/tasks/1/picture",
                 "/tasks/1/story", "/tasks/1/preview", "/jobs/1000/products/..%2Fx", "/jobs/1000/products/a%00",
                 "/jobs/", "/nothing", "/jobs/1000/products/%ED%A0%80"):
        answer = site.http.get(path, headers=headers)
        assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json"), path


def test_wrong_method_is_405_with_the_right_ones(site):
    answer = site.http.patch("/jobs", headers=site.bearer(site.key("ann", "desk")))
    assert answer.status_code == 405
    assert answer.headers["content-type"] == "application/problem+json"
    assert "GET" in answer.headers["allow"] or "POST" in answer.headers["allow"]


def test_terms_travel_with_the_order(site):
    client = site.client()
    spec = json.loads(ORDER[1])["spec"]
    ordered = client.order("flame", spec, {"genome": site.genome}, "é" * 120, Terms(-3, 2, 7))
    assert (ordered.priority, ordered.quorum, ordered.max_attempts) == (-3, 2, 7)
    assert ordered.title == "é" * 120


def test_an_order_that_is_sent_twice_with_its_key_is_one_job(site):
    headers = site.bearer(site.key("ann", "desk")) | {"Content-Type": "multipart/form-data; boundary=sheep"}
    body = form(ORDER, part(b"genome", site.genome.read_bytes()))
    said = [site.http.post("/jobs", content=body, headers=headers | {"Idempotency-Key": name})
            for name in ("one", "one", "two", "x" * 201)]
    assert [answer.status_code for answer in said] == [201, 201, 201, 400]
    ids = [answer.json()["id"] for answer in said[:3]]
    assert ids == [1000, 1000, 1001]
