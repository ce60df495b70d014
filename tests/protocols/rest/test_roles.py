"""The matrix of callers by operations: who is let in where, for every operation that the API's document tells of."""

import re

import pytest

from sheepfold.farm.accounts import add_account, add_key
from sheepfold.farm.owner import change_role
from sheepfold.model.accounts import Role, Scope

KEYS = {"manager": (Role.VOLUNTEER, Scope.MANAGE), "ruler": (Role.OWNER, Scope.MANAGE),
        "work": (Role.ARTIST, Scope.WORK), "volunteer": (Role.VOLUNTEER, Scope.ORDER),
        "artist": (Role.ARTIST, Scope.ORDER), "owner": (Role.OWNER, Scope.ORDER)}  # fmt: skip
"""Callers with a key: one for rendering alone, and of each role one that may order as far as the role allows."""
LEVELS = {
    "session": {"session"},
    "any key": set(KEYS),
    "anybody": {"session", *KEYS},
    "changes": {"volunteer", "artist", "owner", "manager", "ruler"},
    "orders": {"artist", "owner", "ruler"},
    "owner": {"owner", "ruler"},
    "manages": {"manager", "ruler"},
    "rules": {"ruler"},
}
"""Who is let in; whoever is, may still be refused a job of somebody else."""
MATRIX = {
    "POST /jobs": "orders",
    "GET /jobs": "anybody",
    "PUT /jobs/{job_id}/inputs/{name}": "orders",
    "GET /jobs/{job_id}/frames.zip": "anybody",
    "GET /jobs/{job_id}": "anybody",
    "GET /jobs/{job_id}/tasks": "anybody",
    "DELETE /jobs/{job_id}": "changes",
    "PATCH /jobs/{job_id}": "changes",
    "GET /jobs/{job_id}/products/{name}": "anybody",
    "GET /tasks/{task_id}/picture": "anybody",
    "GET /tasks/{task_id}/preview": "anybody",
    "GET /tasks/{task_id}/story": "anybody",
    "POST /jobs/{job_id}/frames": "orders",
    "POST /jobs/{job_id}/again": "orders",
    "POST /jobs/{job_id}/remake": "changes",
    "POST /jobs/{job_id}/shares": "changes",
    "DELETE /jobs/{job_id}/shares": "changes",
    "PUT /jobs/{job_id}/team": "changes",
    "DELETE /jobs/{job_id}/team": "changes",
    "POST /jobs/{job_id}/expiry": "changes",
    "GET /jobs/{job_id}/changes": "anybody",
    "POST /jobs/{job_id}/accept": "changes",
    "POST /tasks/{task_id}/problems": "any key",
    "POST /uploads": "orders",
    "GET /uploads/{upload_id}": "orders",
    "HEAD /uploads/{upload_id}": "orders",
    "PATCH /uploads/{upload_id}": "orders",
    "DELETE /uploads/{upload_id}": "orders",
    "POST /sessions": "any key",
    "GET /sessions/current": "session",
    "DELETE /sessions/current": "session",
    "POST /leases": "session",
    "GET /leases/{lease_id}/input": "session",
    "GET /leases/{lease_id}/inputs/{name}": "session",
    "POST /leases/{lease_id}/heartbeat": "session",
    "PUT /leases/{lease_id}/result": "session",
    "DELETE /leases/{lease_id}": "session",
    "GET /machines/{machine}/rules": "changes",
    "PUT /machines/{machine}/rules": "changes",
    "POST /machines/{machine}/commands": "changes",
    "GET /browsers": "anybody",
    "GET /browsers/alive": "anybody",
    "GET /machines/{machine}/browsers": "anybody",
    "POST /machines/{machine}/browsers": "changes",
    "DELETE /machines/{machine}/browsers/{browser_id}": "changes",
    "GET /flock": "anybody",
    "POST /flock/{number}/votes": "any key",
    "GET /machines": "anybody",
    "GET /whoami": "anybody",
    "GET /events": "anybody",
    "GET /storage": "owner",
    "POST /appraisals": "orders",
    "POST /sketches": "orders",
    "GET /flock/{generation}/{number}": "anybody",
    "DELETE /flock/{generation}/{number}": "changes",
    "GET /now": "anybody",
    "GET /leaders": "anybody",
    "GET /account": "manages",
    "GET /account/data": "manages",
    "PUT /account/email": "manages",
    "POST /account/email/proof": "manages",
    "PUT /account/password": "manages",
    "POST /account/forget": "manages",
    "GET /account/keys": "manages",
    "DELETE /account/keys/{key_id}": "manages",
    "GET /account/browsers": "manages",
    "DELETE /account/browsers/{session_id}": "manages",
    "POST /machines/{machine}/keys": "manages",
    "DELETE /machines/{machine}/keys": "manages",
    "POST /invitations": "manages",
    "GET /people": "rules",
    "PATCH /people/{name}": "rules",
    "GET /audit": "rules",
    "GET /queue": "rules",
    "POST /check": "rules",
    "POST /backups": "rules",
    "GET /backups": "rules",
    "GET /backups/{backup_id}": "rules",
    "GET /webhooks": "changes",
    "POST /webhooks": "changes",
    "DELETE /webhooks/{hook_id}": "changes",
    "POST /webhooks/{hook_id}/test": "changes",
    "POST /webhooks/{hook_id}/enable": "changes",
    "GET /webhooks/{hook_id}/deliveries": "changes",
    "GET /teams": "anybody",
    "POST /teams": "changes",
    "POST /teams/join": "changes",
    "GET /teams/{team}": "anybody",
    "PATCH /teams/{team}": "changes",
    "POST /teams/{team}/invitation": "changes",
    "DELETE /teams/{team}/members/{account_name}": "changes",
}
HIDDEN = [one for one in MATRIX if "{job_id}" in one or "{task_id}" in one]


