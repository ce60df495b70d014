"""Shots a minute by one worker's way, beside a bare loop of the driver over the same pages with the same browser.

The worker's way starts a program behind walls, with a fresh browser for each page, and waits until the page is at rest.
The bare loop starts a browser through Selenium in this very process, loads the page, takes the picture and quits.
"""

import argparse
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from ground.figures import machine
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.chrome.webdriver import WebDriver

from sheepfold.kinds.screenshot import render, spec
from sheepfold.kinds.screenshot.shooting import browsers
from sheepfold.kinds.screenshot.shooting.browsers import Found
from sheepfold.kinds.seam import RenderOrder
from sheepfold.worker.bench import Bench
from sheepfold.worker.sandbox import Limits

WIDTH, HEIGHT = 1024, 640
PAGES = ("words", "boxes", "table")
BODIES = {
    "words": "<h1>Words</h1>" + "<p>The flock grazes on the hill. </p>" * 60,
    "boxes": "".join(f"<div style='background:hsl({n * 7} 60% 60%);height:40px'>{n}</div>" for n in range(50)),
    "table": "<table>" + "<tr><td>one<td>two<td>three" * 80 + "</table>",
}


def main() -> None:
    """Measure both ways in turns and at one priority, so that both meet the same load of the machine."""
    os.nice(19)  # as the worker runs its renderers
    asked = _asked()
    found, chromedriver = browsers.find("chromium"), shutil.which("chromedriver")
    if found is None or chromedriver is None:
        print("not measured: there is no Chromium with its driver here")
        return
    print(f"shots of {WIDTH} x {HEIGHT} by {found.name} {found.version}, {asked.shots} each way; {machine()}")
    with _site() as site:
        os.environ[render.ALLOWED] = "127.0.0.0/8"
        ways: dict[str, Callable[[str], None]] = {
            "bare": lambda url: _bare(found, chromedriver, url), "worker": _by_worker,
        }  # fmt: skip
        spent = dict.fromkeys(ways, 0.0)
        for number in range(asked.shots):
            for name, way in ways.items():
                started = time.perf_counter()
                way(f"{site}/{PAGES[number % len(PAGES)]}")
                spent[name] += time.perf_counter() - started
        for name in ways:
            each = spent[name] / asked.shots
            print(f"{name}: {60 / each:.1f} shots a minute, {each:.2f} s each")
        print(f"single shots: {spent['bare'] / spent['worker']:.2f} of the bare loop")
        if asked.kept:
            _kept(site, asked.shots, spent["bare"] / asked.shots)


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shots", type=int, default=20)
    parser.add_argument("--kept", action=argparse.BooleanOptionalAction, default=True,
                        help="measure a browser that is kept, too, with a clean profile for each shot")  # fmt: skip
    return parser.parse_args()


def _order(url: str) -> RenderOrder:
    told = {"url": url, "browsers": ["chromium"], "widths": [WIDTH], "height": HEIGHT, "mode": "viewport"}
    return RenderOrder(spec.parse(told), 0)


def _by_worker(url: str) -> None:
    with tempfile.TemporaryDirectory(prefix="sheepfold-bench-") as name:
        folder = Path(name)
        (folder / "room").mkdir()
        render.render(_order(url), Bench(folder / "room", folder / "log", Limits(time_s=120)))


def _kept(site: str, shots: int, bare_s: float) -> None:
    """Measure one browser that makes all shots of one page, as for a job of many views."""
    order = _order(f"{site}/{PAGES[0]}")
    with tempfile.TemporaryDirectory(prefix="sheepfold-bench-") as name:
        folder = Path(name)
        (folder / "room").mkdir()
        chain = render.open_chain(order, Bench(folder / "room", folder / "log", Limits(time_s=120)))
        try:
            chain.render(order)  # starts the browser
            started = time.perf_counter()
            for _ in range(shots):
                chain.render(order)
            each = (time.perf_counter() - started) / shots
        finally:
            chain.close()
    print(f"kept: {60 / each:.1f} shots a minute, {each:.2f} s each, {bare_s / each:.2f} of the bare loop")


def _bare(found: Found, chromedriver: str, url: str) -> None:
    options = Options()
    options.binary_location = found.program
    for flag in ("--headless=new", "--no-sandbox", "--disable-gpu", f"--window-size={WIDTH},{HEIGHT}"):
        options.add_argument(flag)
    driver = WebDriver(options, Service(chromedriver))
    try:
        driver.get(url)
        driver.get_screenshot_as_png()
    finally:
        driver.quit()


class _Pages(BaseHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        body = f"<!doctype html><title>Page</title>{BODIES.get(self.path[1:], '')}".encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def _site() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Pages)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


if __name__ == "__main__":
    main()
