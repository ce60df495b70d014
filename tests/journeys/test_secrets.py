"""A farm is told every kind of secret that it knows, in its right and in a wrong form: no log has any of them.

The logs are all that real processes write: the server with its house and its children, a worker of each wire that
renders, and commands. What is searched for is each secret's beginning and end, in all ways in which it may be written.
"""

import base64
import contextlib
import hashlib
import hmac
import io
import json
import re
import secrets
import shutil
import sqlite3
import threading
import xmlrpc.client
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote, quote_plus

import httpx
import numpy as np
import psycopg
import pytest
from PIL import Image
from tests.conftest import PostgresServer, swept_folder
from tests.faults.test_troubles import Cluster
from tests.journeys.secrecy import PATIENCE_S, Book, Site, living, until
from tests.journeys.test_screenshot_factories import VERSIONS, ShotFactory
from tests.protocols.sheepit.conftest import Client as SheepItClient
from tests.serving import free_port

from sheepfold.client import FarmClient
from sheepfold.model.matching import Abilities, Program
from sheepfold.protocols.electricsheep.client import ElectricSheepLink
from sheepfold.protocols.electricsheep.credentials import password_verifiers
from sheepfold.protocols.link import FarmRefused, Figures
from sheepfold.protocols.rest import wire as rest
from sheepfold.protocols.sheepit.wire import read_extras

GENOME = Path(__file__).parents[1] / "genomes" / "r2.flam3"
SIZE = (64, 48)
FLAMES = Abilities(kinds=frozenset({"flame"}), renderers=frozenset({Program("flam3", "3.1.1")}))
FLAME = {"width": SIZE[0], "height": SIZE[1], "quality": 1, "temporal_samples": 1}
PROVEN = "ann@example.org"
pytestmark = pytest.mark.timeout(1800)
FLAM3 = pytest.mark.skipif(shutil.which("flam3-animate") is None, reason="This renders with Debian's flam3.")


@pytest.mark.parametrize("said", [
    "{}", "?password={}", "Basic {}", "{!r}", "Failing row contains (1, {}, 2).",
])  # fmt: skip
def test_a_secret_is_found_however_it_is_written(said: str) -> None:
    book = Book()
    secret = book.invent("password")
    written = quote_plus(secret) if "?" in said else secret
    written = base64.b64encode(f"ann:{secret}".encode()).decode() if "Basic" in said else written
    assert book.found_in({"log": f"wire=x {said.format(written)[:60]}"})
    assert book.found_in({"log": "wire=x password=no"}) == []


# --- those who speak with the farm


def changed(secret: str) -> str:
    """Return a wrong form of a secret, of the same length and letters."""
    return secret[::-1]


def png(seed: int) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (SIZE[1], SIZE[0], 3), dtype=np.uint8)
    target = io.BytesIO()
    Image.fromarray(pixels).save(target, "PNG")
    return target.getvalue()


@contextlib.contextmanager
def stranger() -> Iterator[str]:
    """Serve one page; whatever is posted is answered with 500, and with all that came."""

    class Stranger(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/page.html" else 404)
            self.end_headers()
            self.wfile.write(b"a page")

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(500)
            self.end_headers()
            self.wfile.write(f"{self.path} {self.headers}".encode())

        do_PUT = do_POST  # noqa: N815 -- http.server's name

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Stranger)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


# --- the kinds of secrets


def sign_in_and_up(site: Site, owner_password: str) -> httpx.Client:
    """Tell passwords, invitations, codes of letters and links; returns a browser in which ann is signed in."""
    book = site.book
    with site.http() as olga, site.http() as ann:
        wrong = {"name": "olga", "password": book.invent("a wrong password")}
        assert olga.post("/sign-in", data=wrong).status_code == 403
        assert olga.post("/sign-in", data={"name": "olga", "password": owner_password}).status_code == 303
        book.note("the owner's cookie", olga.cookies["sheepfold_web"])
        ann.cookies.set("sheepfold_web", changed(olga.cookies["sheepfold_web"]))
        assert ann.get("/account").status_code == 303
        ann.cookies.clear()
        invited = olga.post("/account/invite", data={"role": "artist"}).text
        code = book.note("an invitation", re.search(r'id="code"[^>]*>([^<]+)<', invited)[1])  # type: ignore[index]
        person = {"name": "ann", "password": book.invent("a password of who signs up")}
        assert ann.post("/sign-up", data=person | {"code": book.invent("a wrong invitation")}).status_code == 422
        assert ann.post(f"/sign-up?code={code}", data=person | {"code": code}).status_code == 303
    browser = site.http()
    assert browser.post("/sign-in", data=person).status_code == 303
    book.note("a cookie", browser.cookies["sheepfold_web"])
    forget_password(site, browser)
    return browser


