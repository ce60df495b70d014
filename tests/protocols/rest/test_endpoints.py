"""The API as a whole: its document, its page, and what thousands of odd requests do to it."""

import asyncio
import html
import importlib
import itertools
import pkgutil
import re

import httpx
import jsonschema
import pytest
import schemathesis
from fastapi import APIRouter
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import response_schema_conformance, status_code_conformance

from sheepfold.farm.accounts import add_key
from sheepfold.model.accounts import Role, Scope
from sheepfold.protocols import rest
from sheepfold.protocols.rest import docs
from sheepfold.protocols.rest.endpoints import application
from sheepfold.protocols.rest.examples import EXAMPLES

CHECKS = [not_a_server_error, status_code_conformance, response_schema_conformance]


@pytest.fixture
def limits():
    return {"claim_wait_limit_s": 0}


def test_document_is_openapi_3_1_and_tells_of_every_operation(site):
    document = site.http.get(f"{site.url}/api/openapi.json").json()
    assert document["openapi"].startswith("3.1.")
    assert document["servers"] == [{"url": "/api"}]
    operations = [told for methods in document["paths"].values() for told in methods.values()]
    assert len(operations) >= 20
    for told in operations:
        assert told["summary"]
        assert told["description"]
        assert told["security"] == [{"HTTPBearer": []}]
        assert "application/problem+json" in told["responses"]["default"]["content"]
    references = set(re.findall(r"#/components/schemas/(\w+)", str(document)))
    assert references <= set(document["components"]["schemas"])


def test_every_body_has_an_example_that_its_schema_takes(site):
    document = site.http.get(f"{site.url}/api/openapi.json").json()
    asked = set(re.findall(r"#/components/schemas/(\w+)", str([
        told.get("requestBody") for methods in document["paths"].values() for told in methods.values()])))
    assert asked <= EXAMPLES.keys()
    for name in EXAMPLES:
        schema = {"$ref": f"#/components/schemas/{name}", "components": document["components"]}
        (example,) = document["components"]["schemas"][name]["examples"]
        jsonschema.validate(example, schema, jsonschema.Draft202012Validator)


def test_page_shows_every_operation_and_every_refusal(site):
    answer = site.http.get(f"{site.url}/api/docs")
    document = site.http.get(f"{site.url}/api/openapi.json").json()
    assert answer.headers["content-type"].startswith("text/html")
    shown = html.unescape(answer.text)
    for operation in docs.operations(document):
        assert operation.path in answer.text
        assert operation.summary in shown
    for message in docs.messages(document):
        assert f'id="message-{message.name}"' in answer.text
        assert message.fields
    for anchor, _, _ in docs.refusals():
        assert f'id="{anchor}"' in answer.text
    assert not re.search(r"<script|https?://", answer.text)


def test_every_id_in_a_path_is_read_in_digits_alone():
    """What checks a path beforehand reads ids by one reader, and no operation may take what that one passes by."""
    modules = (importlib.import_module(f"{rest.__name__}.{one.name}") for one in pkgutil.iter_modules(rest.__path__))
    routers = {id(one): one for module in modules for one in vars(module).values() if isinstance(one, APIRouter)}
    fields = [(route.path, field) for router in routers.values() for route in router.routes
              for field in route.dependant.path_params if field.field_info.annotation is int]
    assert len(fields) > 30
    for path, field in fields:
        assert field.validate("17", {}, loc=("path",)) == (17, []), path
        for text in ("+17", "17.0", " 17", "17\n", "1_7", "-0", "", "\u0661\u0667", "0" * 20 + "17", "9" * 19):
            assert field.validate(text, {}, loc=("path",))[1], (path, text)


def test_addresses_with_a_slash_too_many_are_no_redirects(site):
    for path in ("/jobs/", "//jobs", "/"):
        assert site.http.get(path, headers=site.bearer(site.key("ann", "desk"))).status_code == 404
    for path in ("/api", "/api/", "/api/docs/"):
        assert httpx.get(site.url + path, trust_env=False).status_code == 404


def test_mistake_of_our_own_is_a_500_that_tells_nothing(site, monkeypatch):
    def stumble(*_):
        raise RuntimeError("secret")

    monkeypatch.setattr("sheepfold.protocols.rest.flock.machine_list", stumble)
    transport = httpx.ASGITransport(application(site.farm), raise_app_exceptions=False)

    async def ask():
        async with httpx.AsyncClient(transport=transport, base_url="http://farm") as client:
            return await client.get("/v1/machines", headers=site.bearer(site.key("ann", "desk")))

    answer = asyncio.run(ask())
    assert (answer.status_code, answer.headers["content-type"]) == (500, "application/problem+json")
    assert "secret" not in answer.text


def test_farm_that_cannot_now_says_when_it_may(site):
    headers = site.bearer(site.key("ann", "desk"))
    site.farm.db.close()
    answer = site.http.post("/sessions", headers=headers, json={"abilities": {"kinds": ["flame"]}})
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) == site.farm.settings.retry_s


def test_odd_requests_find_no_mistake(site):
    pester(site, examples=1)


@pytest.mark.slow
@pytest.mark.timeout(1800)  # some thousand requests, on a machine that may be busy
def test_many_odd_requests_find_no_mistake(site):
    pester(site, examples=20)


def pester(site, examples):
    """Send generated requests, sound ones and broken ones, to every operation, as an artist and as a machine."""
    client = site.client()
    done = site.rendered(site.order(client), client)
    site.order(client, frames=30)
    machine = site.session()
    lease = site.http.post("/leases", headers=machine).json()["lease"]
    named = {"lease_id": lease, "job_id": done.id, "task_id": done.tasks[0].id, "number": 0, "name": "film.mp4"}
    named |= {"machine": "self", "browser_id": 1}
    ruler = site.bearer(_ruler(site))
    asked = {"size_bytes": 9, "sha256": "0" * 64}
    named["upload_id"] = site.http.post("/uploads", json=asked, headers=site.bearer(site.key("ann", "desk"))).json()[
        "upload"]
    schema = schemathesis.openapi.from_url(f"{site.url}/api/openapi.json")
    asked = 0
    for operation in (result.ok() for result in schema.get_all_operations()):
        if operation.path.endswith(("/events", "/sessions/current")):
            continue  # the one has no end, the other ends the session
        known = {name: named.get(name, 1) for name in re.findall(r"{(\w+)}", operation.path)}
        for mode, path in itertools.product(GenerationMode, [known, {}] if known else [{}]):
            try:
                strategy = operation.as_strategy(generation_mode=mode, path_parameters=path or None)
                keys = [ruler] if _rules(operation) else [site.bearer(site.key("ann", "desk")), machine]
                for key in keys:
                    asked += _ask(strategy, key, examples)
            except Unsatisfiable:
                continue  # nothing in this operation can be broken
    assert asked > 50 * examples


def _ruler(site):
    """Return the key of an owner that opens all the farm."""
    site.key("boss", "throne", Role.OWNER)
    return add_key(site.farm, "boss", "throne", Scope.MANAGE).key


def _rules(operation):
    return {"account", "farm"} & set(operation.tags or ())


def _ask(strategy, key, examples):
    count = 0

    @settings(max_examples=examples, deadline=None, database=None, phases=[Phase.generate],
              suppress_health_check=list(HealthCheck))
    @given(strategy)
    def ask(case):
        nonlocal count
        count += 1
        case.call_and_validate(headers=key, checks=CHECKS, timeout=60)

    ask()
    return count
