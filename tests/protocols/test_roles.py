"""The matrix of machines by requests: who is let in where on the old wires, and whose work they can touch."""

import re
import xmlrpc.client
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from starlette.testclient import TestClient
from tests.conftest import ANY_SITE, PAGE, Clock, World, picture
from tests.protocols.browsershots.conftest import FIREFOX_UA, PretendFactory, paint
from tests.protocols.sheepit.conftest import Client, written_multipart
from tests.rows import Rows

from sheepfold.app import make_app
from sheepfold.config import Settings
from sheepfold.farm.accounts import add_key
from sheepfold.farm.browsers import add_browser
from sheepfold.farm.farm import open_farm
from sheepfold.farm.orders import Order, order_job
from sheepfold.farm.renderers import Target, add_local
from sheepfold.model.accounts import Account, Role
from sheepfold.model.browsers import BrowserProgram
from sheepfold.protocols.browsershots.methods import METHODS
from sheepfold.protocols.electricsheep import wire as flock_wire
from sheepfold.protocols.electricsheep.credentials import Credentials, encode_basic, own_password_hash
from sheepfold.protocols.registry import verifiers

CALLERS = ("nobody", "wrong", "liar", "other", "right")
"""Who asks for what was given to `right`: without a key, with one that is none, with another one's in the name of
`right` (or a session of another wire), and as another machine, which is let in for work of its own."""
SHEEPIT = {
    "/server/config.php": ("version=6.2&os=linux&bits=64bit&login={nick}&password={key}", "104 102 102 0! 0!"),
    "/server/request_job.php": ("computemethod=1", "202 202 202 0! 0!"),
    "/server/send_frame.php": ("job={job}&frame={frame}&rendertime=4&memoryused=9", "304 304 304 0 0!"),
    "/server/archive.php": ("type=job&job={job}", "404 404 404 404 ok!"),
    "/server/download.php": ("type=binary&job={job}", "404 404 404 404 ok!"),
    "/server/bin.php": ("job={job}", "404 404 404 404 ok!"),
    "/server/chunk.php": ("chunk={chunk}", "404 404 404 404 ok!"),
    "/server/error.php": ("type=12&job={job}&frame={frame}", "0 0 0 0 0!"),
    "/server/last_frame.php": ("", "404 404 404 404 ok"),
    "/server/credits.php": ("", "404 404 404 ok ok"),
    "/server/keepmealive.php": ("job={job}&frame={frame}", "0 0 0 400 0!"),
    "/server/speedtest.php": ("", "0 0 0 0 0"),
    "/server/logout.php": ("", "ok ok ok ok! ok!"),
    "/account.php": ("mode=logout&worker=1", "ok ok ok ok! ok!"),
}
"""By path what is asked of SheepIt's wire and what each caller is answered, with a ! where that changes something."""
FLOCK = {
    "GET /query.php": ("q=redir&u={nick}&p={hash}", "none error error registered registered"),
    "GET /cgi/get": ("u={uid}", "anonymous! anonymous! anonymous! vera! bob!"),
    "PUT /cgi/put": ("g=1&id=1&j=0&s={size}&u={uid}", "200 200 200 200 200!"),
    "GET /cgi/vote": ("id=1&vote=1&u={uid}", "somebody! somebody! somebody! vera! bob!"),
    "GET /cgi/vote.cgi": ("id=1&vote=1&u={uid}", "somebody! somebody! somebody! vera! bob!"),
}
"""The same of Electric Sheep's, where a key that is none leaves one anonymous, and a lease goes by the UID alone."""
SHOTS = {
    "nonces.verify": "401 401 401 ok ok",
    "nonces.verifyUser": "401 401 401 ok ok",
    "requests.poll": "401 401 401 ok! ok!",
    "requests.submit": "401 401 401 403 ok!",
    "screenshots.upload": "401 401 401 423 ok!",
    "GET /redirect/{factory}/{encrypted}/{request}/": "401 401 401 423 302!",
    "POST /redirect/{factory}/{encrypted}/{request}/": "401 401 401 423 302!",
    "GET /redirect/{factory}/{encrypted}/{request}": "301 301 301 301 301",
}
"""The same of Browsershots' methods that want a proof, and of the redirect; nonces come and go by themselves."""


@dataclass
class Site:
    """A farm on which bob's machine renders for every old wire, and vera's for none at the moment."""

    http: TestClient
    rows: Rows
    told: Mapping[str, Mapping[str, str]]
    """What each caller says of itself."""
    leased: Mapping[str, Any]
    """What bob's machine was given."""

    def filled(self, text: str, caller: str) -> str:
        return text.format_map({**self.leased, **self.told[caller]})


