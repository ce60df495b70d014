"""Strangers at the door of the whole application: every route of every wire and page, with whatever bodies."""

import json
import logging
import random
import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, urlencode

import anyio.from_thread
import pytest
from bench.ground.furnished import ENVIRONMENT, PAGE, Clock, Furnished, Person, furnished_settings
from bench.ground.fuzzing import Tracebacks
from bench.ground.seed import bearer, cookie
from hypothesis import given
from hypothesis import strategies as st
from tests.conftest import DATABASES, new_database
from tests.hostile.ground import (
    Door,
    Operation,
    near_numbers,
    odd_headers,
    operations_of,
    queries_of,
    tries,
    values,
)
from tests.protocols.rest.test_roles import MATRIX

import sheepfold
from sheepfold.app import make_app
from sheepfold.farm import people, teams, uploads
from sheepfold.farm.accounts import add_account, add_key
from sheepfold.farm.backups import ask_backup
from sheepfold.farm.browsers import list_factories
from sheepfold.farm.checkup import check
from sheepfold.farm.farm import Farm, open_farm
from sheepfold.farm.owner import change_role, reopen_account
from sheepfold.model.accounts import Role, Scope
from sheepfold.model.errors import NotFound
from sheepfold.protocols import registry
from sheepfold.web import pages
from sheepfold.web.program import wheel_name

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
TYPED = b"application/x-www-form-urlencoded"
OWN_PAGE = [(b"host", b"localhost"), (b"origin", b"http://localhost")]
BODIES: dict[bytes, bytes] = {
    b"text/xml": CALL, b"application/xml": BOMB, b"application/x-www-form-urlencoded": CACHE,
    b"multipart/form-data; boundary=b": FORM, b"multipart/form-data;boundary=***232404jkg4220957934FW**": UPLOAD,
    b"application/json": ORDER,
    b"image/png": b"\x89PNG\r\n\x1a\n", b"multipart/form-data": b"--\r\n\r\n", b"": b"\x00" * 50,
}


FIELDS = sorted({name for path in Path(sheepfold.__file__).parent.rglob("*.html")
                 for name in re.findall(r'\bname="([a-z_0-9]+)"', path.read_text())} | {"order", "browser", "ids"})
"""The names of all fields that a form of the pages has."""
WISE = ["yes", "json", "job.done", "owner", "artist", "volunteer", "work", "order", "manage", "role", "close", "reopen",
        "lead", "remove", "test", "enable", "1-3", "22-7", "flame/Coral", "Coral", PAGE, "ann@example.org"]
"""Values that some field takes."""
REFRESH = 100
"""After so many requests everybody is let in anew, whatever was done to them."""


@dataclass(slots=True)
class Site:
    """A furnished farm with its door, and those who may enter: a person of each role, by key and by browser."""

    farm: Farm
    door: Door
    room: Furnished
    people: dict[str, Person] = field(default_factory=dict)
    operations: list[Operation] = field(default_factory=list)
    known: dict[str, list[str]] = field(default_factory=dict)
    asked: Counter = field(default_factory=Counter)
    inside: Counter = field(default_factory=Counter)

    def refresh(self):
        """Let everybody in anew, and see that what is known is there."""
        self.room.turn()
        for role in Role:
            name = f"the-{role}"
            if role.value not in self.people:
                add_account(self.farm, name, role, "")
            change_role(self.farm, None, name, role)
            reopen_account(self.farm, None, name)
            key = add_key(self.farm, name, f"box-of-{role}", Scope.MANAGE)
            self.people[role.value] = Person(key.account, key, people.open_web_session(self.farm, key.account, "b"))
        self.known = {name: [str(one) for one in ids] for name, ids in known_of(self.room).items()}

    def ask(self, method, path, query, headers, body, kind=""):
        """Send a request; whoever comes past the door of a kind is counted."""
        if sum(self.asked.values()) % REFRESH == 0:
            self.refresh()
        answer = self.door.ask(method, path, query, headers, body)
        self.asked[kind] += 1
        is_led_away = answer.headers.get(b"location", b"").startswith(b"/sign-in")
        self.inside[kind] += answer.status not in {401, 403, 404, 405} and not is_led_away
        return answer