def forget_password(site: Site, browser: httpx.Client) -> None:
    """Prove an address, and set a new password by a letter and by the old one."""
    book = site.book
    assert browser.post("/account/email", data={"email": PROVEN}).status_code == 303
    proof = book.note("a code that proves an address", site.letter())
    assert browser.post("/account/verify", data={"code": book.invent("a wrong code")}).status_code == 422
    assert browser.post("/account/verify", data={"code": proof}).status_code == 303
    assert browser.post("/forgotten", data={"email": PROVEN}).status_code == 200
    reset = book.note("a code of a forgotten password", site.letter())
    new = book.invent("a password by a letter")
    wrong = {"code": book.invent("a wrong code of a letter"), "password": new}
    assert browser.post("/forgotten", data=wrong).status_code == 422
    assert browser.post("/forgotten", data={"code": reset, "password": new}).status_code == 303
    assert browser.post("/sign-in", data={"name": "ann", "password": new}).status_code == 303
    last = book.invent("a password that was changed")
    tried = {"old": book.invent("a wrong old password"), "password": last}
    assert browser.post("/account/password", data=tried).status_code == 403
    assert browser.post("/account/password", data={"old": new, "password": last}).status_code == 303
    book.note("a cookie after the change", browser.cookies["sheepfold_web"])
    assert browser.get("/account").status_code == 200


def make_key(site: Site, browser: httpx.Client, machine: str, scope: str = "work") -> str:
    """Make a machine's key on the page that shows it."""
    page = browser.post("/machines/add", data={"name": machine, "scope": scope}).text
    return site.book.note(f"the key of {machine}",
                          re.search(r'id="key"[^>]*>([^<]+)<', page)[1])  # type: ignore[index]


def speak_rest(site: Site, key: str) -> None:
    """Tell keys and tokens of sessions over REST, where they belong and where they do not."""
    book = site.book
    with site.http(key) as http:
        assert http.get(f"/api/v1/whoami?key={key}").status_code == 200
        wrong = {"Authorization": f"Bearer {book.note('a wrong key', changed(key))}"}
        assert http.get("/api/v1/whoami", headers=wrong).status_code == 401
        assert http.get("/api/v1/whoami", auth=("ann", key)).status_code == 401
        asked = rest.SessionAsked(abilities=rest.Abilities.of(FLAMES)).model_dump(mode="json")
        session = book.note("a session's token", http.post("/api/v1/sessions", json=asked).json()["session"])
        assert http.post("/api/v1/sessions", json=asked | {"session": session}).status_code == 400
        bearer = {"Authorization": f"Bearer {session}"}
        assert http.post("/api/v1/leases", headers=bearer, json={"nonsense": session}).status_code in {201, 204, 400}
        wrong = {"Authorization": f"Bearer {book.note('a wrong token', changed(session))}"}
        assert http.post("/api/v1/leases", headers=wrong).status_code == 401
        secret = book.invent("a password of somebody who asks by REST")
        refused = http.put("/api/v1/account/password", json={"old": secret, "password": {"new": secret}})
        assert refused.status_code in {400, 403}


def share(site: Site, browser: httpx.Client, key: str) -> None:
    """Make a private job, a link to it and a team's invitation, and follow both."""
    book = site.book
    with FarmClient(site.url, key) as client:
        job = client.order("flame", FLAME | {"frames": 1, "shape": "still"}, {"genome": GENOME}, private=True).id
    page = browser.post(f"/jobs/{job}/share").text
    token = book.note("a link", re.search(r'id="link">[^<]*/shared/([^<]+)<', page)[1])  # type: ignore[index]
    with site.http() as guest:
        assert guest.get(f"/jobs/{job}").status_code == 404
        assert guest.get(f"/shared/{book.note('a wrong link', changed(token))}").status_code == 404
        assert guest.get(f"/shared/{token}", follow_redirects=True).status_code == 200
        assert token in guest.cookies["sheepfold_shares"]
    with site.http(key) as http:
        assert http.post("/api/v1/teams", json={"name": "wool"}).status_code == 201
        code = book.note("a team's invitation", http.post("/api/v1/teams/wool/invitation").json()["code"])
        assert http.post("/api/v1/teams/join", json={"invitation": code}).status_code == 409
        wrong = book.note("a wrong invitation to a team", changed(code))
        assert http.post("/api/v1/teams/join", json={"invitation": wrong}).status_code == 404
        assert browser.get(f"/invited/{code}").status_code == 200