def sheepit(site: Site, door: str, caller: str) -> str:
    """Ask at a door of SheepIt's, with a token in the path or in a cookie; returns the status of the answer."""
    method, path = door.split(" ")
    query, _ = SHEEPIT[path.removeprefix("/s/{token}")]
    token, body = site.told[caller]["token"], b""
    headers = {} if "{token}" in path or not token else {"Cookie": f"farm={token}"}
    if path.endswith(("send_frame.php", "error.php")):
        body, headers["Content-Type"] = written_multipart(site.leased["picture"])
    url = path.replace("{token}", token or "none") + "?" + site.filled(query, caller)
    answer = site.http.request(method, url, headers=headers, content=body)
    found = re.search(rb'status="([0-9]+)"', answer.content[:200])
    return found[1].decode() if found else "ok" if answer.status_code == 200 else str(answer.status_code)


def flock(site: Site, door: str, caller: str) -> str:
    """Ask at a door of Electric Sheep's; returns a role, whose lease was granted, or the answer's status."""
    method, path = door.split(" ")
    url, body = path + "?" + site.filled(FLOCK[door][0], caller), site.leased["flame"] if method == "PUT" else b""
    answer = site.http.request(method, url, headers=basic(site.told[caller]), content=body)
    if path == "/query.php":
        return flock_wire.decode_redirect_answer(answer.content).role
    if path == "/cgi/get":
        return site.rows.ask("SELECT a.name FROM leases JOIN accounts a ON a.id = account_id ORDER BY leases.id DESC")
    if "vote" in path:
        question = "SELECT coalesce(max(name), 'somebody') FROM votes JOIN accounts ON voter = 'account ' || id"
        return site.rows.ask(question)
    return str(answer.status_code)


def shots(site: Site, door: str, caller: str) -> str:
    """Call a method of Browsershots', or open the redirect; returns the number of its fault or status, else ok."""
    (name, key), challenge = (site.told[caller][word] for word in ("factory", "key")), "nonces.challenge"
    if door in {"nonces.verifyUser", "requests.submit"}:
        name, key, challenge = site.told[caller]["user"], site.told[caller]["orders"], "nonces.challengeUser"
    speaker = PretendFactory(site.http, name, key)
    encrypted = speaker.encrypted(challenge)
    if door not in METHODS:
        method, path = door.split(" ")
        path = path.format(factory=name, encrypted=encrypted, request=site.leased["request"])
        return str(site.http.request(method, path, headers={"User-Agent": FIREFOX_UA}).status_code)
    try:
        speaker.call(door, name, encrypted, *site.leased.get(door, ()))
    except xmlrpc.client.Fault as fault:
        return str(fault.faultCode)
    return "ok"


def _rows() -> Iterator[tuple[Callable[[Site, str, str], str], str, str]]:
    """Return how to ask, at which door, and each caller's answer."""
    for path, (_, answers) in SHEEPIT.items():
        spelt = (path, "/s/{token}" + path) if path.startswith("/server/") and "config" not in path else (path,)
        yield from ((sheepit, f"{method} {one}", answers) for one in spelt for method in ("GET", "POST"))
    yield from ((flock, door, answers) for door, (_, answers) in FLOCK.items())
    yield from ((shots, door, answers) for door, answers in SHOTS.items())


ROWS = list(_rows())
DOORS = {door for _, door, _ in ROWS if door not in METHODS} | {"POST /xmlrpc/"}


