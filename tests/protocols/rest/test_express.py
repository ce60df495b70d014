"""The express way answers as the API's application does, and leaves to it whatever is odd."""

import json

import pytest


@pytest.fixture
def token(site):
    return site.session()




BODIES = (b"", b"{}", b'{"wait_s": 0}', b'{"wait_s": 100000}', b'{"wait_s": "x"}', b"[", b"null", b'{"nothing": 1}',
          b'{"abilities": {"kinds": ["blender"]}}')


@pytest.mark.parametrize("body", BODIES, ids=range(len(BODIES)))
def test_a_claim_that_finds_nothing_is_answered_alike(site, token, body):
    said = [site.http.post("/leases", content=content, headers=token | {"Content-Type": "application/json"})
            for content in (body, iter([body]))]  # what comes in chunks goes to the application
    assert said[0].status_code == said[1].status_code
    assert said[0].content == said[1].content
    assert said[0].headers.get("retry-after") == said[1].headers.get("retry-after")


@pytest.mark.parametrize("header", ["", "Bearer x y", "bearer x", "Basic x", "Bearer " + "f" * 32])
def test_without_a_session_nothing_is_to_be_had(site, header):
    for method, path in (("POST", "/leases"), ("PUT", "/leases/1/result")):
        answer = site.http.request(method, path, headers={"Authorization": header})
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
        assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("query", ["render_time_s=-1", "cores=x", "nothing=1", "cores=1&cores=2", "cores=%FF"])
def test_odd_figures_are_refused_by_the_application(site, token, query):
    answer = site.http.put(f"/leases/1/result?{query}", headers=token, content=b"x")
    assert answer.status_code in {400, 404, 422}
    assert json.loads(answer.content)["status"] == answer.status_code


@pytest.mark.parametrize("lease", ["x", "-1", "9" * 30, "%00", "1.0"])
def test_a_lease_that_is_no_number_is_not_found(site, token, lease):
    assert site.http.put(f"/leases/{lease}/result", headers=token, content=b"x").status_code == 404


def test_a_picture_of_nobody_is_refused_and_leaves_no_file(site, token):
    for said, status in ((token, 404), ({"Authorization": "Bearer " + "f" * 32}, 401)):
        assert site.http.put("/leases/1/result", headers=said, content=b"x" * 1000).status_code == status
    assert list(site.farm.spool_folder.glob("spool-*")) == []
