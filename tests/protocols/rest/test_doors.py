"""Keys, sessions and cookies tried against what they must not open: each has its own doors, and no others."""

import re

import pytest
from starlette.testclient import TestClient

from sheepfold.app import make_app
from sheepfold.config import Settings
from sheepfold.farm import people
from sheepfold.farm.accounts import add_account, add_key
from sheepfold.farm.farm import open_farm
from sheepfold.model.accounts import Role, Scope
from sheepfold.protocols.visitors import COOKIE

NAMED = {"job_id": "1000", "task_id": "1", "hook_id": "1", "generation": "0", "number": "0", "kind": "flame",
         "deed": "revoke", "machine": "box", "name": "box", "team": "woolpack", "code": "abc"}


@pytest.fixture
def farm(tmp_path):
    with open_farm(Settings(tmp_path), lambda key, name: []) as opened:
        add_account(opened, "boss", Role.OWNER, "correct horse")
        yield opened


@pytest.fixture
def http(farm):
    return TestClient(make_app(farm), follow_redirects=False)


def filled(path):
    return re.sub(r"{(\w+)(:\w+)?}", lambda found: NAMED.get(found[1], "1"), path)


def test_a_browsers_cookie_opens_nothing_of_the_api(farm, http):
    token = people.sign_in(farm, "boss", "correct horse", "Netscape 4")
    assert http.get("/account", headers={"Cookie": f"{COOKIE}={token}"}).status_code == 200
    document = http.get("/api/openapi.json").json()
    for path, methods in document["paths"].items():
        for method in methods:
            for headers in ({"Cookie": f"{COOKIE}={token}"}, {"Authorization": f"Bearer {token}"}):
                answer = http.request(method, "/api" + filled(path), headers=headers)
                assert answer.status_code == 401, f"{method} {path} answers {answer.status_code} to {headers}"


def test_a_key_in_an_address_or_a_form_opens_nothing(farm, http):
    key = add_key(farm, "boss", "box", Scope.MANAGE).key
    assert http.get(f"/api/v1/account?key={key}&access_token={key}&authorization=Bearer%20{key}").status_code == 401
    assert http.get("/api/v1/account", headers={"Authorization": f"Basic {key}"}).status_code == 401
    assert http.get("/api/v1/account", headers={"X-Api-Key": key}).status_code == 401


def test_a_key_opens_nothing_once_it_is_revoked_or_its_account_closed(farm, http):
    add_account(farm, "ann", Role.OWNER, "correct horse")
    headers = {"Authorization": f"Bearer {add_key(farm, 'ann', 'desk', Scope.MANAGE).key}"}
    assert http.patch("/api/v1/people/ann", headers=headers, json={"closed": True}).status_code == 200
    assert http.get("/api/v1/account", headers=headers).status_code == 401