def known_of(room):
    """Return what is there, by the names of parameters: at least one for each parameter of each path."""
    farm, owner = room.farm, room.owner
    worker, lease = room.lease("rest", "flame")
    factory, request, _ = room.visited()
    leader, _, team = room.member()
    upload = uploads.create_upload(farm, owner.account, 3, "0" * 64).id
    try:
        teams.view_team(farm, room.team)
    except NotFound:
        teams.make_team(farm, room.person().account, room.team)
    browsers = [one.id for machine in list_factories(farm)[-1:] for one in machine.browsers]
    return {
        "job_id": [room.flame.id, room.page.id, room.spare().id], "task_id": [*room.tasks, request],
        "lease_id": [lease.lease_id], "lease": [lease.lease_id], "upload_id": [upload], "hook_id": [room.hook()],
        "name": [room.product, "genome", owner.name, worker.name, "requests.poll", room.hashkey, wheel_name(),
                 f"electricsheep.1.{room.sheep.number:05d}", room.passer.name],
        "machine": [owner.key.machine.name], "generation": [room.sheep.generation], "number": [room.sheep.number],
        "team": [room.team], "account_name": [owner.name], "browser_id": browsers,
        "key_id": [1], "session_id": [1], "backup_id": [ask_backup(farm, owner.account).id],
        "token": [room.machine("sheepit").token, room.share()], "factory": [factory.name], "request": [request],
        "encrypted": [room.proof(factory)], "hashkey": [room.hashkey], "head": [room.hashkey[:2]],
        "size": ["original", "160"], "ending": ["avi", "mp4"], "kind": ["flame", "blender", "screenshot"],
        "deed": ["pause", "resume"], "frame": [0, 1], "part": [0],
        "code": [teams.invite(farm, leader.account, team)], "path": ["fold.svg"],
    }


