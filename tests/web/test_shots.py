"""Screenshots side by side."""

import pytest
from starlette.testclient import TestClient

from sheepfold.app import make_app
from sheepfold.farm import people
from sheepfold.model.accounts import Role
from sheepfold.store import tasks as task_rows


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


def test_the_list_of_shots_leads_side_by_side(world, client):
    job = world.order()
    assert f'<a href="/shots/{job.id}">' in client.get("/shots").text
    assert f'<a href="/jobs/{job.id}">' in client.get("/jobs").text


def test_what_is_not_photographed_has_no_shots(world, client):
    assert client.get(f"/shots/{world.flame().id}").status_code == 404
    assert client.get("/shots/77").status_code == 404


def test_frames_come_as_one_zip(world, client):
    job = world.order(frames=2)
    assert client.get(f"/jobs/{job.id}/frames.zip").status_code == 404
    world.make_all(world.maker("argo"))
    answer = client.get(f"/jobs/{job.id}/frames.zip")
    assert (answer.status_code, answer.content[:2]) == (200, b"PK")


def test_all_pictures_are_offered_as_a_zip_as_soon_as_there_is_one(world, client):
    job = world.order(frames=2)
    link = f'href="/jobs/{job.id}/frames.zip"'
    assert link not in client.get(f"/shots/{job.id}").text
    world.make_all(world.maker("argo"))
    world.do_chores()
    assert link in client.get(f"/shots/{job.id}").text


def test_an_order_that_expires_is_prolonged_by_its_account_alone(world, client, clock):
    job = world.order(expire_s=600)
    path, button = f"/shots/{job.id}", f'action="/shots/{job.id}/prolong"'

    def signed_in(name):
        token = people.open_web_session(world.farm, world.account(name, Role.ARTIST), "a test")
        return {"Origin": "http://testserver", "Cookie": f"sheepfold_web={token}"}

    ann, eve = signed_in("ann"), signed_in("eve")
    clock.advance(300)
    for other in ({}, eve):
        seen = client.get(path, headers=other).text
        assert "within 5 min" in seen
        assert button not in seen
    assert client.post(f"{path}/prolong", headers=eve).status_code == 403
    assert button in client.get(path, headers=ann).text
    assert "within 5 min" in client.get(path).text
    assert client.post(f"{path}/prolong", headers=ann).headers["location"] == path
    assert "within 30 min" in client.get(path).text
    assert client.post(f"{path}/prolong", headers=ann | {"Origin": "http://evil.example"}).status_code == 403
    clock.advance(1801)
    assert client.post(f"{path}/prolong", headers=ann).status_code == 409


def test_an_order_that_never_expires_has_nothing_to_prolong(world, client):
    assert "/prolong" not in client.get(f"/shots/{world.order().id}").text


def test_a_problem_is_reported_on_the_pictures_page_and_told_beside_it(world, client):
    job = world.order()
    world.make_all(world.maker("argo"))
    task = world.farm.db.read(lambda tx: task_rows.rows_of_job(tx, job.id))[0].id
    assert "Report a problem" not in client.get(f"/tasks/{task}").text
    eve = {"Origin": "http://testserver", "Cookie": "sheepfold_web=" + people.open_web_session(
        world.farm, world.account("eve", Role.VOLUNTEER), "a test")}  # fmt: skip
    assert "Report a problem" in client.get(f"/tasks/{task}", headers=eve).text
    for text, status in (("<b>twice</b>", 303), ("", 422)):
        assert client.post(f"/tasks/{task}/problem", headers=eve, data={"text": text}).status_code == status
    assert client.post(f"/tasks/{task}/problem", headers={"Origin": "http://testserver"}).status_code == 401
    assert "eve: &lt;b&gt;twice&lt;/b&gt;" in client.get(f"/shots/{job.id}").text