def speak_sheepit(site: Site, key: str, artist: str) -> None:
    """Log in as clients of two eras do, make a frame in each session, and say wrong keys and tokens."""
    book = site.book
    scene = site.folder / "scene.blend"
    scene.write_bytes(b"BLENDER-v402")
    assert site.run("renderer", "add", "local", "--data", site.data) == 0
    with FarmClient(site.url, artist) as client:
        client.order("blender", {"frames": "1-2", "width": SIZE[0], "height": SIZE[1]}, {"project": scene})
    for number, era in enumerate(("a", "b")):
        with httpx.Client(base_url=site.url, trust_env=False, timeout=PATIENCE_S) as http:
            client_ = SheepItClient(http, era, "ann", key)
            wrong = book.invent(f"a wrong password of a SheepIt client of era {era}")
            assert client_.log_in(password=wrong).status == 102
            assert client_.log_in().status == 0
            cookie = book.note(f"the cookie of a SheepIt client of era {era}", http.cookies["farm"])
            job = client_.job()
            book.note(f"what a SheepIt job of era {era} bears", read_extras(job.extras)[0] or cookie)
            assert cookie in str(client_.paths)
            lost = book.note(f"a wrong token of era {era}", changed(cookie))
            http.cookies.clear()
            for path in (f"/s/{lost}/server/request_job.php", f"/server/keepmealive.php?extras={lost}",
                         f"/s/{lost}/server/send_frame.php?job={lost}&frame={cookie}"):
                assert http.post(path, headers={"Cookie": f"farm={lost}"}).status_code == 200
            assert client_.send(job, png(number)) == 0
            assert client_.report(f"type=3&job={lost}&extras={cookie}") == 0
            assert client_.log_out().status_code == 200
            assert http.get(f"/s/{cookie}/server/nothing.php").status_code == 404


def speak_electric_sheep(site: Site, key: str, artist: str) -> None:
    """Ask with each hash of a key that clients send, make a frame, and ask with a wrong one.

    A UID is no secret: everybody may send any.
    """
    book = site.book
    with FarmClient(site.url, artist) as client:
        client.order("flame", FLAME | {"frames": 2}, {"genome": GENOME})
    with site.http() as http:
        for number, hashed in enumerate(password_verifiers(key, "ann")):
            book.note(f"hash {number} of a key", hashed)
            asked = {"q": "redir", "u": "ann", "p": hashed, "v": "LNX_3.0.2", "i": "AB"}
            assert 'role="registered"' in http.get("/query.php", params=asked).text
            assert http.get(f"/cgi/list?v=LNX_3.0.2&u={hashed}&p={hashed}", auth=("ann", hashed)).status_code == 200
            assert http.get(f"/cgi/get?u=X{hashed}", auth=("ann", hashed)).status_code == 400
        lost = {"q": "redir", "u": "ann", "p": book.note("a wrong hash", changed(hashed)), "v": "LNX_3.0.2", "i": "AB"}
        assert 'role="error"' in http.get("/query.php", params=lost).text
        assert http.put(f"/cgi/put?j=0&id=1&s=3&g=1&u={lost['p']}", content=b"png").status_code == 200
    picture = site.folder / "picture.png"
    with ElectricSheepLink(site.url, "ann", key, site.folder / "screensaver", "test/1") as link:
        link.open(FLAMES)
        work = link.claim(FLAMES)
        assert work is not None
        picture.write_bytes(png(7))
        link.submit(work, picture, Figures())
    with (ElectricSheepLink(site.url, "ann", book.note("a wrong key of Electric Sheep", key[8:] + key[:8]),
                            site.folder / "stray", "test/1") as stray, pytest.raises(FarmRefused)):
        stray.open(FLAMES)


