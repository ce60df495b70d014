"""Strangers on all wires: whatever they send, no mistake, no more memory, no secret in a log, no door too many."""

import asyncio
import logging
import random
import tracemalloc
from dataclasses import replace

import pytest
from bench.ground.fuzzing import FORM, Asked, Tracebacks, answered, fuzz, seeds, spoilt
from starlette.requests import Request

from sheepfold.app import make_app
from sheepfold.config import Settings
from sheepfold.farm.accounts import add_account, add_key, key_verifier
from sheepfold.farm.checkup import check
from sheepfold.farm.dispatch import Maker, open_session
from sheepfold.farm.farm import open_farm
from sheepfold.model.accounts import Role, Scope
from sheepfold.protocols import uploads
from sheepfold.protocols.registry import verifiers
from sheepfold.protocols.rest import wire

BIG_BYTES = 24 * 2**20
ABILITIES = wire.Abilities(kinds=["screenshot"]).model_dump_json()


class Site:
    """A farm with everybody on it, and what was logged."""

    def __init__(self, farm, log):
        self.farm, self.log, self.app = farm, log, make_app(farm)
        for name, role in (("olga", Role.OWNER), ("ann", Role.ARTIST), ("vera", Role.VOLUNTEER)):
            add_account(farm, name, role, "a password of " + name)
        keys = {"owner": add_key(farm, "olga", "throne"), "artist": add_key(farm, "ann", "desk"),
                "artist's work": add_key(farm, "ann", "box", Scope.WORK), "volunteer": add_key(farm, "vera", "attic")}
        self.secrets = {who: made.key for who, made in keys.items()} | {"stranger": "", "liar": "f" * 32}
        attic = keys["volunteer"]
        self.secrets["session"] = open_session(farm, Maker(attic.machine.id, attic.account.id, "rest"), ABILITIES,
                                               key_verifier(attic.key))

    def ask(self, method, path, who="stranger", body=b"", query=b"", headers=()):
        secret = self.secrets[who]
        bearer = ((b"authorization", f"Bearer {secret}".encode()),) if secret else ()
        return asyncio.run(answered(self.app, Asked(method, path, query, (*bearer, *headers), body)))


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    log = Tracebacks()
    root = logging.getLogger()
    level = root.level
    root.addHandler(log)
    root.setLevel(logging.DEBUG)
    settings = Settings(data=tmp_path_factory.mktemp("farm"), claim_wait_limit_s=0, result_limit_bytes=100 * 2**20,
                        inspection_processes=1)
    with open_farm(settings, verifiers) as farm:
        yield Site(farm, log)
    root.setLevel(level)
    root.removeHandler(log)


def corpus(site):
    return seeds(site.secrets["artist"], site.secrets["session"])


def test_no_spoilt_request_upsets_the_farm(site):
    assert asyncio.run(fuzz(site.app, site.log, corpus(site), 7, 2000)).total() == 2000
    assert list(check(site.farm)) == []


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("seed", range(10))
def test_no_spoilt_request_of_very_many_upsets_the_farm(site, seed):
    assert asyncio.run(fuzz(site.app, site.log, corpus(site), 1000 + seed, 10_000)).total() == 10_000
    assert list(check(site.farm)) == []


def test_what_is_sent_follows_from_the_seed(site):
    one, other = (spoilt(corpus(site)[3], random.Random(5)) for _ in range(2))
    assert one == other


# --- memory

