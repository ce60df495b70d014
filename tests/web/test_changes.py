"""The page that shows what changed since pictures were accepted."""

import pytest
from starlette.testclient import TestClient

from sheepfold.app import make_app
from sheepfold.farm.people import open_web_session

HOST = {"Origin": "http://testserver"}


@pytest.fixture
def client(world):
    return TestClient(make_app(world.farm), follow_redirects=False)


def shot(world, colours=0):
    job = world.order(frames=2, baseline="The front page")
    world.make_all(world.maker("argo"), first=colours)
    world.do_chores()
    return job


def sign_in(world, client, name):
    client.cookies.set("sheepfold_web", open_web_session(world.farm, world.account(name), "a test"))


def test_the_first_pictures_say_so(world, client):
    page = client.get(f"/shots/{shot(world).id}/changes").text
    assert "These are the first pictures of this name" in page
    assert "The front page" in page


def test_what_changed_stands_before_now_and_in_its_difference(world, client):
    first, other = shot(world), shot(world, colours=1)
    page = client.get(f"/shots/{other.id}/changes").text
    assert f'since <a href="/shots/{first.id}">' in page
    assert page.count("<figcaption>Before") == page.count("<figcaption>What differs") == 2
    assert "Accept these" not in page  # a visitor only looks
    difference = client.get(f"/products/{other.id}/change-0.png")
    assert (difference.status_code, difference.headers["content-type"]) == (200, "image/png")
    assert f"/shots/{other.id}/changes" in client.get(f"/shots/{other.id}").text


def test_its_customer_accepts_with_one_button(world, client):
    shot(world)
    other = shot(world, colours=1)
    sign_in(world, client, "ann")
    assert "Accept these pictures" in client.get(f"/shots/{other.id}/changes").text
    answer = client.post(f"/shots/{other.id}/accept", headers=HOST)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/shots/{other.id}/changes")
    page = client.get(f"/shots/{other.id}/changes").text
    assert "These pictures are accepted." in page
    assert "Accept these pictures" not in page


def test_nobody_else_accepts(world, client):
    shot(world)
    other = shot(world, colours=1)
    assert client.post(f"/shots/{other.id}/accept", headers=HOST).status_code == 401
    sign_in(world, client, "eve")
    assert "Accept these pictures" not in client.get(f"/shots/{other.id}/changes").text
    assert client.post(f"/shots/{other.id}/accept", headers=HOST).status_code == 403


def test_an_order_without_a_baseline_has_no_such_page(world, client):
    job = world.order()
    assert client.get(f"/shots/{job.id}/changes").status_code == 404
    assert "/changes" not in client.get(f"/shots/{job.id}").text