@dataclass
class Noted(ShotFactory):
    """A screenshot factory whose nonces and proofs are written down."""

    book: Book

    def encrypted(self) -> str:
        challenge = self.server.nonces.challenge(self.name)
        inner = hashlib.sha1((challenge["salt"] + self.password).encode()).hexdigest()
        proof = hashlib.md5((inner + challenge["nonce"]).encode()).hexdigest()
        self.book.note(f"what Browsershots hashes of {self.name}", inner)
        self.book.note(f"nonce {challenge['nonce']}", challenge["nonce"])
        return self.book.note(f"the proof with {challenge['nonce']}", proof)


def speak_browsershots(site: Site, key: str, artist: str, page: str) -> None:
    """Shoot what is ordered as a factory of old does, and prove a key that is none, in a call and in an address."""
    said = ("--browser", "firefox", "--version", VERSIONS["2008"], "--command", "firefox", "--width", "1024",
            "--height", "768", "--bpp", "24")
    assert site.run("browser", "add", "argo", *said, "--data", site.data) == 0
    wanted = {"name": "firefox", "version": VERSIONS["2008"]}
    with FarmClient(site.url, artist) as client:
        client.order("screenshot", {"url": page, "browsers": [wanted], "widths": [1024]})
    assert len(Noted("2008", site.url, "argo", key, site.book).main()) == 1
    stray = Noted("2008", site.url, "argo", site.book.note("a wrong key of a factory", changed(key)), Book())
    proof = site.book.note("a wrong proof", stray.encrypted())
    with pytest.raises(xmlrpc.client.Fault):
        stray.server.nonces.verify("argo", proof)
    with pytest.raises(xmlrpc.client.Fault):
        stray.server.requests.poll("argo", [proof, {"key": key}])
    with site.http() as http:
        proof = site.book.note("a wrong proof in an address", stray.encrypted())
        assert http.get(f"/redirect/argo/{proof}/1/", headers={"User-Agent": "Mozilla"}).status_code in {401, 404}
        body = f"<methodCall><methodName>nonces.verify</methodName><params>{key}</oops>"
        assert b"400" in http.post("/xmlrpc/", content=body, headers={"Content-Type": "text/xml"}).content


def hook(site: Site, key: str, address: str) -> None:
    """Have webhooks tell who answers 500, nobody at all, and a Matrix server, and add some that make no sense."""
    book = site.book
    nobody = f"http://127.0.0.1:{free_port()}"
    with site.http(key) as http:
        hooks = []
        for what, base in (("answered with 500", address), ("where nobody is", nobody)):
            part = book.note(f"the secret of an address {what}", secrets.token_urlsafe(24))
            made = http.post("/api/v1/webhooks", json={"url": f"{base}/api/webhooks/1/{part}?key={part}"})
            book.note(f"the secret of a webhook {what}", made.json()["secret"])
            hooks.append(made.json()["id"])
        token = book.note("a Matrix user's token", "syt_" + secrets.token_urlsafe(30))
        room = f"{address}/_matrix/client/v3/rooms/1/send/m.room.message"
        made = http.post("/api/v1/webhooks", json={"url": room, "form": "matrix", "token": token})
        hooks.append(made.json()["id"])
        for one in hooks:
            assert http.post(f"/api/v1/webhooks/{one}/test").status_code == 202
        for one in hooks:
            sent = f"/api/v1/webhooks/{one}/deliveries"
            until("it is tried", lambda sent=sent: any(
                each["answer"] for each in http.get(sent).json()["deliveries"] if each["topic"] == "test"))
        for number, form in enumerate(("https://ann:{}@example.org/hook", "https://ann:x/{}@example.org/hook",
                                       "https://ann:{}/x@example.org/hook", "https://[{}]/", "ann:{}@example.org")):
            part = book.note(f"the secret of a wrong address {number}", secrets.token_urlsafe(24))
            refused = http.post("/api/v1/webhooks", json={"url": form.format(part), "form": "json"})
            assert refused.status_code == 400, refused.text
            spec = {"kind": "screenshot", "spec": {"url": form.format(part), "browsers": ["Firefox"]}}
            refused = http.post("/api/v1/jobs", files={"order": (None, json.dumps(spec))})
            assert refused.status_code in {400, 422}, refused.text


