"""Screenshots side by side."""

import pytest
from starlette.testclient import TestClient

from sheepfold.app import make_app


@pytest.fixture
def client(world):
    return TestClient(make_app(world.farm), follow_redirects=False)


def test_the_views_of_a_page_stand_side_by_side(world, client):
    job = world.order(frames=2)
    world.make_all(world.maker("argo"))
    world.do_chores()
    page = client.get(f"/shots/{job.id}")
    assert page.status_code == 200
    assert page.text.count("/previews/") == 2
    assert "Firefox" in page.text
    assert client.get(f"/shots/{job.id}?zoom=close").text.count('src="/pictures/') == 2
    assert f"job-{job.id}" in client.get("/shots").text


def test_what_is_not_photographed_has_no_shots(world, client):
    assert client.get(f"/shots/{world.flame().id}").status_code == 404
    assert client.get("/shots/77").status_code == 404


def test_frames_come_as_one_zip(world, client):
    job = world.order(frames=2)
    assert client.get(f"/jobs/{job.id}/frames.zip").status_code == 404
    world.make_all(world.maker("argo"))
    answer = client.get(f"/jobs/{job.id}/frames.zip")
    assert (answer.status_code, answer.content[:2]) == (200, b"PK")
