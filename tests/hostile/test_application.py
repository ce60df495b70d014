"""Strangers at the door of the whole application: every route of every wire and page, with whatever bodies."""

import json
import logging
import random
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import anyio.from_thread
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.routing import Mount, Route
from tests.conftest import DATABASES, new_database
from tests.hostile.ground import Door, Tracebacks, near_numbers, odd_headers, queries_of, tries, values

from sheepfold.app import make_app
from sheepfold.config import Settings
from sheepfold.farm.accounts import add_account, add_key
from sheepfold.farm.checkup import check
from sheepfold.farm.farm import Farm, open_farm
from sheepfold.farm.orders import Order, order_job
from sheepfold.model.accounts import Role
from sheepfold.protocols.registry import verifiers

TESTS = Path(__file__).parents[1]
GENOME = TESTS / "genomes" / "r1.flam3"
SPEC = {"frames": 3, "width": 32, "height": 32, "quality": 1, "temporal_samples": 1}
LIMIT_BYTES = 100_000
METHODS = ["GET", "GET", "GET", "POST", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]
NAMES = ["login", "password", "cpu_family", "cpu_cores", "os", "bits", "version", "ram", "extras", "job", "frame",
         "path", "computemethod", "rendertime", "memoryused", "type", "revision", "progress", "token", "u", "v", "id",
         "s", "g", "limit", "before", "after", "account", "mode", "chunk", "cursor", "next"]
WORDS = [b"<", b">", b"</", b"<!ENTITY a 'b'>", b"&a;", b"<value>", b"<int>9" * 50, b"-1", b"NaN", b"\x00", b"]]>",
         b"<base64>", b"\r\n--", b"Content-Disposition: form-data; name=\"spec\"", b"{", b"}", b"[" * 2000,
         b"\"spec\":", b"1e999", b"true", b"\xff\xfe", b"'", b"\\u0000", b"filename=\"../../x\""]
BOMB = b"""<?xml version="1.0"?><!DOCTYPE a [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">
<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;"><!ENTITY d "&c;&c;&c;&c;&c;&c;&c;&c;">]><methodCall><methodName>&d;</methodName>
</methodCall>"""
CALL = (b"<?xml version='1.0'?><methodCall><methodName>requests.poll</methodName><params><param><value><string>box"
        b"</string></value></param><param><value><string>d41d8cd98f00b204e9800998ecf8427e</string></value></param>"
        b"</params></methodCall>")
CACHE = b"""<?xml version="1.0" encoding="utf-8"?><cache><file md5="d41d8cd98f00b204e9800998ecf8427e"/></cache>"""
ORDER = json.dumps({"kind": "flame", "spec": SPEC, "abilities": {"kinds": ["flame"]}}).encode()
FORM = (b"--b\r\nContent-Disposition: form-data; name=\"order\"\r\n\r\n" + ORDER + b"\r\n--b\r\n"
        b"Content-Disposition: form-data; name=\"genome\"; filename=\"g\"\r\n\r\n<flame/>\r\n--b--\r\n")
UPLOAD = (b"--***232404jkg4220957934FW**\r\nContent-Disposition: form-data; name=\"file\";filename=\"1000_0001.png\""
          b"\r\n\r\n\x89PNG\r\n--***232404jkg4220957934FW**--\r\n")
BODIES: dict[bytes, bytes] = {
    b"text/xml": CALL, b"application/xml": BOMB, b"application/x-www-form-urlencoded": CACHE,
    b"multipart/form-data; boundary=b": FORM, b"multipart/form-data;boundary=***232404jkg4220957934FW**": UPLOAD,
    b"application/json": ORDER,
    b"image/png": b"\x89PNG\r\n\x1a\n", b"multipart/form-data": b"--\r\n\r\n", b"": b"\x00" * 50,
}


@dataclass(frozen=True, slots=True)
class Site:
    """A farm with its door, and the secrets of those who may enter."""

    farm: Farm
    door: Door
    keys: dict[str, str]