def stumble(site: Site, key: str, forbid: Callable[[str, str, str], None], allow: Callable[[], None]) -> None:
    """Ask for what the database, strangely, does not take: these requests end in mistakes that nobody foresaw."""
    book = site.book
    forbid("webhooks", "url", "mistake")
    forbid("sessions", "protocol", "sheepit")
    forbid("web_sessions", "browser", "mistake")
    part = book.note("the secret of an address and a mistake", secrets.token_urlsafe(24))
    token = book.note("a Matrix user's token and a mistake", "syt_" + secrets.token_urlsafe(30))
    wanted = {"url": f"https://127.0.0.1/mistake/{part}", "form": "matrix", "token": token}
    told = {"login": "ann", "password": key, "version": "3.3.2", "bits": "64bit", "os": "linux"}
    person = {"name": "ann", "password": book.told["a password that was changed"]}
    for ask in (lambda http: http.post("/api/v1/webhooks", json=wanted),
                lambda http: http.get("/server/config.php", params=told),
                lambda http: http.post("/sign-in", data=person, headers={"User-Agent": "mistake", "Origin": site.url})):
        with site.http(key) as http:  # each on a line of its own, which the server closes after its mistake
            assert ask(http).status_code == 500
    allow()


def work(site: Site, artist: str, key: str) -> None:
    """Have our worker render over two wires, and be refused over both."""
    with FarmClient(site.url, artist) as client:
        client.order("flame", FLAME | {"frames": 2}, {"genome": GENOME})
    for protocol in ("electricsheep", "rest"):
        for status, told in ((0, key), (1, changed(key))):
            words = ("--kind", "flame", "--once", "--protocol", protocol, "--account", "ann", "--folder",
                     site.folder / f"work-{protocol}-{status}")
            found = site.run("work", "--server", site.url, *words, environment={"SHEEPFOLD_KEY": told})
            assert found == status, site.log()[-3000:]
    site.book.note("hash of our worker", password_verifiers(key, "ann")[1])


def tell_all(site: Site, forbid: Callable[[str, str, str], None], allow: Callable[[], None]) -> str:
    """Tell a farm that serves every kind of secret; returns the artist's key."""
    browser = sign_in_and_up(site, site.book.told["the owner's password"])
    with stranger() as address, contextlib.closing(browser):
        artist = make_key(site, browser, "desk", "order")
        key = make_key(site, browser, "argo")
        share(site, browser, artist)
        speak_rest(site, artist)
        speak_sheepit(site, key, artist)
        speak_electric_sheep(site, key, artist)
        speak_browsershots(site, key, artist, f"{address}/page.html")
        hook(site, artist, address)
        work(site, artist, key)
        stumble(site, artist, forbid, allow)
    return artist


EXPECTED = (
    r"wire=sheepit request=config refused=BadCredentials", r"wire=sheepit request=jobvalidate job=\d+",
    r"wire=sheepit request=error type=3", r"wire=electricsheep request=put .*verdict=valid",
    r"wire=electricsheep request=get refused=", r"wire=electricsheep request=put.* refused=",
    r"wire=browsershots method=nonces.verify fault=401", r"wire=browsershots redirect=argo",
    r"wire=browsershots method=\S* fault=400", r"wire=rest .*status=401", r"wire=rest .*path=/api/v1/webhooks .*400",
    r"wire=rest .*path=/api/v1/jobs .*status=4", r"webhook=1 topic=test .*answer=500",
    r"webhook=2 topic=test .*answer=0", r"webhook=3 topic=test .*answer=500", r"Traceback.*webhooks",
    r"Traceback.*sessions", r"receipt=accepted", r"ended problem=The farm",
)  # fmt: skip
"""What the logs of a farm must tell, each somewhere, of what happens here: it is no empty log that has no secret."""


def assert_nothing_is_told(site: Site, *expected: str) -> None:
    """Assert that logs tell what they shall, and no secret."""
    log = site.log()
    assert [one for one in expected if not re.search(one, log, re.DOTALL)] == []
    assert not (found := site.book.found_in(site.all_logs())), "\n".join(found)


