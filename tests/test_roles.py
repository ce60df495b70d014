"""The matrix of callers by doors: who is let in where, for every door that the application has, and what they can do.

The doors of the REST API have a matrix of their own, in tests/protocols/rest/test_roles.py.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import pytest
from argon2 import PasswordHasher
from fastapi.routing import iter_route_contexts
from starlette.routing import Mount
from starlette.testclient import TestClient
from tests.conftest import ANY_SITE, GENOMES, PAGE, Clock, World
from tests.protocols.browsershots.conftest import PretendFactory
from tests.protocols.rest.test_roles import MATRIX as REST
from tests.protocols.test_roles import DOORS as WIRES
from tests.rows import Rows

from sheepfold.app import make_app
from sheepfold.config import Settings
from sheepfold.farm import accounts, people, privacy, screenshots, sight, teams, views, webhooks
from sheepfold.farm.accounts import add_key
from sheepfold.farm.browse import view_job
from sheepfold.farm.browsers import add_browser
from sheepfold.farm.farm import Farm, open_farm
from sheepfold.farm.orders import Order, order_job
from sheepfold.model.accounts import Account, Role, Scope
from sheepfold.model.browsers import BrowserProgram
from sheepfold.protocols.registry import verifiers
from sheepfold.protocols.visitors import COOKIE, SHARES_COOKIE
from sheepfold.web.program import wheel_name

ORIGIN = "http://localhost"
PASSWORD = "a long enough one"
SIGNED_IN = {"volunteer", "artist", "account", "owner"}
"""By a browser's cookie, of each role one; `account` is the artist whose jobs, machine, team and keys are asked for."""
OUTSIDE = {"nobody", "ended", "guest", "key", "token"}
"""Who is not signed in: `ended` was; `guest` followed a link to a job; `key` and `token` are an owner's programs."""
EVERYBODY = SIGNED_IN | OUTSIDE
LEVELS = {
    "anyone": EVERYBODY,
    "visitor": EVERYBODY,
    "link": EVERYBODY,
    "shown": EVERYBODY,
    "member": SIGNED_IN,
    "teamless": SIGNED_IN - {"account"},
    "artist": SIGNED_IN - {"volunteer"},
    "own": {"account", "owner"},
    "mine": {"account"},
    "owner": {"owner"},
    "key": {"key"},
}
CLOSED = {"visitor": SIGNED_IN, "link": SIGNED_IN | {"guest"}, "shown": SIGNED_IN | {"key"}}
"""Levels of which fewer are let in where the farm is closed to visitors."""


class Row(NamedTuple):
    """Who is let in at a door, the form with which it does something, and what it answers: a status or where to."""

    level: str
    form: str = ""
    leads: str = "200"
    refused: str = "403"
    """What who is signed in is told instead."""
    outside: str = ""
    """What who is not signed in is told instead: to sign in, unless this says otherwise."""
    job: str = "done"
    """Which job the door's path names."""


