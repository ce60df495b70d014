"""A real farm behind a real server, and a real browser that looks at it."""

import io
import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect, sync_playwright
from tests.serving import serving

from sheepfold.config import Settings
from sheepfold.farm.accounts import add_account
from sheepfold.farm.chores import do_next_chore
from sheepfold.farm.farm import Farm, open_farm
from sheepfold.farm.orders import Order, cancel_job, order_job
from sheepfold.farm.people import open_web_session
from sheepfold.kinds.inspector import Inspector
from sheepfold.model.accounts import Account, Role
from sheepfold.model.jobs import Job
from sheepfold.protocols.electricsheep import wire
from sheepfold.protocols.registry import verifiers

GENOMES = Path(__file__).parents[1] / "genomes"
WIDTH, HEIGHT = 96, 72
expect.set_options(timeout=20_000)  # a machine may be busy with others' work


@dataclass
class Site:
    """A farm that is being served."""

    farm: Farm
    artist: Account
    url: str
    http: httpx.Client

    def order(self, title: str, *genomes: str, frames: int = 4, **spec: object) -> Job:
        """Order a sheep of small frames."""
        names = genomes or ("r1.flam3",)
        inputs = dict(zip(("genome", "genome2"), (GENOMES / name for name in names), strict=False))
        small = {"frames": frames, "width": WIDTH, "height": HEIGHT, "quality": 1, "temporal_samples": 1}
        return order_job(self.farm, self.artist, Order("flame", small | spec, inputs, title))

    def claim(self) -> wire.FrameOrder | None:
        """Ask for a frame as a screensaver."""
        answer = wire.decode_get_answer(self.http.get("/cgi/get?n=&w=&v=LNX_3.0.2&u=AB&r=1&c=1").content)
        return answer if isinstance(answer, wire.FrameOrder) else None

    def paint(self, order: wire.FrameOrder, size: tuple[int, int] = (WIDTH, HEIGHT)) -> None:
        """Send a painted picture for an order."""
        body = painted(order.sheep, order.put_job, size)
        query = f"j={order.put_job}&id={order.sheep}&s={len(body)}&g={order.generation}&v=LNX_3.0.2&u=AB"
        assert self.http.put(f"/cgi/put?{query}", content=body).status_code == 200

    def paint_all(self) -> None:
        """Send a picture for every frame that is open."""
        while order := self.claim():
            self.paint(order)

    def cookie(self, account: Account | None = None) -> str:
        """Sign an account in; returns the session's token."""
        return open_web_session(self.farm, account or self.artist, "a test")

    def post(self, path: str, token: str = "", origin: str | None = None, **fields: str) -> httpx.Response:
        """Send a form as a page of ours does, or from another origin."""
        headers = {"Origin": self.url if origin is None else origin, "Cookie": f"sheepfold_web={token}"}
        return self.http.post(path, data=fields, headers={name: value for name, value in headers.items() if value})

    def cancel(self, job: Job) -> None:
        """Cancel a job."""
        cancel_job(self.farm, self.artist, job.id)

    def keep_house(self) -> None:
        """Make the previews and films that are due."""
        with ThreadPoolExecutor(1) as executor:
            while do_next_chore(self.farm, executor):
                pass


def painted(sheep: int, frame: int, size: tuple[int, int]) -> bytes:
    """Draw rings in a colour of the sheep's own, which move with the frame."""
    x, y = np.meshgrid(np.linspace(-2, 2, size[0]), np.linspace(-1.5, 1.5, size[1]))
    turn = frame / 3 + sheep
    waves = [np.sin(5 * np.hypot(x - np.cos(turn + hue), y - np.sin(turn + hue))) for hue in (sheep, 2.1, 4.2)]
    pixels = np.stack([(wave + 1) * 127 for wave in waves], axis=-1).astype(np.uint8)
    target = io.BytesIO()
    Image.fromarray(pixels).save(target, "PNG")
    return target.getvalue()


@pytest.fixture
def site(tmp_path: Path, new_folder: Callable[[Path], Path], shared_inspector: Inspector) -> Iterator[Site]:
    with (
        open_farm(Settings(data=new_folder(tmp_path / "farm")), verifiers, inspector=shared_inspector) as farm,
        serving(farm) as url,
        httpx.Client(base_url=url, timeout=30, trust_env=False, verify=False) as http,  # trust takes 30 ms to load
    ):
        yield Site(farm, add_account(farm, "bella", Role.OWNER, ""), url, http)
        farm.closing.set()


@pytest.fixture(scope="module")  # while it lives, its event loop runs in this thread, where others want theirs
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        words = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=words, timeout=60_000)
        yield browser
        browser.close()


@dataclass
class Watched:
    """A page, what it asked for, and what it complained of."""

    page: Page
    asked: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)


@pytest.fixture
def look(browser: Browser, site: Site) -> Iterator[object]:
    """Open a page of the farm; at the end it must have asked nobody else, and have complained of nothing."""
    opened: list[Watched] = []

    def open_page(path: str = "/", width: int = 1280, scheme: str = "light", account: Account | None = None) -> Page:
        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
        if account is not None:
            context.add_cookies([{"name": "sheepfold_web", "value": site.cookie(account), "url": site.url}])
        context.set_default_timeout(20_000)
        watched = Watched(context.new_page())
        watched.page.on("request", lambda request: watched.asked.append(request.url))
        watched.page.on("console", lambda said: said.type == "error" and watched.complaints.append(said.text))
        watched.page.on("pageerror", lambda error: watched.complaints.append(str(error)))
        opened.append(watched)
        watched.page.goto(site.url + path, wait_until="domcontentloaded")
        return watched.page

    yield open_page
    for watched in opened:
        watched.page.context.close()
        assert [url for url in watched.asked if not url.startswith((site.url + "/", "data:"))] == []
        assert [said for said in watched.complaints if not re.search(r"status of (403|404|422)", said)] == []


AXE = (Path(__file__).parent / "axe.min.js").read_text("utf-8")


def faults_of(page: Page) -> list[str]:
    """Return what axe finds wrong with a page as it now is; WCAG 2.2's size of targets is a rule that it leaves out."""
    page.evaluate(AXE)
    return page.evaluate("""axe.run({rules: {"target-size": {enabled: true}}}).then(found => found.violations.map(
        one => one.id + ': ' + one.nodes.map(node => node.html.slice(0, 150)).join(' | ')))""")


@pytest.fixture
def until():
    """Wait for an expression to be true; Playwright's own wait evaluates text in the page, which our pages forbid."""

    def wait(page: Page, expression: str, limit_s: float = 30) -> None:
        end = time.monotonic() + limit_s
        while not page.evaluate(expression):
            assert time.monotonic() < end, f"never true: {expression}"
            page.wait_for_timeout(50)

    return wait


@pytest.fixture
def axe():
    """Find what keeps people out of a page."""
    return faults_of
