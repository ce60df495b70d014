"""A private job, asked for by every page and every request that names a job or a task, as everybody who might."""

import re
from dataclasses import replace

import pytest
from starlette.testclient import TestClient

from sheepfold.app import make_app
from sheepfold.farm import people, sight, teams
from sheepfold.farm.accounts import add_key
from sheepfold.farm.browse import story, view_job
from sheepfold.model.accounts import Role
from sheepfold.protocols.rest.endpoints import application
from sheepfold.web import pages

ORIGIN = {"Origin": "http://testserver"}
VALUES = {"name": "sheet.html", "frame": "0", "part": "0"}
SPELLINGS = {
    "signed": "+{}", "a fraction": "{}.0", "after a blank": "%20{}", "before a blank": "{}%20", "after a tab": "%09{}",
    "after many zeros": "0" * 40 + "{}", "after a zero": "0{}", "in groups": "{:_}",
}
"""Other ways to write an id in a path; `{:_}` is 1_000."""
UNMADE = {"/products", "/jobs/{job_id}/changes", "/shots/{job_id}/changes", "/jobs/{job_id}/accept"}
"""What this job has not, so that nobody gets it."""


@pytest.fixture
def dialect():
    """Use one database; what hides a job is proven on both where it lives, in the farm."""
    return "sqlite"


@pytest.fixture
def job(world):
    made = world.order(1)
    world.make_all(world.maker("box"))
    world.do_chores()
    sight.set_private(world.farm, world.account("ann"), made.id, is_private=True)
    for name, role in (("eve", Role.ARTIST), ("vera", Role.VOLUNTEER), ("boss", Role.OWNER)):
        world.account(name, role)
    return made


@pytest.fixture
def client(world):
    return TestClient(make_app(world.farm), follow_redirects=False)


def named(routes, values):
    """Return the methods and paths of the routes that name a job or a task."""
    for path, methods in routes:
        if re.search(r"\{(job|task)_id", path):
            for method in sorted(set(methods) - {"HEAD", "OPTIONS"}):
                yield method, path, re.sub(r"\{(\w+)(:\w+)?\}", lambda match: values[match[1]], path)


def spelled(world, job, spelling):
    """Return what fills in a path, with the ids of a job and of its task in this spelling."""
    ids = {"job_id": job.id, "task_id": view_job(world.farm, job.id).tasks[0].id}
    return VALUES | {name: spelling.format(known) for name, known in ids.items()}


def visits(world, job, spelling="{}"):
    """Return every page that names a job or a task, filled in with this one."""
    routes = [(route.path, route.methods) for route in pages.routes(world.farm) if hasattr(route, "methods")]
    return list(named(routes, spelled(world, job, spelling)))


def calls(world, job, spelling="{}"):
    """Return every request of the REST API that names a job or a task, filled in with this one."""
    schema = application(world.farm).openapi()
    routes = [(path, [method.upper() for method in methods]) for path, methods in schema["paths"].items()]
    return list(named(routes, spelled(world, job, spelling)))


@pytest.fixture
def asked(world, job):
    return visits(world, job)


@pytest.fixture
def called(world, job):
    return calls(world, job)


def cookie(world, name):
    return {"Cookie": "sheepfold_web=" + people.open_web_session(world.farm, world.account(name), "a test")}


def key(world, name):
    return {"Authorization": "Bearer " + add_key(world.farm, name, f"{name}-desk").key}


@pytest.mark.parametrize("who", ["eve", "vera", ""])
def test_no_page_shows_or_changes_a_job_that_is_hidden(world, job, client, asked, who):
    headers = ORIGIN | (cookie(world, who) if who else {})
    assert len(asked) > 15
    shown = {(method, path): client.request(method, target, headers=headers) for method, path, target in asked}
    assert {where: answer.status_code for where, answer in shown.items()
            if answer.status_code != 404 and not (not who and answer.status_code == 401)} == {}
    assert not any("a test" in answer.text for answer in shown.values())
    left = view_job(world.farm, job.id).job
    assert (left.private_at is not None, left.state, left.terms.priority) == (True, "done", 0)


@pytest.mark.parametrize("spelling", SPELLINGS.values(), ids=SPELLINGS)
def test_no_page_shows_a_hidden_job_whose_id_is_spelled_otherwise(world, job, client, spelling):
    headers = ORIGIN | cookie(world, "eve")
    shown = {path: client.request(method, target, headers=headers) for method, path, target in
             visits(world, job, spelling)}
    assert {path: answer.status_code for path, answer in shown.items() if answer.status_code != 404} == {}
    assert not any("a test" in answer.text for answer in shown.values())


@pytest.fixture
def mate(world, job):
    """Show the job to ann's team; returns the name of another one who is in it."""
    ann = world.account("ann")
    teams.make_team(world.farm, ann, "woolpack")
    teams.join(world.farm, world.account("mate", Role.VOLUNTEER), teams.invite(world.farm, ann, "woolpack"))
    sight.show_to_team(world.farm, ann, job.id, is_shown=True)
    return "mate"


@pytest.mark.parametrize("who", ["ann", "boss", "link", "mate"])
def test_who_may_see_it_sees_every_page(world, job, mate, client, asked, who):
    headers = cookie(world, who) if who != "link" else {}
    if who == "link":
        token = sight.share_job(world.farm, world.account("ann"), job.id)
        came = client.get(f"/shared/{token}")
        assert (came.status_code, came.headers["location"]) == (303, f"/jobs/{job.id}")
        assert "httponly" in came.headers["set-cookie"].lower()
    seen = {path: client.get(target, headers=headers).status_code for method, path, target in asked
            if method == "GET" and not path.startswith(tuple(UNMADE))}
    assert set(seen.values()) == {200}, seen