@pytest.mark.slow
@FLAM3
def test_no_log_of_a_farm_on_sqlite_has_a_secret(tmp_path: Path) -> None:
    with living(tmp_path, {}) as site, contextlib.closing(
            sqlite3.connect(site.data / "farm.sqlite", isolation_level=None, timeout=60)) as database:

        def forbid(table: str, column: str, what: str) -> None:
            database.execute(f"CREATE TRIGGER mistake_{table} BEFORE INSERT ON {table} WHEN NEW.{column} LIKE "
                             f"'%{what}%' BEGIN SELECT RAISE(ABORT, 'no {table} like this'); END")

        def allow() -> None:
            for table in ("webhooks", "sessions", "web_sessions"):
                database.execute(f"DROP TRIGGER mistake_{table}")

        tell_all(site, forbid, allow)
        assert site.run("backup", tmp_path / "backup", "--data", site.data) == 0
        assert site.run("check", "--data", site.data) == 0
    assert_nothing_is_told(site, *EXPECTED)


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Cluster, str]]:
    """Start a PostgreSQL that wants a password; this process has it from its environment, the farm from its address."""
    if not list(Path("/usr/lib/postgresql").glob("*/bin/initdb")):
        pytest.skip("There is no PostgreSQL here; Debian has it in the package postgresql.")
    password = f"{secrets.token_urlsafe(12)} é/?#%&@{secrets.token_urlsafe(12)}"
    monkeypatch.setenv("PGPASSWORD", password)
    with swept_folder("sheepfold-secrets-") as folder:
        (folder / "password").write_text(password, "utf-8")
        (folder / "password").chmod(0o644)
        made = Cluster(folder, "-A", "scram-sha-256", f"--pwfile={folder / 'password'}")
        made.start()
        PostgresServer(made.port).execute("CREATE DATABASE farm")
        yield made, password
        made.stop()


def _at(cluster: Cluster, password: str, port: int = 0) -> dict[str, str]:
    told = f"sheepfold:{password}@127.0.0.1:{port or cluster.port}/farm"
    return {"DATABASE_URL": f"postgresql://{told}"}


@pytest.mark.slow
@FLAM3
def test_no_log_of_a_farm_on_postgresql_has_a_secret(tmp_path: Path, cluster: tuple[Cluster, str]) -> None:
    server, password = cluster
    own = quote(password, safe="")
    administer = PostgresServer(server.port).url("farm")

    def forbid(table: str, column: str, what: str) -> None:
        with psycopg.connect(administer, autocommit=True) as connection:
            connection.execute(f"ALTER TABLE {table} ADD CONSTRAINT no_{table}_like_this "  # type: ignore[arg-type]
                               f"CHECK ({column} NOT LIKE '%{what}%') NOT VALID")

    def allow() -> None:
        with psycopg.connect(administer, autocommit=True) as connection:
            for table in ("webhooks", "sessions", "web_sessions"):
                connection.execute(f"ALTER TABLE {table} DROP CONSTRAINT no_{table}_like_this")  # type: ignore[arg-type]

    with living(tmp_path, _at(server, own), "--verbose", "--log", "json", "--processes", "2") as site:
        site.book.note("the database's password", password)
        artist = tell_all(site, forbid, allow)
        commands = (("backup", tmp_path / "backup"), ("check",))
        for command in commands:
            assert site.run(*command, "--data", site.data) == 0
        at, lost = site.book.invent("a password with an at"), site.book.invent("a password in no address")
        for wrong in (
            _at(server, quote(site.book.invent("a wrong password of the database"), safe="")),
            _at(server, own, free_port()), _at(server, at), {"DATABASE_URL": f"postgres://ann:{lost}:127.0.0.1/x"},
        ):
            for command in commands:
                assert site.run(*command, "--data", site.data, environment=wrong) in {1, 2}
        server.stop()
        until("the house misses it", lambda: "house=waiting" in site.log() and "postman=waiting" in site.log())
        with site.http(artist) as http:
            assert http.get(f"/api/v1/whoami?key={artist}").status_code == 503
            asked = {"name": "ann", "password": site.book.told["a password that was changed"]}
            assert http.post("/sign-in", data=asked, headers={"Origin": site.url}).status_code == 503
        server.start()
        with site.http(artist) as http:
            until("it is back", lambda: http.get("/api/v1/whoami").status_code == 200)
    assert_nothing_is_told(site, *EXPECTED, "password authentication failed", "Connection refused", "house=waiting",
                           "written %40")


# --- a store of blobs that refuses


class Bucket(ThreadingHTTPServer):
    """A store as Amazon's: it checks who signed, and tells whom it refuses all that they told it, a token, too.

    While it is closed, as where a session ends in the middle of things, it tells how large objects are and no more.
    """

    def __init__(self, secret: str) -> None:
        super().__init__(("127.0.0.1", 0), _Asked)
        self.secret, self.is_closed, self.refused = secret, False, 0
        self.objects: dict[str, bytes] = {}
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"s3://farm/x?endpoint=http://127.0.0.1:{self.server_address[1]}&region=us-east-1"


