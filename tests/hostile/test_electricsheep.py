"""Strangers on the Electric Sheep wire: whatever they send, the farm refuses it in order and stays whole."""

import io
import logging
import random
import socket
import threading
import zlib
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import anyio.from_thread
import numpy as np
import pytest
import uvicorn
from bench.ground.fuzzing import Tracebacks
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image
from starlette.applications import Starlette
from tests.hostile.ground import Door, near_numbers, odd_headers, queries_of, tries, values

from sheepfold.config import Settings
from sheepfold.farm.accounts import add_account
from sheepfold.farm.checkup import check
from sheepfold.farm.farm import open_farm
from sheepfold.farm.orders import Order, order_job
from sheepfold.kinds.inspector import Inspector
from sheepfold.model.accounts import Role
from sheepfold.protocols.electricsheep import wire
from sheepfold.protocols.electricsheep.credentials import key_verifiers
from sheepfold.protocols.electricsheep.endpoints import routes

GENOME = Path(__file__).parents[1] / "genomes" / "r1.flam3"
SIDE = 32
LIMIT_BYTES = 100_000
PATHS = ("/query.php", "/cgi/list", "/cgi/get", "/cgi/put", "/cgi/vote", "/cgi/vote.cgi", "/cgi/status.cgi",
         "/gen/1/1/sheep.avi", "/gen/1/1/electricsheep.1.00001.flam3")
SPEC = {"frames": 5, "parts": 16, "width": SIDE, "height": SIDE, "quality": 16, "temporal_samples": 1}
ORDERLY = {200, 400, 403, 404, 405, 409, 413, 422, 503}


class Target(Door):
    """A farm behind Electric Sheep's wire alone."""

    def __init__(self, farm, shepherd, portal, log):
        application = Starlette(routes=routes(farm))
        application.router.redirect_slashes = False
        super().__init__(application, portal, log)
        self.farm = farm
        self._shepherd = shepherd
        self._uid = 0

    def ask(self, method, path, query=b"", headers=(), body=b""):
        """Send a request; fails where it is answered as this wire never does."""
        answer = super().ask(method, path, query, headers, body)
        assert answer.status in ORDERLY, (answer.status, method, path, query)
        assert b"www-authenticate" not in answer.headers
        assert b"location" not in answer.headers
        assert len(answer.body) == int(answer.headers[b"content-length"]) or method == "HEAD"
        return answer

    def work(self):
        """Return an order for a machine that was never seen before, and its UID."""
        self._uid += 1
        uid = f"{self._uid:X}"
        while True:
            answer = wire.decode_get_answer(bytes(self.ask("GET", "/cgi/get", f"u={uid}".encode()).body))
            if isinstance(answer, wire.FrameOrder):
                return answer, uid
            order_job(self.farm, self._shepherd, Order("flame", SPEC, {"genome": GENOME}, "tiny"))


@pytest.fixture(scope="module")
def target(tmp_path_factory):
    log = Tracebacks()
    logging.getLogger().addHandler(log)
    settings = Settings(data=tmp_path_factory.mktemp("farm"), result_limit_bytes=LIMIT_BYTES)
    with open_farm(settings, key_verifiers) as opened, anyio.from_thread.start_blocking_portal() as portal:
        inspector = Inspector(1, deadline_s=30)
        farm = replace(opened, inspector=inspector)
        yield Target(farm, add_account(farm, "shepherd", Role.ARTIST, ""), portal, log)
        inspector.close()
    logging.getLogger().removeHandler(log)


# --- queries and headers

queries = queries_of(["q", "u", "p", "v", "i", "n", "w", "r", "c", "j", "id", "s", "g", "vote", "type", "", "%00"])
odd_paths = st.one_of(
    st.sampled_from(PATHS),
    st.tuples(st.sampled_from(PATHS), st.text(max_size=8)).map("".join),
    st.tuples(near_numbers, near_numbers, values).map(lambda found: "/gen/{}/{}/{}".format(*found)),
    st.text(max_size=40).map(lambda text: "/" + text))
methods = st.sampled_from(["GET", "GET", "GET", "PUT", "PUT", "HEAD", "POST", "OPTIONS", "DELETE"])


def ask_anything(target, method, path, query, headers):
    target.ask(method, path, query, headers, b"body" if method in {"PUT", "POST"} else b"")


@example(method="GET", path="/cgi/get", query=b"u=" + b"A" * 32, headers=[(b"host", b"\x00")])
@example(method="GET", path="/query.php", query=b"q=redir&u=%00", headers=[(b"host", b"a b")])
@example(method="GET", path="/query.php", query=b"q=redir&u=\x80", headers=[])
@example(method="GET", path="/cgi/list", query=b"u=\xff", headers=[(b"host", b"")])
@example(method="GET", path=f"/gen/{'9' * 4400}/1/sheep.avi", query=b"", headers=[])
@given(method=methods, path=odd_paths, query=queries, headers=odd_headers)
@tries(1500)
def test_no_request_upsets_the_farm(target, method, path, query, headers):
    ask_anything(target, method, path, query, headers)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@given(method=methods, path=odd_paths, query=queries, headers=odd_headers)
@tries(45_000)
def test_no_request_of_very_many_upsets_the_farm(target, method, path, query, headers):
    ask_anything(target, method, path, query, headers)


