"""A hostile farm's answers cost a worker no memory and end nobody's night: each wire's client comes back later."""

import gzip
import threading
import tracemalloc
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import import_module
from pathlib import Path

import pytest

from sheepfold.model.matching import Abilities
from sheepfold.protocols.link import FarmUnreachable, Link
from sheepfold.protocols.rest import calls

WIRES = ("rest", "sheepit", "electricsheep", "browsershots")
ABLE = Abilities(frozenset({"blender", "flame", "screenshot"}), frozenset())
MOST_BYTES = 64 * 2**20
"""Above what any wire's client takes, with what lies in pipes."""


class HostileFarm(ThreadingHTTPServer):
    """A farm that answers everything without an end, or with few bytes that are very many."""

    daemon_threads = True
    body = b""
    sent_bytes = 0


class _Answering(BaseHTTPRequestHandler):
    server: HostileFarm

    def do_GET(self) -> None:
        self.send_response(200)
        if self.server.body:
            self.send_header("Content-Encoding", "gzip")
            self.send_header("Content-Length", str(len(self.server.body)))
        self.end_headers()
        with suppress(OSError):
            self.wfile.write(self.server.body)
            while not self.server.body:
                self.server.sent_bytes += self.wfile.write(b" " * 2**16)

    do_POST = do_GET  # noqa: N815 -- the library's name

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def farm() -> Iterator[HostileFarm]:
    with HostileFarm(("127.0.0.1", 0), _Answering) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def link(farm: HostileFarm, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Link]:
    client = import_module(f"sheepfold.protocols.{request.param}.client")
    link = client.open_link(f"http://127.0.0.1:{farm.server_port}", "f" * 32, tmp_path / "state", "test/1", "ann")
    yield link
    with suppress(FarmUnreachable):
        link.close()


@pytest.mark.parametrize("link", WIRES, indirect=True)
def test_an_answer_without_an_end_is_left(farm: HostileFarm, link: Link, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "MAX_ANSWER_BYTES", 2**22)
    with pytest.raises(FarmUnreachable, match="more than"):
        link.open(ABLE)
    assert farm.sent_bytes < MOST_BYTES


@pytest.mark.parametrize("link", WIRES, indirect=True)
def test_an_answer_that_is_packed_is_not_unpacked(farm: HostileFarm, link: Link) -> None:
    farm.body = gzip.compress(bytes(2**27))
    tracemalloc.start()
    try:
        with pytest.raises(FarmUnreachable):
            link.open(ABLE)
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak_bytes < 2**24
