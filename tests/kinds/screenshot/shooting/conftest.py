"""A server of awkward pages, and a way to shoot them behind the walls that a worker has."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from tests.pages import corpus, server

from sheepfold.kinds.screenshot import render, spec
from sheepfold.kinds.seam import RenderOrder
from sheepfold.worker.bench import Bench
from sheepfold.worker.sandbox import Limits

Shoot = Callable[..., npt.NDArray[np.uint8]]


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[server.Site]:
    with server.site(tmp_path_factory.mktemp("site")) as opened:
        yield opened


def ordered(site: server.Site, page: str, browser: str, order: dict[str, object]) -> RenderOrder:
    told = {"url": site.url(page), "browsers": [browser], "widths": [corpus.WIDTH], "height": corpus.VIEW}
    return RenderOrder(spec.parse(told | {"mode": "page", "wait_s": 20} | order), 0)


def pixels(picture: Path) -> npt.NDArray[np.uint8]:
    with Image.open(picture) as image:
        return np.asarray(image.convert("RGB"))


@pytest.fixture(scope="session")
def kept(site: server.Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shoot]:
    """Return a function that shoots a page with browsers that are kept for all tests."""
    chains: dict[str, render.Chain] = {}

    def shot(page: str, browser: str = "chromium", **order: object) -> npt.NDArray[np.uint8]:
        wanted = ordered(site, page, browser, order)
        if browser not in chains:
            folder = tmp_path_factory.mktemp(browser)
            (folder / "room").mkdir()
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv(render.ALLOWED, "127.0.0.0/8")
                bench = Bench(folder / "room", folder / "log", Limits(time_s=150))
                chains[browser] = render.open_chain(wanted, bench)
        return pixels(chains[browser].render(wanted))

    yield shot
    for chain in chains.values():
        chain.close()


@pytest.fixture
def shoot(tmp_path: Path, site: server.Site, monkeypatch: pytest.MonkeyPatch) -> Shoot:
    """Return a function that shoots a page with a browser of its own; returns the picture's rows of RGB."""
    monkeypatch.setenv(render.ALLOWED, "127.0.0.0/8")
    room = tmp_path / "room"
    room.mkdir()

    def shot(page: str, browser: str = "chromium", **order: object) -> npt.NDArray[np.uint8]:
        bench = Bench(room, tmp_path / "log", Limits(time_s=150))
        return pixels(render.render(ordered(site, page, browser, order), bench))

    return shot