@given(length=st.one_of(st.binary(max_size=30), st.sampled_from([b"-1", b"+4", b" 4", b"4.0", b"9" * 18, b"9" * 400])),
       body=st.binary(max_size=64))
@tries(200)
def test_no_announced_length_upsets_the_farm(target, length, body):
    order, uid = wire.FrameOrder(1, 1, 0, b"", {}, 0, 0), "AB"
    query = f"j={order.put_job}&id={order.sheep}&s={len(body)}&g={order.generation}&u={uid}".encode()
    target.ask("PUT", "/cgi/put", query, [(b"content-length", length)], body)


# --- pictures


def painted(form):
    pixels = np.random.default_rng(7).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, form)
    return file.getvalue()


def bomb(width, height, depth=8):
    """Return a PNG that says it is huge, with a megabyte of zeros in some bytes."""
    def chunk(name, data):
        return len(data).to_bytes(4, "big") + name + data + zlib.crc32(name + data).to_bytes(4, "big")

    header = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes([depth, 0, 0, 0, 0])
    data = zlib.compress(bytes(1_000_000), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


WHOLE = tuple(painted(form) for form in ("PNG", "JPEG"))


@st.composite
def spoilt(draw):
    """Draw a picture with some of its bytes changed, cut or doubled."""
    body = bytearray(draw(st.sampled_from(WHOLE)))
    chance = random.Random(draw(st.integers(0, 2**32)))
    for _ in range(draw(st.integers(0, 8))):
        body[chance.randrange(len(body))] = chance.randrange(256)
    cut = draw(st.sampled_from([len(body), len(body) // 2, 33, 8, len(body) - 1]))
    return bytes(body[:cut]) + draw(st.sampled_from([b"", b"\x00", b"<script>", bytes(body)]))


sizes = st.integers(0, 2**31 - 1)
bodies = st.one_of(st.binary(max_size=2000), spoilt(), st.builds(bomb, sizes, sizes, st.sampled_from([1, 8, 16])),
                   st.sampled_from([b"GIF89a", b"BM", b"II*\x00", b"RIFF....WEBP", b"\x89PNG\r\n\x1a\n", b"\xff\xd8"]))


def send(target, body):
    order, uid = target.work()
    query = f"j={order.put_job}&id={order.sheep}&s={len(body)}&g={order.generation}&v=LNX_3.0.2&u={uid}".encode()
    answer = target.ask("PUT", "/cgi/put", query, [(b"content-length", str(len(body)).encode())], body)
    assert (answer.status, bytes(answer.body)) == (200, b"<put/>")


@example(body=bomb(30_000, 30_000))
@given(body=bodies)
@tries(300)
def test_no_picture_upsets_the_farm_and_each_is_thanked_for(target, body):
    send(target, body)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@given(body=bodies)
@tries(5000)
def test_no_picture_of_very_many_upsets_the_farm(target, body):
    send(target, body)


def test_a_body_without_an_end_is_cut_at_the_limit_and_leaves_nothing_behind(target):
    answer = target.ask("PUT", "/cgi/put", b"j=0&id=1&s=9&g=1&u=AB", [], bytes(LIMIT_BYTES + 1))
    assert answer.status == 413
    assert not list(target.farm.spool_folder.iterdir())


# --- below HTTP


@pytest.fixture
def address(target):
    server = uvicorn.Server(uvicorn.Config(target.application, lifespan="off", log_config=None,
                                           timeout_graceful_shutdown=1))
    with socket.create_server(("127.0.0.1", 0)) as bound:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]}, daemon=True)
        thread.start()
        yield bound.getsockname()
        server.should_exit = True
        thread.join(30)


RAW = [
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"GET", b"GET / HTTP/9.9\r\n\r\n", b"\r\n" * 100, b"\x00" * 1000,
    b"GET /cgi/get?u=\x00\xff HTTP/1.1\r\nHost: a\r\n\r\n", b"GET /cgi/get?u=A HTTP/1.0\r\n\r\n",
    b"PUT /cgi/put?j=0&id=1&s=9&g=1&u=AB HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nfour",
    b"PUT /cgi/put?j=0&id=1&s=9&g=1&u=AB HTTP/1.1\r\nHost: a\r\nContent-Length: -9\r\n\r\n",
    b"PUT /cgi/put?j=0&id=1&s=9&g=1&u=AB HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n",
    b"PUT /cgi/put HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    b"GET /query.php?q=redir" + b"x" * 70_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET http://other.example/query.php?q=redir HTTP/1.1\r\nHost: a\r\n\r\n",
    quote(b"GET /cgi/list HTTP/1.1").encode(),
]


def test_no_bytes_on_the_line_stop_the_server(target, address):
    for raw in RAW:
        with socket.create_connection(address, 60) as line:
            line.sendall(raw)
            line.shutdown(socket.SHUT_WR)
            try:
                heard = line.recv(65_536)
            except ConnectionResetError:
                heard = b""
        assert b"500" not in heard[:40], raw[:60]
    with socket.create_connection(address, 60) as line:
        line.sendall(b"GET /cgi/status.cgi HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        assert b"200 OK" in line.recv(65_536)


def test_after_all_that_the_farm_is_whole(target):
    assert list(check(target.farm, read_blobs=True)) == []