_PART = '--b\r\nContent-Disposition: form-data; name="{}"; filename="x"\r\n\r\n{}\r\n'
ORDER = _PART.format("order", '{"kind": "flame", "spec": {"frames": 1, "width": 32, "height": 32, "quality": 1}}')
ORDER += _PART.format("genome", (GENOMES / "r1.flam3").read_text("ascii")) + "--b--\r\n"
MATRIX = {
    "GET /": Row("visitor"),
    "GET /fragments/now": Row("visitor"),
    "GET /fragments/jobs/{job_id}": Row("link"),
    "GET /jobs": Row("visitor"),
    "GET /mine": Row("member"),
    "GET /jobs/{job_id}": Row("link"),
    "GET /jobs/{job_id}/head": Row("link"),
    "GET /jobs/{job_id}/frames/{frame}.{part}": Row("link"),
    "GET /jobs/{job_id}/tiles": Row("link"),
    "GET /jobs/{job_id}/frames.zip": Row("link"),
    "POST /jobs/{job_id}/cancel": Row("own", "", "/jobs/{job_id}", job="running"),
    "POST /jobs/{job_id}/priority": Row("own", "priority=5", "/jobs/{job_id}", job="running"),
    "POST /jobs/{job_id}/more": Row("own", "frames=8", "/jobs/{job_id}", job="running"),
    "POST /jobs/{job_id}/private": Row("own", "private=yes", "/jobs/{job_id}"),
    "POST /jobs/{job_id}/keep": Row("own", "keep=yes", "/jobs/{job_id}"),
    "POST /jobs/{job_id}/team": Row("own", "team=yes", "/jobs/{job_id}", refused="404", job="private"),
    "POST /jobs/{job_id}/share": Row("own"),
    "POST /jobs/{job_id}/unshare": Row("own", "", "/jobs/{job_id}"),
    "POST /tasks/{task_id}/again": Row("own", "", "/tasks/{task_id}"),
    "POST /tasks/{task_id}/problem": Row("member", "text=It+is+torn.", "/tasks/{task_id}"),
    "GET /shared/{token}": Row("anyone", "", "/jobs/{job_id}"),
    "GET /tasks/{task_id}": Row("link"),
    "GET /flock": Row("visitor"),
    "GET /flock/player": Row("visitor"),
    "GET /flock/{generation}/{number}": Row("visitor"),
    "POST /flock/{generation}/{number}/vote": Row("member", "value=1", "/flock/{generation}/{number}"),
    "POST /flock/{generation}/{number}/retire": Row("own", "", "/flock/{generation}/{number}"),
    "GET /shots": Row("visitor"),
    "GET /shots/{job_id}": Row("link"),
    "POST /shots/{job_id}/prolong": Row("own", "", "/shots/{job_id}", job="fleeting"),
    "GET /shots/{job_id}/changes": Row("link"),
    "POST /shots/{job_id}/accept": Row("own", "", "/shots/{job_id}/changes"),
    "GET /order": Row("artist"),
    "GET /order/{kind}": Row("artist"),
    "POST /order/{kind}": Row("artist", ORDER, "/jobs/{new_job}"),
    "POST /order/{kind}/check": Row("artist", ORDER),
    "POST /order/{kind}/sketch": Row("artist", ORDER),
    "POST /order/{kind}/files": Row("artist", "what a file holds", "201"),
    "POST /order/{kind}/sample": Row("artist", "title=Coral", "/jobs/{new_job}"),
    "GET /begin": Row("anyone", "", "/"),
    "POST /begin": Row("anyone", f"name=kim&password={PASSWORD}", "422"),
    "GET /sign-in": Row("anyone"),
    "POST /sign-in": Row("anyone", f"name=vera&password={PASSWORD}", "/"),
    "GET /sign-up": Row("anyone"),
    "POST /sign-up": Row("anyone", f"name=kim&password={PASSWORD}&code={{invitation}}", "/machines/add"),
    "GET /forgotten": Row("anyone"),
    "POST /forgotten": Row("anyone", "email=bob@example.org"),
    "POST /sign-out": Row("member", "", "/"),
    "GET /machines": Row("member"),
    "GET /fragments/machines": Row("member"),
    "GET /machines/add": Row("member"),
    "POST /machines/add": Row("member", "name=shed"),
    "POST /machines/{name}/rules": Row("own", "idle_min=5", "/machines"),
    "POST /machines/{name}/{deed}": Row("own", "", "/machines"),
    "GET /join": Row("anyone"),
    "GET /program/{name}": Row("anyone"),
    "GET /people": Row("visitor"),
    "GET /account": Row("member"),
    "GET /account/data.json": Row("member"),
    "POST /account/password": Row("member", f"old={PASSWORD}&password=another+long+one", "/account"),
    "POST /account/email": Row("member", "email=x@example.org", "/account"),
    "POST /account/verify": Row("mine", "code={letter}", "/account", "422"),
    "POST /account/sessions": Row("mine", "session={session}", "/account", "/account"),
    "POST /account/keys": Row("mine", "key={key}", "/account", "404"),
    "POST /account/invite": Row("artist", "role=volunteer"),
    "POST /account/forget": Row("member", f"password={PASSWORD}", "/"),
    "GET /account/webhooks": Row("member"),
    "POST /account/webhooks": Row("member", "url=http://127.0.0.1/&form=json"),
    "POST /account/webhooks/{hook_id}": Row("mine", "deed=remove", "/account/webhooks", "404"),
    "GET /teams": Row("visitor"),
    "POST /teams": Row("teamless", "name=shearers", "/teams/shearers", "409"),
    "GET /teams/{team}": Row("visitor"),
    "POST /teams/{team}/invite": Row("own"),
    "POST /teams/{team}/members/{name}": Row("own", "deed=remove", "/teams/{team}"),
    "GET /invited/{code}": Row("member"),
    "POST /invited/{code}": Row("teamless", "", "/teams/{team}", "409"),
    "GET /owner": Row("owner"),
    "GET /owner/people": Row("owner"),
    "POST /owner/people/{name}": Row("owner", "deed=role&role=artist", "/owner/people"),
    "GET /owner/machines": Row("owner"),
    "GET /owner/audit": Row("owner"),
    "POST /owner/check": Row("owner"),
    "POST /owner/backup": Row("owner", "", "/owner"),
    "GET /fragments/backup": Row("owner"),
    "GET /previews/{task_id}.jpg": Row("link"),
    "GET /pictures/{task_id}": Row("link"),
    "GET /products/{job_id}/{name}": Row("link"),
    "GET /events": Row("visitor"),
    "GET /static/{path}": Row("anyone"),
    "GET /healthz": Row("anyone"),
    "GET /readyz": Row("anyone"),
    "GET /metrics": Row("key", refused="401", outside="401"),
    "GET /api/docs": Row("anyone"),
    "GET /api/openapi.json": Row("anyone"),
    "GET /xmlrpc": Row("anyone", "", "/xmlrpc/"),
    "GET /xmlrpc/": Row("anyone"),
    "GET /xmlrpc/{name}": Row("anyone", "", "/xmlrpc/{name}/"),
    "GET /xmlrpc/{name}/": Row("anyone"),
    "GET /screenshots": Row("anyone", "", "/screenshots/"),
    "GET /screenshots/": Row("shown"),
    "GET /screenshots/{hashkey}": Row("anyone", "", "/screenshots/{hashkey}/"),
    "GET /screenshots/{hashkey}/": Row("shown"),
    "GET /png/{size}/{head}/{name}.png": Row("shown", outside="401"),
    "GET /redirect/": Row("anyone"),
    "GET /cgi/list": Row("anyone"),
    "GET /cgi/status.cgi": Row("anyone"),
    "GET /gen/{generation}/{number}/sheep.{ending}": Row("anyone"),
    "GET /gen/{generation}/{number}/{name}.flam3": Row("anyone"),
}
ASK_ONLY = {"POST /order/{kind}/check", "POST /order/{kind}/sketch", "POST /owner/check", "POST /begin"}
"""Forms that change nothing, for whoever sends them; `/begin` does where a farm has no owner yet."""