@pytest.fixture(scope="module", params=DATABASES)
def site(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("farm")
    with new_database(request.param, request, folder) as url:
        settings = Settings(data=folder, database_url=url, result_limit_bytes=LIMIT_BYTES,
                            input_limit_bytes=LIMIT_BYTES, claim_wait_limit_s=0)
        yield from opened_site(settings)


def opened_site(settings):
    log, root = Tracebacks(), logging.getLogger()
    root.addHandler(log)
    with open_farm(settings, verifiers) as farm, anyio.from_thread.start_blocking_portal() as portal:
        keys = {}
        for role in Role:
            account = add_account(farm, f"the-{role}", role, "")
            keys[role.value] = add_key(farm, account.name, f"box-of-{role}").key
        order_job(farm, account, Order("flame", SPEC, {"genome": GENOME}, "tiny"))
        farm.closing.set()  # whoever follows what happens is told at once that the server ends
        yield Site(farm, Door(make_app(farm), portal, log), keys)
    root.removeHandler(log)


def routes_under(application):
    """Return the routes of an application under all that wraps it."""
    while not hasattr(application, "routes"):
        application = next(one for one in vars(application).values() if callable(one))
    return application.routes


def paths_of(routes, prefix=""):
    """Return the paths of all routes, their parameters in braces."""
    found = []
    for route in routes:
        if isinstance(route, Mount):
            found += paths_of(route.routes or [], prefix + route.path) or [prefix + route.path + "/{path}"]
        elif isinstance(route, Route) or hasattr(route, "path"):
            found.append(prefix + route.path)
    return found


def spoilt(draw, body):
    """Change, cut or double some of a body, or put words into it."""
    chance = random.Random(draw(st.integers(0, 2**32)))
    for _ in range(draw(st.integers(0, 4))):
        at = chance.randrange(len(body) + 1)
        word = chance.choice([*WORDS, bytes([chance.randrange(256)]), body[:200]])
        body = body[:at] + word + body[at + chance.choice([0, 0, 1, 5, 50]):]
    return body


@st.composite
def requests(draw, paths):
    """Draw a request: a path of the application with odd parameters, and a body that is nearly right, or not at all."""
    path = re.sub(r"{[^}]*}", lambda _: draw(st.one_of(near_numbers, values)), draw(st.sampled_from(paths)))
    path = path.encode("utf-8", "replace").decode()  # servers decode paths with replacement
    media_type = draw(st.sampled_from(sorted(BODIES)))
    body = spoilt(draw, BODIES[draw(st.sampled_from([media_type] * 3 + sorted(BODIES)))])
    headers = [*draw(odd_headers), (b"content-type", media_type)]
    return draw(st.sampled_from(METHODS)), path, draw(queries_of(NAMES)), headers, body


def attacked(site, data):
    """Let one stranger in, or somebody with a key who means harm."""
    paths = paths_of(routes_under(site.door.application))
    method, path, query, headers, body = data.draw(requests(paths))
    if key := data.draw(st.sampled_from(["", *site.keys.values()])):
        headers = [*headers, (b"authorization", b"Bearer " + key.encode())]
    site.door.ask(method, path, query, headers, body)


@pytest.mark.timeout(600)
@given(data=st.data())
@tries(2000)
def test_no_request_to_any_route_upsets_the_farm(site, data):
    attacked(site, data)


@pytest.mark.slow
@pytest.mark.timeout(7200)
@given(data=st.data())
@tries(50_000)
def test_no_request_of_very_many_to_any_route_upsets_the_farm(site, data):
    attacked(site, data)


def test_ten_thousand_parameters_and_headers_change_nothing(site):
    query = b"&".join(b"p%d=%d" % (number, number) for number in range(10_000))
    headers = [(b"x-%d" % number, b"v" * 10) for number in range(10_000)]
    for path in paths_of(routes_under(site.door.application)):
        site.door.ask("GET", path, query, headers)


@pytest.mark.parametrize("text", ["\0", "a\0b", "x" * 100_000, "\ufffd"])
def test_no_text_that_a_database_would_not_take_upsets_the_farm(site, text):
    form = f"name={quote(text)}&password={quote(text)}&text={quote(text)}&email={quote(text)}".encode()
    typed = [(b"content-type", b"application/x-www-form-urlencoded"), (b"origin", b"http://localhost"),
             (b"host", b"localhost")]
    told = [(b"content-type", b"application/json")]
    names = ("name", "title", "email", "text", "url", "account", "machine", "code", "password")
    body = json.dumps(dict.fromkeys(names, text)).encode()
    for path in paths_of(routes_under(site.door.application)):
        odd = re.sub(r"{[^}]*}", lambda _: text, path)
        query = b"&".join(b"%s=%s" % (name.encode(), quote(text).encode()) for name in NAMES)
        for key in ("", *site.keys.values()):
            who = [(b"authorization", b"Bearer " + key.encode())] if key else []
            site.door.ask("GET", odd, query, who)
            site.door.ask("POST", odd, b"", [*who, *typed], form)
            site.door.ask("PUT", odd, b"", [*who, *told], body)
            site.door.ask("POST", odd, b"", [*who, *told], body)


def test_after_all_that_the_farm_is_whole(site):
    assert list(check(site.farm, read_blobs=True)) == []