@pytest.fixture(scope="module", params=DATABASES)
def site(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("farm")
    with new_database(request.param, request, folder) as url, pytest.MonkeyPatch.context() as patch:
        for name, value in ENVIRONMENT.items():
            patch.setenv(name, value)
        settings = furnished_settings(folder, database_url=url, result_limit_bytes=LIMIT_BYTES,
                                      input_limit_bytes=LIMIT_BYTES)
        yield from opened_site(settings)


def opened_site(settings):
    log, root, clock = Tracebacks(), logging.getLogger(), Clock()
    root.addHandler(log)
    with open_farm(settings, registry.verifiers, clock) as farm, anyio.from_thread.start_blocking_portal() as portal:
        application = make_app(farm)
        made = Site(farm, Door(application, portal, log), Furnished(farm, clock), operations=operations_of(application))
        farm.closing.set()  # whoever follows what happens is told at once that the server ends
        made.refresh()
        yield made
    root.removeHandler(log)


def spoilt(draw, body):
    """Change, cut or double some of a body, or put words into it."""
    chance = random.Random(draw(st.integers(0, 2**32)))
    for _ in range(draw(st.integers(0, 4))):
        at = chance.randrange(len(body) + 1)
        word = chance.choice([*WORDS, bytes([chance.randrange(256)]), body[:200]])
        body = body[:at] + word + body[at + chance.choice([0, 0, 1, 5, 50]):]
    return body


def path_of(operation, known, draw):
    """Return the path of an operation, its parameters chosen by `draw`, of what is known and of all else."""
    def parameter(found):
        name = found[0].strip("{}").partition(":")[0]
        return draw(name, known.get(name, ["1"]))

    path = re.sub(r"{[^}]*}", parameter, operation.path)
    return path.encode("utf-8", "replace").decode()  # servers decode paths with replacement


def among(known):
    """Draw one of what is known; what Hypothesis sees of it does not change with what the farm has meanwhile."""
    return st.integers(0, 999).map(lambda number: known[number % len(known)])


@st.composite
def requests(draw, site):
    """Draw a request: an operation of the application, mostly on what is there, and a body that is nearly right."""
    operation = draw(st.sampled_from(site.operations))
    odd = st.one_of(near_numbers, values)
    path = path_of(operation, site.known,
                   lambda _, known: draw(st.one_of(*[among(known)] * 4, odd)))
    method = draw(st.sampled_from([operation.method] * 30 + METHODS))
    media_type = draw(st.sampled_from(sorted(BODIES)))
    body = spoilt(draw, BODIES[draw(st.sampled_from([media_type] * 3 + sorted(BODIES)))])
    is_form = method == "POST" and operation.method == "POST" and not path.startswith("/api")
    if is_form and draw(st.integers(0, 3)):
        ids = sorted({one for ids in site.known.values() for one in ids})
        value = st.one_of(st.sampled_from(WISE), among(ids), near_numbers, st.text(max_size=40))
        fields = draw(st.lists(st.tuples(st.sampled_from(FIELDS), value), max_size=12))
        media_type, body = TYPED, urlencode(fields, errors="replace").encode()
        body = spoilt(draw, body) if draw(st.booleans()) else body
    headers = [] if draw(st.integers(0, 3)) else draw(odd_headers)
    return method, path, draw(queries_of(NAMES)), [*headers, (b"content-type", media_type)], body


def attacked(site, data):
    """Let one stranger in, or somebody who means harm, with a key, a session or a browser that is signed in."""
    method, path, query, headers, body = data.draw(requests(site))
    who = data.draw(st.sampled_from(["nobody", "owner", "owner", "owner", "artist", "volunteer", "machine"]))
    own = {"nobody": [], "machine": [bearer(site.room.machine("rest").token)]}
    if who not in own:
        person = site.people[who]
        own[who] = [bearer(person.key.key), cookie(person), *OWN_PAGE]
    kind = f"{who} at {'rest' if path.startswith('/api') else 'pages'}"
    site.ask(method, path, query, [*own[who], *headers], body, kind)


@pytest.mark.timeout(600)
@given(data=st.data())
@tries(1000)
def test_no_request_to_any_route_upsets_the_farm(site, data):
    attacked(site, data)


@pytest.mark.slow
@pytest.mark.timeout(7200)
@given(data=st.data())
@tries(25_000)
def test_no_request_of_very_many_to_any_route_upsets_the_farm(site, data):
    attacked(site, data)


def by_owner(site):
    owner = site.people["owner"]
    return [bearer(owner.key.key), cookie(owner), *OWN_PAGE]


def test_every_operation_of_every_wire_and_page_is_asked(site):
    names = {re.sub(r"{[^}]*}", "{}", one.name) for one in site.operations}
    wanted = {f"{method} /api/v1{path}" for method, path in (one.split(" ") for one in MATRIX)}
    routes = pages.routes(site.farm)
    for row in registry.PROTOCOLS.values():
        routes += registry.load(row.routes)(site.farm)
    wanted |= {f"{method} {route.path}" for route in routes for method in getattr(route, "methods", None) or ()
               if method != "HEAD"}
    assert len(wanted) > 250
    assert sorted(one for one in wanted if re.sub(r"{[^}]*}", "{}", one) not in names) == []


def test_each_operation_is_led_to_by_what_is_known(site):
    for operation in site.operations:
        path = path_of(operation, site.known, lambda name, _: site.known[name][0])
        answer = site.ask(operation.method, path, b"", by_owner(site), b"")
        assert answer.status != 405, operation
        assert callable(answer.endpoint), operation
        assert not hasattr(answer.endpoint, "openapi"), operation  # the API's application itself, and nothing in it


def test_ten_thousand_parameters_and_headers_change_nothing(site):
    query = b"&".join(b"p%d=%d" % (number, number) for number in range(10_000))
    headers = [(b"x-%d" % number, b"v" * 10) for number in range(10_000)]
    for operation in site.operations:
        path = path_of(operation, site.known, lambda name, _: site.known[name][0])
        site.ask(operation.method, path, query, [*by_owner(site), *headers], b"", "ten thousand")
    assert site.inside["ten thousand"] > site.asked["ten thousand"] / 2


@pytest.mark.parametrize("text", ["\0", "a\0b", "x" * 100_000, "\ufffd"])
def test_no_text_that_a_database_would_not_take_upsets_the_farm(site, text):
    fields = urlencode(dict.fromkeys(FIELDS, text)).encode()
    names = ("name", "title", "email", "text", "url", "account", "machine", "code", "password")
    told = json.dumps(dict.fromkeys(names, text)).encode()
    query = b"&".join(b"%s=%s" % (name.encode(), quote(text).encode()) for name in NAMES)
    for operation in site.operations:
        path = path_of(operation, site.known, lambda name, _: site.known[name][0])
        odd = path_of(operation, site.known, lambda *_: text)
        body, media_type = (told, b"application/json") if path.startswith("/api") else (fields, TYPED)
        for where, asked in ((path, query), (odd, b"")):
            site.ask(operation.method, where, asked, [*by_owner(site), (b"content-type", media_type)], body)


def test_those_who_may_enter_came_past_the_doors(site):
    for kind in ("owner at rest", "owner at pages"):
        assert site.inside[kind] > site.asked[kind] / 4 or site.asked[kind] < 100, (kind, site.inside, site.asked)


def test_after_all_that_the_farm_is_whole(site):
    found = {one.invariant for one in check(site.farm, read_blobs=True)}
    assert found <= {"no chore waits for a day"}  # nobody keeps house here