def doors(application: Any) -> set[str]:
    """Return every door of an application, as the matrices write it; whoever may GET may ask for the HEAD alone."""
    return set(_walked(application._inner._application.routes))


def _walked(routes, root=""):
    for route in routes:
        path = root + getattr(route, "path", "")
        if hasattr(route, "methods"):
            yield from (f"{method} {path}" for method in route.methods - {"HEAD"})
        elif not isinstance(route, Mount):
            yield from _walked(route._routes)  # other spellings of paths
        elif route.routes:
            yield from _walked(iter_route_contexts(route.routes), path)
        else:
            yield f"GET {path}/{{path}}"


@dataclass
class Site:
    """A farm in which everything is there that a door may lead to; it is served to visitors, and closed to them."""

    farm: Farm
    served: Mapping[bool, TestClient]
    """By whether visitors see it."""
    callers: Mapping[str, dict[str, str]]
    """The headers that each sends."""
    values: Mapping[str, str]
    jobs: Mapping[str, int]
    names: Mapping[str, str]
    rows: Rows

    def ask(self, door: str, caller: str, *, visitors: bool = True, head: bool = False, **headers: str
            ) -> tuple[str, set[str]]:  # fmt: skip
        """Ask at a door with its form; returns where the answer leads, or its status, and what that changed.

        All is as before then. Of a GET one may ask for the `head` alone.
        """
        method, path = door.split(" ")
        form = self.filled(door, MATRIX[door].form)
        sort = "multipart/form-data; boundary=b" if form.startswith("--b") else "application/x-www-form-urlencoded"
        told = {"Origin": ORIGIN, "Content-Type": sort} if method == "POST" else {}
        told |= self.callers[caller] | headers
        http, path = self.served[visitors], self.filled(door, path)
        sent = {"params" if method == "GET" else "content": form}
        answer = http.request("HEAD" if head else method, path, headers=told, **sent)
        http.cookies.clear()
        return answer.headers.get("location", str(answer.status_code)).removeprefix(ORIGIN), self.rows.undo()

    def filled(self, door: str, text: str) -> str:
        """Return a text with the names in braces replaced by what they are in this farm."""
        values = {**self.values, "job_id": str(self.jobs[MATRIX[door].job]), "name": self.names.get(door, "")}
        return re.sub(r"{(\w+)}", lambda found: values[found[1]], text)

    def wanted(self, door: str, caller: str, *, visitors: bool = True) -> str:
        """Return what the matrix says that a caller is answered at a door."""
        row, (method, path) = MATRIX[door], door.split(" ")
        if caller in let_in(row.level, visitors=visitors):
            return self.filled(door, row.leads)
        if caller in SIGNED_IN:
            return row.refused
        return row.outside or ("401" if method == "POST" else f"/sign-in?next={self.filled(door, path)}")