@pytest.fixture
def limits():
    return {"claim_wait_limit_s": 0}


def operations(site):
    """Return all operations that the document tells of, written as the matrix writes them."""
    paths = site.http.get(f"{site.url}/api/openapi.json").json()["paths"]
    return {f"{method.upper()} {path.removeprefix('/v1')}" for path, methods in paths.items() for method in methods}


def headers_of(site):
    """Return the headers of each caller; nobody's are none."""
    headers = {"nobody": {}}
    for name, (role, scope) in KEYS.items():
        add_account(site.farm, name, max(role, Role.ARTIST, key=list(Role).index), "")
        headers[name] = site.bearer(add_key(site.farm, name, f"{name}-box", scope).key)
        change_role(site.farm, None, name, role)  # a volunteer's key can order only while its account could
    return headers | {"session": site.session()}


def asked(site, operation, headers, **names):
    """Ask for an operation on things that are not there, or on those named; returns the answer's status."""
    method, path = operation.split(" ")
    path = re.sub(r"{(\w+)}", lambda found: str(names.get(found[1], _NOTHING.get(found[1], "9999"))), path)
    with site.http.stream(method, path, headers=headers) as answer:  # a stream of events never ends
        return answer.status_code


_NOTHING = {"upload_id": "0" * 32, "machine": "nothing", "team": "nothing", "name": "nothing", "account_name": "nobody"}


def test_every_operation_has_a_row(site):
    assert operations(site) == set(MATRIX)


def test_each_caller_is_let_in_where_the_matrix_says_and_nowhere_else(site):
    headers = headers_of(site)
    for operation, level in MATRIX.items():
        for caller, told in headers.items():
            if caller == "session" and "sessions/current" in operation:
                told = site.session(f"box-{len(operation)}")  # noqa: PLW2901 -- one that may be ended
            status = asked(site, operation, told)
            wanted = {401, 403} if caller not in LEVELS[level] else set()
            is_refused = status in {401, 403}
            assert is_refused == bool(wanted), f"{operation} answers {status} to {caller}"
            assert status < 500


def test_what_is_private_is_not_there_for_whoever_may_not_see_it(site):
    ann = site.client()
    job_id = site.order(ann, shape="still")
    task_id = site.rendered(job_id, ann).tasks[0].id
    ann.change(job_id, private=True)
    stranger = headers_of(site)["artist"]
    for operation in HIDDEN:
        status = asked(site, operation, stranger, job_id=job_id, task_id=task_id)
        assert status == 404, f"{operation} answers {status}"
