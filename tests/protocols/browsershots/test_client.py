"""Our worker's line to a Browsershots server."""

import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn

from sheepfold.app import make_app
from sheepfold.model.matching import Abilities
from sheepfold.protocols.browsershots.client import BrowsershotsLink, open_link
from sheepfold.protocols.link import FarmRefused, FarmUnreachable, Figures, Receipt
from sheepfold.protocols.registry import PROTOCOLS, load

ABLE = Abilities(frozenset({"screenshot"}))
AGENT = "Mozilla/5.0 (X11; U; Linux i686; en-US; rv:1.9) Gecko/2008061015 Firefox/3.0"


@pytest.fixture
def address(site: Any) -> Iterator[str]:
    """Serve the farm on a real socket."""
    server = uvicorn.Server(uvicorn.Config(make_app(site.farm), lifespan="off", log_config=None,
                                           timeout_graceful_shutdown=1))
    with socket.create_server(("127.0.0.1", 0)) as bound:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]}, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{bound.getsockname()[1]}"
        server.should_exit = True
        thread.join(30)


@pytest.fixture
def link(site: Any, address: str, tmp_path: Path) -> Iterator[BrowsershotsLink]:
    with open_link(address, site.argo.password, tmp_path, "sheepfold-worker/1", "argo") as opened:
        yield opened


def test_a_worker_does_a_whole_job(site: Any, link: BrowsershotsLink, address: str, picture: Any,
                                   tmp_path: Path) -> None:
    site.order(javascript="enabled")
    link.open(ABLE)
    work = link.claim(ABLE)
    assert work is not None
    assert (work.kind, work.spec["widths"], work.spec["height"], work.spec["bpp"]) == ("screenshot", [1024], 768, 24)
    assert (work.spec["mode"], work.spec["javascript"]) == ("window", "enabled")
    assert work.spec["browsers"] == [{"name": "Firefox", "version": "3.0", "platform": ""}]
    assert work.spec["url"].startswith(f"{address}/redirect/argo/")
    led = httpx.get(work.spec["url"], headers={"User-Agent": AGENT}, trust_env=False)
    assert (led.status_code, led.headers["location"]) == (302, "http://127.0.0.1/page.html")
    assert link.heartbeat(work, 10)
    shot = tmp_path / "shot.png"
    shot.write_bytes(picture())
    assert link.submit(work, shot, Figures()) is Receipt.ACCEPTED
    assert link.submit(work, shot, Figures()) is Receipt.ACCEPTED
    assert link.claim(ABLE) is None


def test_a_refused_picture_and_an_unwanted_one_are_told_apart(site: Any, link: BrowsershotsLink, picture: Any,
                                                              tmp_path: Path) -> None:
    site.order()
    link.open(ABLE)
    work = link.claim(ABLE)
    assert work is not None
    shot = tmp_path / "shot.png"
    shot.write_bytes(picture(0, 800, 600))
    assert link.submit(replace(work, handle="4711"), shot, Figures()) is Receipt.UNWANTED
    httpx.get(work.spec["url"], headers={"User-Agent": AGENT}, trust_env=False)
    assert link.submit(work, shot, Figures()) is Receipt.REFUSED


def test_a_wrong_key_or_name_is_refused_for_good(site: Any, address: str, tmp_path: Path) -> None:
    for key, name in (("0" * 32, "argo"), (site.argo.password, "nemo")):
        with open_link(address, key, tmp_path, "x", name) as link, pytest.raises(FarmRefused):
            link.open(ABLE)


def test_a_server_that_is_away_or_answers_nonsense_is_tried_later(tmp_path: Path, address: str) -> None:
    for url in ("http://127.0.0.1:9", f"{address}/api"):
        with open_link(url, "k", tmp_path, "x", "argo") as link, pytest.raises(FarmUnreachable):
            link.open(ABLE)


def test_a_worker_without_a_name_is_called_as_its_computer(tmp_path: Path) -> None:
    with open_link("http://127.0.0.1:9", "k", tmp_path, "x") as link:
        assert link._factory == socket.gethostname().partition(".")[0].lower()


def test_the_registry_knows_the_line() -> None:
    assert load(PROTOCOLS["browsershots"].link) is open_link