def let_in(level: str, *, visitors: bool = True) -> set[str]:
    """Return who is let in, on a farm that visitors see or that is closed to them."""
    return LEVELS[level] if visitors else CLOSED.get(level, LEVELS[level])


@pytest.fixture(scope="module")
def site(tmp_path_factory, new_folder, shared_inspector) -> Iterator[Site]:
    settings = Settings(data=new_folder(tmp_path_factory.mktemp("roles") / "farm"), **ANY_SITE, ready_needs_house=False,
                        browsershots_load_limit=0, webhook_allowed_ranges=("127.0.0.0/8",), backup_folder="/nowhere")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(accounts, "_hasher", lambda: PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
        patch.setenv("SHEEPFOLD_BPY_PYTHON", "/nonexistent/python")
        with open_farm(settings, verifiers, Clock(), shared_inspector) as farm:
            closed = replace(farm, settings=replace(settings, visitors=False))
            asked = {"base_url": ORIGIN, "follow_redirects": False, "client": ("127.0.0.1", 1)}
            with TestClient(make_app(farm), **asked) as http, TestClient(make_app(closed), **asked) as shut:
                made = filled(farm, {True: http, False: shut})
                farm.closing.set()  # so that a stream ends when it has begun
                yield made
                made.rows.close()


def filled(farm: Farm, served: Mapping[bool, TestClient]) -> Site:
    """Fill a farm with whatever doors may lead to, most of it ann's."""
    world = World(farm, None, farm.settings.data)
    ann, bob, boss, *_ = (world.account(name, role) for name, role in PEOPLE.items())
    for name in PEOPLE:
        people.set_password(farm, world.account(name), PASSWORD)
    teams.make_team(farm, ann, "woolpack")
    teams.join(farm, bob, teams.invite(farm, ann, "woolpack"))
    people.verify_email(farm, bob, letter_to(farm, bob))
    jobs = happened(world, served[True])
    views.view_farm(farm)  # which counts the blobs when first looked at
    (shot,) = screenshots.list_screenshots(farm, 1)
    link = sight.share_job(farm, ann, jobs["done"])
    cookies = {name: people.open_web_session(farm, world.account(name), "a test") for name in ("ann", *PEOPLE)}
    people.sign_out(farm, cookies["bob"])
    key = add_key(farm, "boss", "throne", Scope.MANAGE).key
    asked = {"abilities": {"kinds": ["flame"]}}
    token = served[True].post("/api/v1/sessions", json=asked, headers=bearer(key)).json()["session"]
    add_key(farm, "ann", "box")
    callers = {
        "nobody": {}, "ended": cookie(cookies["bob"]), "guest": {"Cookie": f"{SHARES_COOKIE}={link}"},
        "key": cookie(key) | bearer(key), "token": cookie(token) | bearer(token), "volunteer": cookie(cookies["vera"]),
        "artist": cookie(cookies["art"]), "account": cookie(cookies["ann"]), "owner": cookie(cookies["boss"]),
    }  # fmt: skip
    values = {
        "task_id": view_job(farm, jobs["done"]).tasks[0].id, "frame": 0, "part": 0, "generation": 1, "number": 1,
        "new_job": max(jobs.values()) + 1, "kind": "flame", "deed": "pause", "team": "woolpack", "token": link,
        "code": teams.invite(farm, ann, "woolpack"), "invitation": people.invite(farm, boss, Role.VOLUNTEER),
        "letter": letter_to(farm, ann), "session": people.list_web_sessions(farm, ann.id)[-1].id,
        "key": privacy.list_keys(farm, ann)[0].id, "path": "fold.svg", "size": "original", "ending": "avi",
        "hook_id": webhooks.add_webhook(farm, ann, webhooks.Wanted("http://127.0.0.1/")).id,
        "hashkey": shot.hashkey, "head": shot.hashkey[:2],
    }  # fmt: skip
    names = {
        "POST /machines/{name}/rules": "box", "POST /machines/{name}/{deed}": "box", "POST /owner/people/{name}": "bob",
        "POST /teams/{team}/members/{name}": "bob", "GET /program/{name}": wheel_name(),
        "GET /products/{job_id}/{name}": "changes.json", "GET /png/{size}/{head}/{name}.png": shot.hashkey,
        "GET /xmlrpc/{name}": "requests.poll", "GET /xmlrpc/{name}/": "requests.poll",
        "GET /gen/{generation}/{number}/{name}.flam3": "electricsheep.1.00001",
    }  # fmt: skip
    texts = {name: str(value) for name, value in values.items()}
    return Site(farm, served, callers, texts, jobs, names, Rows(farm))


PEOPLE = {"ann": Role.ARTIST, "bob": Role.VOLUNTEER, "boss": Role.OWNER, "chef": Role.OWNER, "vera": Role.VOLUNTEER,
          "art": Role.ARTIST}  # fmt: skip


def happened(world: World, http: TestClient) -> dict[str, int]:
    """Have ann order jobs, and some of them be made; returns their ids."""
    farm, ann = world.farm, world.account("ann")
    order_job(farm, ann, Order("screenshot", {"url": PAGE, "browsers": ["firefox"]}))
    factory = PretendFactory(http, "argo", add_key(farm, "bob", "argo").key)
    add_browser(farm, None, "argo", BrowserProgram("Firefox", "3.0", command="firefox"), "", None)
    factory.shoot()
    world.flame(frames=1)
    for colours in (0, 1):
        done = world.order(baseline="The front page")
        world.make_all(world.maker("ruby", "bob"), first=colours)
    world.do_chores()
    hidden = world.order()
    sight.set_private(farm, ann, hidden.id, is_private=True)
    scene = world.folder / "scene.blend"
    scene.write_bytes(b"BLENDER-v402")
    running = order_job(farm, ann, Order("blender", {"frames": "1-2", "width": 64, "height": 48}, {"project": scene}))
    fleeting = world.order(expire_s=600)
    return {"done": done.id, "private": hidden.id, "running": running.id, "fleeting": fleeting.id}


def letter_to(farm: Farm, account: Account) -> str:
    """Have an account prove an address; returns the code that is sent there."""
    people.set_email(farm, account, f"{account.name}@example.org")
    letters = (path.read_text("utf-8") for path in (farm.settings.data / "outbox").iterdir())
    return next(text for text in letters if f"To: {account.name}@" in text).split()[-1]


def cookie(token: str) -> dict[str, str]:
    return {"Cookie": f"{COOKIE}={token}"}


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def test_every_door_has_a_row_and_every_row_a_door(site):
    rest = {door.replace(" ", " /api/v1") for door in REST if not door.startswith("HEAD")}
    assert doors(site.served[True].app) == MATRIX.keys() | rest | WIRES | {"PUT /api/v1/leases/{lease}/result"}


@pytest.mark.parametrize("door", MATRIX)
def test_each_caller_is_let_in_where_the_matrix_says_and_nowhere_else(site, door):
    does = door.startswith("POST") and door not in ASK_ONLY
    for visitors, callers in (True, EVERYBODY), (False, {"nobody", "guest", "key", "volunteer"}):
        for caller in sorted(callers):
            answer, changed = site.ask(door, caller, visitors=visitors)
            assert answer == site.wanted(door, caller, visitors=visitors), f"{caller}, visitors: {visitors}"
            may = caller in let_in(MATRIX[door].level, visitors=visitors)
            assert bool(changed) == (does and may), (caller, changed)


@pytest.mark.parametrize("door", [door for door in MATRIX if door.startswith("GET")])
def test_a_head_is_for_whom_the_whole_is_for(site, door):
    for caller in "nobody", "guest", "volunteer", "owner":
        answer, changed = site.ask(door, caller, visitors=False, head=True)
        may = caller in let_in(MATRIX[door].level, visitors=False)
        assert (answer == site.filled(door, MATRIX[door].leads), changed) == (may, set()), (caller, answer)


@pytest.mark.parametrize("door", [door for door in MATRIX if door.startswith("POST")])
def test_no_form_does_anything_that_was_not_sent_from_a_page_of_ours(site, door):
    for caller in sorted(let_in(MATRIX[door].level)):
        for origin in "http://evil.example", "":
            assert site.ask(door, caller, Origin=origin) == ("403", set()), (caller, origin)