class _Asked(BaseHTTPRequestHandler):
    server: Bucket

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        told, to_sign, is_theirs = self._checked()
        if not is_theirs or (self.server.is_closed and self.command != "HEAD"):
            self.server.refused += 1
            self._say(403, f"<Error><Code>SignatureDoesNotMatch</Code><StringToSign>{to_sign}</StringToSign>"
                           f"<CanonicalRequest>{told}</CanonicalRequest></Error>".encode())
            return
        path = self.path.partition("?")[0]
        if self.command == "PUT":
            self.server.objects[path] = body
        self._say(200 if path in self.server.objects else 404, self.server.objects.get(path, b""))

    def _checked(self) -> tuple[str, str, bool]:
        """Return what was signed, as a whole and as its digest, and whether it was by who knows the secret."""
        found = re.fullmatch(r"AWS4-HMAC-SHA256 Credential=\w+/(\w+)/(us-east-1)/(s3)/(aws4_request), ?"
                             r"SignedHeaders=([\w;-]+), ?Signature=(\w+)", self.headers["Authorization"])
        assert found is not None
        path, _, query = self.path.partition("?")
        headers = [f"{name}:{self.headers[name].strip()}" for name in found[5].split(";")]
        told = "\n".join([self.command, path, "&".join(sorted(query.split("&"))), *headers, "", found[5],
                          self.headers["x-amz-content-sha256"]])
        digest = hashlib.sha256(told.encode()).hexdigest()
        to_sign = "\n".join(["AWS4-HMAC-SHA256", self.headers["x-amz-date"], "/".join(found.groups()[:4]), digest])
        key = f"AWS4{self.server.secret}".encode()
        for part in (*found.groups()[:4], to_sign):
            key = hmac.digest(key, part.encode(), "sha256")
        return told, to_sign, key.hex() == found[6]

    def _say(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("ETag", '"x"')
        self.send_header("Last-Modified", "Sun, 01 Feb 2026 00:00:00 GMT")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_HEAD = do_POST = do_DELETE = do_PUT  # noqa: N815 -- http.server's names

    def log_message(self, *_: object) -> None:
        pass


@pytest.mark.slow
def test_no_log_of_a_farm_whose_store_refuses_has_a_secret(tmp_path: Path) -> None:
    book = Book()
    secret = book.note("the store's secret", secrets.token_hex(20))
    token = book.note("the store's token", secrets.token_urlsafe(40))
    bucket = Bucket(secret)
    environment = {"BLOBS_URL": bucket.url, "AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": secret,
                   "AWS_SESSION_TOKEN": token, "SHEEPFOLD_BACKUP_FOLDER": str(tmp_path / "backup")}
    with living(tmp_path, environment, "--verbose") as site:
        site.book.told |= book.told
        with site.http() as olga:
            person = {"name": "olga", "password": site.book.told["the owner's password"]}
            assert olga.post("/sign-in", data=person).status_code == 303
            key = make_key(site, olga, "throne", "manage")
        order = {"order": (None, json.dumps({"kind": "flame", "spec": FLAME | {"frames": 1}}))}
        with site.http(key) as http:
            taken = http.post("/api/v1/jobs", files=order | {"genome": GENOME.read_bytes()})
            assert (taken.status_code, bucket.refused) == (201, 0)
            assert bucket.objects
            bucket.is_closed = True
            other = GENOME.with_name("r1.flam3").read_bytes()
            assert http.post("/api/v1/jobs", files=order | {"genome": other}).status_code == 503
            assert http.post("/api/v1/backups").status_code == 202
            until("a backup is tried", lambda: "backup=1 failed" in site.log())
        wrong = {"AWS_SECRET_ACCESS_KEY": site.book.note("a wrong secret of the store", secrets.token_hex(20))}
        for environment_ in ({}, wrong):
            assert site.run("backup", tmp_path / "own", "--data", site.data, environment=environment_) == 1
            site.run("check", "--data", site.data, environment=environment_)
        bucket.is_closed, refused = False, bucket.refused
        assert site.run("backup", tmp_path / "own", "--data", site.data, environment=wrong) == 1
        assert bucket.refused > refused
    bucket.shutdown()
    bucket.server_close()
    assert_nothing_is_told(site, "The store of blobs does not answer", r"wire=rest .*status=503", "Traceback")
