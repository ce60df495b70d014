"""Uploads over the wire: announced, sent in pieces, and named by an order or a replacement."""

import hashlib
import json
import time
import zipfile

import pytest

from sheepfold.protocols.link import FarmUnreachable
from sheepfold.protocols.rest import client as client_module

BODY = b"BLENDER-v402" + bytes(range(256)) * 40
OCTETS = {"Content-Type": "application/octet-stream"}


@pytest.fixture(autouse=True)
def _no_bpy(monkeypatch):
    monkeypatch.setenv("SHEEPFOLD_BPY_PYTHON", "/nonexistent/python")
    monkeypatch.setattr(client_module, "LARGE_BYTES", 4096)


@pytest.fixture
def headers(site):
    return site.bearer(site.key("ann", "desk"))


@pytest.fixture
def scene(tmp_path):
    path = tmp_path / "scene.blend"
    path.write_bytes(BODY)
    return path


def announced(site, headers, body=BODY):
    asked = {"size_bytes": len(body), "sha256": hashlib.sha256(body).hexdigest()}
    answer = site.http.post("/uploads", json=asked, headers=headers)
    assert answer.status_code == 201, answer.text
    return answer.json()


def patch(site, headers, upload, offset, body):
    told = headers | OCTETS | {"Upload-Offset": str(offset)}
    return site.http.patch(f"/uploads/{upload}", content=body, headers=told)


def test_a_file_is_sent_in_pieces_and_ordered(site, headers):
    upload = announced(site, headers)["upload"]
    assert patch(site, headers, upload, 0, BODY[:1000]).headers["Upload-Offset"] == "1000"
    assert site.http.head(f"/uploads/{upload}", headers=headers).headers["Upload-Offset"] == "1000"
    assert announced(site, headers)["offset_bytes"] == 1000
    refused = patch(site, headers, upload, 0, BODY)
    assert (refused.status_code, "byte 1000" in refused.json()["detail"]) == (409, True)
    assert patch(site, headers, upload, 1000, BODY[1000:]).status_code == 204
    order = {"kind": "blender", "spec": {"frames": "1-2", "width": 64, "height": 48}, "uploads": {"project": upload}}
    ordered = site.http.post("/jobs", files={"order": (None, json.dumps(order), "application/json")}, headers=headers)
    assert ordered.status_code == 201, ordered.text
    job = site.http.get(f"/jobs/{ordered.json()['id']}", headers=headers).json()
    assert job["inputs"] == {"project": hashlib.sha256(BODY).hexdigest()}
    assert ordered.json()["remarks"] == job["remarks"] != []
    again = [patch(site, headers, upload, at, more) for at, more in [(len(BODY), b""), (len(BODY), b"x"), (0, BODY)]]
    assert [answer.status_code for answer in again] == [204, 413, 409]
    assert site.http.delete(f"/uploads/{upload}", headers=headers).status_code == 204
    assert site.http.head(f"/uploads/{upload}", headers=headers).status_code == 404


def test_a_wrong_digest_is_told_with_the_last_byte(site, headers):
    upload = announced(site, headers)["upload"]
    wrong = bytes(len(BODY))
    assert patch(site, headers, upload, 0, wrong[:-1]).status_code == 204
    refused = patch(site, headers, upload, len(BODY) - 1, wrong[-1:])
    assert (refused.status_code, "digest" in refused.json()["detail"]) == (400, True)
    assert site.http.head(f"/uploads/{upload}", headers=headers).status_code == 404
    anew = announced(site, headers)
    assert (anew["offset_bytes"], anew["upload"] != upload) == (0, True)
    assert patch(site, headers, anew["upload"], 0, BODY).status_code == 204


def test_an_order_of_half_an_upload_or_of_anothers_is_refused(site, headers):
    upload = announced(site, headers)["upload"]
    order = {"kind": "blender", "uploads": {"project": upload}}
    form = {"order": (None, json.dumps(order), "application/json")}
    assert site.http.post("/jobs", files=form, headers=headers).status_code == 400
    eve = site.bearer(site.key("eve", "desk-of-eve"))
    assert site.http.post("/jobs", files=form, headers=eve).status_code == 404
    twice = form | {"project": ("a.blend", BODY, "application/octet-stream")}
    assert "both" in site.http.post("/jobs", files=twice, headers=headers).json()["detail"]


def test_a_client_that_breaks_off_leaves_what_arrived(site, headers):
    upload = announced(site, headers)["upload"]

    def here():
        return site.http.head(f"/uploads/{upload}", headers=headers).headers["Upload-Offset"]

    def broken():
        yield BODY[:500]
        wait_for(lambda: here() == "500")  # a body that the server had no time to read is lost with its line
        raise ConnectionError

    with pytest.raises(ConnectionError):
        patch(site, headers, upload, 0, broken())
    assert here() == "500"


def wait_for(is_so):
    for _ in range(1000):
        if is_so():
            return
        time.sleep(0.01)
    pytest.fail("It did not come to that.")


def test_the_client_uploads_large_files_and_goes_on_where_it_broke_off(site, scene, monkeypatch):
    client = site.client()
    told, breaks = client._calls.tell, iter([False, True, False])

    def flaky(method, path, sent=None):
        told(method, path, sent)
        if next(breaks, False):
            raise FarmUnreachable("The answer got lost.")

    monkeypatch.setattr(client._calls, "tell", flaky)
    job = client.order("blender", {"frames": "1-2", "width": 64, "height": 48}, {"project": scene})
    assert client.job(job.id).inputs == {"project": hashlib.sha256(BODY).hexdigest()}
    scene.write_bytes(BODY + b"better")
    replaced = client.replace_input(job.id, "project", scene)
    assert replaced.revision == client.job(job.id).revision == 1
    assert client.job(job.id).inputs == {"project": hashlib.sha256(BODY + b"better").hexdigest()}


def test_an_input_is_replaced_by_a_body(site, scene, tmp_path, headers):
    client = site.client()
    scene.write_bytes(BODY[:100])
    job = client.order("blender", {"frames": "1", "width": 64, "height": 48}, {"project": scene})
    scene.write_bytes(BODY[:200])
    assert client.replace_input(job.id, "project", scene).revision == 1
    answers = [site.http.put(f"/jobs/{job.id}/inputs/{name}", content=body, headers=headers)
               for name, body in [("project", b"rubbish"), ("other", BODY), ("project", b"")]]
    assert [answer.status_code for answer in answers] == [422, 404, 422]
    assert client.job(job.id).revision == 1


def test_all_frames_come_as_one_zip(site, tmp_path):
    client = site.client()
    job = site.order(client)
    assert site.http.get(f"/jobs/{job}/frames.zip",
                         headers=site.bearer(site.key("ann", "other-desk"))).status_code == 404
    site.rendered(job, client)
    client.download_frames(job, tmp_path / "frames.zip")
    with zipfile.ZipFile(tmp_path / "frames.zip") as archive:
        assert archive.namelist() == ["0000.png"]
        assert archive.read("0000.png") == site.picture(0)
