"""Looks at orders, while the farm's Blender keeps many of them waiting."""

import socket
from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.protocols.rest.conftest import SPEC, wait_for

from sheepfold.kinds.blender import examine, home
from sheepfold.protocols import opening

MANY = 45
"""More than the threads that a server of a test has, 40, and than those of them that take in pictures."""
SCENE = {"order": ("order", '{"kind": "blender"}'), "project": ("scene.blend", b"BLENDER-v405")}


@pytest.fixture
def slow_blender(tmp_path, monkeypatch):
    """Have a Blender that opens no project until the file that this returns is there."""
    python, enough = tmp_path / "own" / "bin" / "python", tmp_path / "own" / "enough"
    python.parent.mkdir(parents=True)
    python.write_text(f"#!/bin/sh\nuntil [ -e {enough} ]; do sleep 0.05; done\n")
    python.chmod(0o755)
    monkeypatch.setenv(home.VARIABLE, str(python))
    return enough


@pytest.mark.parametrize("path", ["/appraisals", "/jobs"])
def test_pictures_are_taken_in_while_more_projects_wait_for_blender_than_there_are_threads(site, slow_blender, path):
    client, me = site.client(), site.session()
    site.order(client)
    lease = site.http.post("/leases", headers=me).json()["lease"]
    headers = site.bearer(site.key("ann", "desk"))
    with ThreadPoolExecutor(MANY) as pool:
        sent = [pool.submit(site.http.post, path, headers=headers, files=SCENE) for _ in range(MANY)]
        try:
            wait_for(lambda: len(list(site.farm.spool_folder.glob("*/examined"))) >= examine.AT_ONCE
                     and len(list(site.farm.spool_folder.glob("spool-*"))) >= MANY - 5)
            answer = site.http.put(f"/leases/{lease}/result", headers=me, content=site.picture())
            assert answer.status_code == 200, answer.text
            assert site.http.get("/jobs", headers=headers).status_code == 200
            assert client.appraise("flame", SPEC, {"genome": site.genome}).tasks == 1
            assert not any(one.done() for one in sent)
        finally:
            slow_blender.touch()
        assert all("crashed" in one.result().json()["detail"] for one in sent)


def test_who_goes_away_leaves_the_queue(site, slow_blender):
    headers = site.bearer(site.key("ann", "desk"))

    def waiting():
        return sum(opening._PROJECTS._waiting.values())

    with ThreadPoolExecutor(8) as pool:
        sent = [pool.submit(site.http.post, "/appraisals", headers=headers, files=SCENE) for _ in range(8)]
        try:
            wait_for(lambda: waiting() == 8)
            asked = site.http.build_request("POST", "/appraisals", headers=headers, files=SCENE)
            with socket.create_connection(("127.0.0.1", asked.url.port)) as line:
                told = b"".join(b"%s: %s\r\n" % pair for pair in asked.headers.raw)
                line.sendall(b"POST %s HTTP/1.1\r\n%s\r\n%s" % (asked.url.raw_path, told, asked.read()))
                wait_for(lambda: waiting() == 9)
            wait_for(lambda: waiting() == 8)
            assert not any(one.done() for one in sent)
        finally:
            slow_blender.touch()
        assert all(one.result().status_code == 422 for one in sent)