PART = b'--sheep\r\nContent-Disposition: form-data; name="file"; filename="g"\r\n\r\n'
BIG = {
    "rest result": ("PUT", "/api/v1/leases/1/result", (), b"x" * BIG_BYTES),
    "rest order": ("POST", "/api/v1/jobs", ((b"content-type", FORM),),
                   PART + b"x" * BIG_BYTES),
    "rest json": ("POST", "/api/v1/sessions", ((b"content-type", b"application/json"),), b"[" * BIG_BYTES),
    "sheepit frame": ("POST", "/server/send_frame.php", ((b"content-type", FORM),),
                      PART + b"x" * BIG_BYTES),
    "sheepit cache": ("POST", "/server/request_job.php", ((b"content-type", b"text/xml"),), b"<a>" * (BIG_BYTES // 3)),
    "electric sheep": ("PUT", "/cgi/put?", (), b"x" * BIG_BYTES),
    "xml-rpc name": ("POST", "/xmlrpc/", ((b"content-type", b"text/xml"),), b"<methodCall>" + b"x" * BIG_BYTES),
    "xml-rpc nest": ("POST", "/xmlrpc/", ((b"content-type", b"text/xml"),), b"<array>" * (BIG_BYTES // 7)),
}


def scope_of(site, what, *headers):
    method, path, told, body = BIG[what]
    query = b"j=0&id=1&s=%d&g=1&u=AB" % len(body) if path.endswith("?") else b""
    bearer = b"Bearer " + site.secrets["artist" if "order" in what else "session"].encode()
    return {"type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "scheme": "http",
            "path": path.rstrip("?"), "raw_path": b"", "query_string": query, "root_path": "",
            "headers": [(b"authorization", bearer), *headers, *told],
            "server": ("127.0.0.1", 80), "client": ("127.0.0.1", 9)}


@pytest.mark.parametrize("what", BIG)
def test_a_large_body_takes_little_memory(site, what):
    method, path, headers, body = BIG[what]
    site.ask(method, path.rstrip("?"), "session", b"warm up", scope_of(site, what)["query_string"], headers)
    pieces = [body[at:at + 65_536] for at in range(0, len(body), 65_536)]

    async def ask():
        waiting = iter(pieces)

        async def receive():
            piece = next(waiting, None)
            return {"type": "http.request", "body": piece, "more_body": True} if piece else {"type": "http.disconnect"}

        async def send(message):
            statuses.append(message.get("status", 0))

        await site.app(scope_of(site, what, (b"transfer-encoding", b"chunked")), receive, send)

    statuses = []
    tracemalloc.start()
    asyncio.run(ask())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 6 * 2**20, (what, peak)
    assert max(statuses) < 500 or 503 in statuses
    assert not site.log.found, site.log.found


@pytest.mark.parametrize("what", ["rest result", "electric sheep"])
def test_many_small_bodies_that_do_not_end_take_little_memory(site, what, monkeypatch):
    monkeypatch.setattr(uploads, "HELD_MOST_BYTES", 4 * 2**20)
    scope, many, pieces_each = scope_of(site, what, (b"content-length", b"%d" % 2**20)), 64, 12
    waiting, gone, statuses = asyncio.Semaphore(0), asyncio.Event(), []

    async def ask():
        pieces = iter(range(pieces_each))

        async def receive():
            if next(pieces, None) is not None:
                return {"type": "http.request", "body": bytes(2**16), "more_body": True}
            waiting.release()
            await gone.wait()
            return {"type": "http.disconnect"}

        async def send(message):
            statuses.append(message.get("status", 0))

        await site.app(scope, receive, send)

    async def ask_all():
        asks = [asyncio.create_task(ask()) for _ in range(many)]
        for one in asks:
            one.add_done_callback(lambda _: waiting.release())  # refused before its body was read
        for _ in asks:
            await waiting.acquire()
        assert not uploads.is_small(Request(scope), 2**20)
        gone.set()
        await asyncio.gather(*asks)

    tracemalloc.start()
    asyncio.run(ask_all())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 12 * 2**20, peak
    assert uploads.is_small(Request(scope), 2**20)
    assert max(statuses) < 500
    assert not site.log.found, site.log.found
    assert not list(site.farm.spool_folder.iterdir())


# --- doors

ORDER = (b'--sheep\r\nContent-Disposition: form-data; name="order"\r\n\r\n{"kind": "nothing"}\r\n--sheep--\r\n')
PEOPLE = ("stranger", "liar", "session", "volunteer", "artist's work", "artist", "owner")
DOORS = {  # who gets past the door (True), whatever is found behind it; else 401 or 403
    ("POST", "/api/v1/jobs"): (401, 401, 401, 403, 403, True, True),
    ("GET", "/api/v1/jobs"): (401, 401, True, True, True, True, True),
    ("GET", "/api/v1/jobs/1000"): (401, 401, True, True, True, True, True),
    ("DELETE", "/api/v1/jobs/1000"): (401, 401, 401, 403, 403, True, True),
    ("GET", "/api/v1/tasks/1/story"): (401, 401, True, True, True, True, True),
    ("GET", "/api/v1/tasks/1/picture"): (401, 401, True, True, True, True, True),
    ("GET", "/api/v1/jobs/1000/products/a.zip"): (401, 401, True, True, True, True, True),
    ("POST", "/api/v1/leases"): (401, 401, True, 401, 401, 401, 401),
    ("PUT", "/api/v1/leases/1/result"): (401, 401, True, 401, 401, 401, 401),
    ("POST", "/api/v1/leases/1/heartbeat"): (401, 401, True, 401, 401, 401, 401),
    ("GET", "/api/v1/leases/1/input"): (401, 401, True, 401, 401, 401, 401),
    ("DELETE", "/api/v1/leases/1"): (401, 401, True, 401, 401, 401, 401),
    ("POST", "/api/v1/sessions"): (401, 401, 401, True, True, True, True),
    ("GET", "/api/v1/whoami"): (401, 401, True, True, True, True, True),
}


@pytest.mark.parametrize(("method", "path"), DOORS)
def test_each_role_reaches_what_it_may_and_nothing_else(site, method, path):
    body = ORDER if path.endswith("/jobs") else b'{"abilities": {"kinds": ["flame"]}}' if "sessions" in path else b""
    media = FORM if path.endswith("/jobs") else b"application/json"
    found = []
    for who in PEOPLE:
        status = site.ask(method, path, who, body, headers=((b"content-type", media),)).status
        found.append(status if status in {401, 403} else True)
    assert tuple(found) == DOORS[method, path]


# --- secrets


def test_no_secret_reaches_a_log(site):
    site.log.lines.clear()
    for asked in corpus(site):
        for who in ("volunteer", "session"):
            secret = site.secrets[who]
            told = f"login=vera&password={secret}&token={secret}&u={secret}&p={secret}&extras={secret}".encode()
            loud = (*asked.headers, *((name, b"Bearer " + secret.encode()) for name in (b"authorization", b"cookie")))
            odd = replace(asked, query=told, headers=loud, body=asked.body.replace(b"box", secret.encode()))
            for one in (odd, replace(odd, method="POST"), replace(odd, method="PUT")):
                asyncio.run(answered(site.app, one))
    site.ask("GET", f"/s/{site.secrets['session']}/server/keepmealive.php")
    site.ask("GET", f"/s/{site.secrets['session']}/server/nothing.php")
    assert len(site.log.lines) > 20
    for secret in filter(None, site.secrets.values()):
        assert [line for line in site.log.lines if secret in line] == []