def test_who_holds_a_link_changes_nothing(world, job, client, asked):
    client.get("/shared/" + sight.share_job(world.farm, world.account("ann"), job.id))
    assert {client.post(target, headers=ORIGIN).status_code for method, _, target in asked if method == "POST"} == {401}


def test_who_is_in_its_team_changes_nothing(world, job, mate, client, asked):
    headers, form = ORIGIN | cookie(world, mate), {"priority": "5", "private": "no", "frames": "3"}
    statuses = {path: client.post(target, headers=headers, data=form).status_code
                for method, path, target in asked if method == "POST" and not path.endswith("/problem")}
    assert set(statuses.values()) <= {403, 404}, statuses
    left = view_job(world.farm, job.id).job
    assert (left.private_at is not None, left.state, left.terms.priority) == (True, "done", 0)


def test_a_revoked_link_shows_nothing(world, job, client):
    token = sight.share_job(world.farm, world.account("ann"), job.id)
    client.get(f"/shared/{token}")
    assert client.get(f"/jobs/{job.id}").status_code == 200
    sight.revoke_shares(world.farm, world.account("ann"), job.id)
    assert client.get(f"/jobs/{job.id}").status_code == 404
    assert client.get(f"/shared/{token}").status_code == 404


@pytest.mark.parametrize("who", ["eve", "vera"])
def test_no_call_shows_or_changes_a_job_that_is_hidden(world, job, client, called, who):
    headers = key(world, who)
    bodies = {"PATCH": {"private": False}, "POST": {"frame": 0, "frames": "3"}}
    assert len(called) > 12
    statuses = {}
    for method, path, target in called:
        answer = client.request(method, f"/api{target}", headers=headers, json=bodies.get(method))
        statuses[method, path] = answer.status_code
        assert "a test" not in answer.text
    may_not = {403} if who == "vera" else set()  # a volunteer's key is told that it may not order, of whatever job
    assert set(statuses.values()) <= {404, 422} | may_not, statuses
    assert all(status == 404 for (method, _), status in statuses.items() if method == "GET"), statuses
    left = view_job(world.farm, job.id).job
    assert (left.private_at is not None, left.state, left.terms.priority) == (True, "done", 0)


@pytest.mark.parametrize("spelling", SPELLINGS.values(), ids=SPELLINGS)
def test_no_call_shows_or_changes_a_hidden_job_whose_id_is_spelled_otherwise(world, job, client, spelling):
    called = calls(world, job, spelling)
    task_id = view_job(world.farm, job.id).tasks[0].id
    bodies = {"PATCH": {"private": False}, "POST": {"frame": 0, "frames": "3", "text": "mine now"}}
    statuses = {}
    for method, path, target in called:
        answer = client.request(method, f"/api{target}", headers=key(world, "eve"), json=bodies.get(method))
        statuses[method, path] = answer.status_code
        assert "a test" not in answer.text
    assert set(statuses.values()) <= {404, 422}, statuses
    assert all(status == 404 for (method, _), status in statuses.items() if method == "GET"), statuses
    view = view_job(world.farm, job.id)
    assert (view.job.private_at is not None, view.job.state, len(view.tasks)) == (True, "done", 1)
    assert "mine now" not in str(story(world.farm, task_id))


def test_a_link_shows_it_to_a_caller_too(world, job, client, called):
    token = sight.share_job(world.farm, world.account("ann"), job.id)
    for headers in (key(world, "eve") | {"X-Share": token}, key(world, "boss"), key(world, "ann")):
        seen = {path: client.get(f"/api{target}", headers=headers).status_code for method, path, target in called
                if method == "GET" and not any(end in path for end in ("/products/", "/changes"))}
        assert set(seen.values()) == {200}, seen


def test_on_a_farm_without_visitors_a_link_still_shows_its_job_and_no_other(world, job):
    other = world.order(1)
    closed = replace(world.farm.settings, visitors=False)
    client = TestClient(make_app(replace(world.farm, settings=closed)), follow_redirects=False)
    client.get("/shared/" + sight.share_job(world.farm, world.account("ann"), job.id))
    assert client.get(f"/jobs/{job.id}").status_code == 200
    assert [client.get(path).status_code for path in ("/", "/jobs", f"/jobs/{other.id}")] == [303, 303, 303]


def test_a_page_hides_shares_and_shows_a_job(world, client):
    made = world.order(1)
    headers = ORIGIN | cookie(world, "ann")
    client.post(f"/jobs/{made.id}/private", headers=headers, data={"private": "yes"})
    assert client.get(f"/jobs/{made.id}").status_code == 404
    page = client.post(f"/jobs/{made.id}/share", headers=headers)
    link = re.search(r'<code id="link">(\S+)</code>', page.text)[1]
    assert "Revoke 1 link<" in page.text
    assert client.get(link.removeprefix("http://testserver")).status_code == 303
    assert client.get(f"/jobs/{made.id}").status_code == 200
    client.post(f"/jobs/{made.id}/unshare", headers=headers)
    assert client.get(f"/jobs/{made.id}").status_code == 404
    client.post(f"/jobs/{made.id}/private", headers=headers, data={"private": "no"})
    assert client.get(f"/jobs/{made.id}").status_code == 200
