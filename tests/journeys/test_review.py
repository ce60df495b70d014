"""A web developer reviews a visual change: a line in CI, a real browser, a page that changes, and the farm's page."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import httpx
import pytest
from PIL import Image
from tests.cli.conftest import ENVIRONMENT, Fold
from tests.commands import run_here

BEFORE = "<h1>Our shop</h1><p>Wool, felt and yarn.</p><button style='background:#264;color:#fff'>Buy</button>"
AFTER = BEFORE.replace("#264", "#a22")


@dataclass
class Shop:
    """A web site under development."""

    url: str
    html: str = BEFORE


@pytest.fixture
def shop() -> Iterator[Shop]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = f"<!doctype html><meta charset=utf-8><title>Shop</title>{made.html}".encode()
            self.send_response(200 if self.path == "/" else 404)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(body if self.path == "/" else b"")

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        made = Shop(f"http://127.0.0.1:{server.server_port}/")
        Thread(target=server.serve_forever, daemon=True).start()
        yield made
        server.shutdown()


@pytest.fixture
def fold(tmp_path: Path) -> Iterator[Fold]:
    made = Fold(tmp_path / "farm", tmp_path)
    yield made
    made.end()


def review(url: str, key: str, page: str) -> tuple[int, str]:
    """Run the line that stands in a CI's configuration."""
    words = ("review", page, "--browser", "chromium", "--width", "400", "--timeout", "120")
    ended = run_here(*words, environment=ENVIRONMENT | {"SHEEPFOLD_SERVER": url, "SHEEPFOLD_KEY": key})
    return ended.status, ended.out  # the other stream tells how far it is


def test_a_visual_change_is_found_looked_at_and_accepted(fold, shop, tmp_path):
    key = fold.key("ann", "ci")
    maker = fold.key("vera", "box", "volunteer")
    url = fold.serve().url
    words = [sys.executable, "-m", "sheepfold", "work", "--server", url, "--key", maker, "--kind", "screenshot",
             "--folder", str(tmp_path / "work")]  # fmt: skip
    with (tmp_path / "work.log").open("wb") as log:
        worker = subprocess.Popen(words, env=ENVIRONMENT, stderr=log)
    try:
        assert review(url, key, shop.url) == (0, "chromium, 400 px: new\n")
        shop.html = AFTER
        status, said = review(url, key, shop.url)
        assert status == 1
        assert said.startswith("chromium, 400 px: changed, ")
        job = int(said.rsplit(maxsplit=1)[-1])
        assert f"Look at {url}/shots/{job}/changes" in said
        with httpx.Client(trust_env=False) as http:
            assert "What differs" in http.get(f"{url}/shots/{job}/changes").text
            (tmp_path / "change.png").write_bytes(http.get(f"{url}/products/{job}/change-0.png").content)
        assert Image.open(tmp_path / "change.png").width == 400
        fold.done("job", "accept", job, "--account", "ann")
        assert review(url, key, shop.url) == (0, "chromium, 400 px: same\n")
    finally:
        worker.terminate()
        worker.wait(60)


def test_a_farm_that_makes_nothing_in_time_is_said_so(fold, shop):
    key = fold.key("ann", "ci")
    words = ("review", shop.url, "--timeout", "1", "--server", fold.serve_here(), "--key", key)
    ended = run_here(*words, environment=ENVIRONMENT)
    assert ended.status == 3
    assert "is not done after 1 seconds" in ended.err