@pytest.fixture(scope="module")
def site(tmp_path_factory, new_folder, shared_inspector) -> Iterator[Site]:
    settings = Settings(data=new_folder(tmp_path_factory.mktemp("wires") / "farm"), **ANY_SITE, claim_wait_limit_s=0,
                        browsershots_load_limit=0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SHEEPFOLD_BPY_PYTHON", "/nonexistent/python")
        with (open_farm(settings, verifiers, clock := Clock(), shared_inspector) as farm,
              TestClient(make_app(farm), follow_redirects=False) as http):
            made = at_work(World(farm, clock, farm.settings.data), http)
            yield made
            made.rows.close()


def at_work(world: World, http: TestClient) -> Site:
    """Have bob's machine take work by every wire, and vera's be known to the farm."""
    farm = world.farm
    for name in "bob", "vera":
        world.account(name, Role.VOLUNTEER)
    ann, keys = world.account("ann"), {"barn": "bob", "shed": "vera", "desk": "ann"}
    bob, vera, artist = (add_key(farm, account, machine).key for machine, account in keys.items())
    ordered(world, ann)
    for machine in "barn", "shed":
        add_browser(farm, None, machine, BrowserProgram("Firefox", "3.0", command="firefox"), "", None)
    barn, shed = Client(http, "c", "bob", bob), Client(http, "c", "vera", vera)
    for client in barn, shed:
        assert client.log_in().status == 0
    assert barn.send(barn.job(), picture(0, (64, 48))) == 0
    job = barn.job()
    asked = {"abilities": {"kinds": ["flame"]}}
    opened = http.post("/api/v1/sessions", json=asked, headers={"Authorization": f"Bearer {bob}"}).json()["session"]
    tokens = [client.path("logout").split("/")[2] for client in (shed, barn)]
    liar = {"nick": "bob", "key": vera, "factory": "barn", "user": "ann", "orders": vera, "token": opened}
    told = {
        "nobody": liar | {"nick": "", "key": "", "orders": "", "token": ""},
        "wrong": liar | {"key": "f" * 32, "orders": "f" * 32, "token": "f" * 32},
        "liar": liar,
        "other": liar | {"nick": "vera", "factory": "shed", "user": "vera", "token": tokens[0]},
        "right": liar | {"key": bob, "orders": artist, "token": tokens[1]},
    }
    for number, (caller, words) in enumerate(told.items()):
        owner = "vera" if words["key"] == vera else words["nick"]
        told[caller] = words | {"hash": own_password_hash(words["key"], owner), "uid": f"{number:X}"}
    for caller in "right", "other":
        http.get(f"/cgi/get?u={told[caller]['uid']}", headers=basic(told[caller]))
    factory = PretendFactory(http, "barn", bob)
    seen, taken = factory.poll(), factory.poll()
    factory.visit(seen["request"])
    shot = xmlrpc.client.Binary(paint(0, seen["width"], seen["height"]))
    leased = {
        "job": job.id, "frame": job.frame, "chunk": job.chunks[0].id, "picture": picture(1, (64, 48)),
        "flame": picture(2, (32, 32)), "size": len(picture(2, (32, 32))), "request": taken["request"],
        "requests.submit": (PAGE, ["linux_firefox_3_0"]), "screenshots.upload": (seen["request"], shot),
    }  # fmt: skip
    world.clock.advance(120)  # so that a sign of life moves a deadline; of a session it is noted once a minute
    for words in told.values():
        http.get(f"/s/{words['token'] or 'none'}/server/credits.php")
    return Site(http, Rows(farm), told, leased)


def ordered(world: World, ann: Account) -> None:
    """Have ann order three frames of Blender's, four of a sheep and three screenshots."""
    add_local(world.farm, Target("4.5"))
    scene = world.folder / "scene.blend"
    scene.write_bytes(b"BLENDER-v402")
    order_job(world.farm, ann, Order("blender", {"frames": "1-3", "width": 64, "height": 48}, {"project": scene}))
    world.flame(frames=4, width=32, height=32)
    for _ in range(3):
        order_job(world.farm, ann, Order("screenshot", {"url": PAGE, "browsers": ["firefox"]}))


def basic(told: Mapping[str, str]) -> dict[str, str]:
    """Return the header by which a screensaver tells its nick and the hash of its key; none where it has no nick."""
    return {"Authorization": encode_basic(Credentials(told["nick"], told["hash"]))} if told["nick"] else {}


def test_every_method_that_wants_a_proof_has_a_row():
    assert {name for name, method in METHODS.items() if any("encrypted" in one.name for one in method.parameters)} == {
        door for door in SHOTS if door in METHODS}


@pytest.mark.parametrize(("ask", "door", "answers"), ROWS, ids=[f"{ask.__name__} {door}" for ask, door, _ in ROWS])
def test_each_caller_is_answered_what_the_matrix_says_and_touches_no_work_of_others(site, ask, door, answers):
    for caller, wanted in zip(CALLERS, answers.split(), strict=True):
        site.http.cookies.clear()
        answer = ask(site, door, caller)
        changed = {row for row in site.rows.undo() if not row.startswith('INSERT INTO "nonces"')}
        assert answer + "!" * bool(changed) == wanted, (caller, changed)
        if caller != "right":
            assert not [row for row in changed & site.rows.before if re.match('INSERT INTO "(leases|results)"', row)]
