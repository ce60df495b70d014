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


@pytest.fixture
def kept(tmp_path: Path, site: server.Site, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[np.ndarray]]:
    """Return a function that shoots a page three times with one browser that is kept."""
    monkeypatch.setenv(render.ALLOWED, "127.0.0.0/8")
    room = tmp_path / "kept"
    room.mkdir()

    def shots(page: str, browser: str) -> list[np.ndarray]:
        told = {"url": site.url(page), "browsers": [browser], "widths": [corpus.WIDTH], "height": corpus.VIEW}
        order = RenderOrder(spec.parse(told | {"mode": "page", "wait_s": 20}), 0)
        chain = render.open_chain(order, Bench(room, tmp_path / "log", Limits(time_s=150)))
        try:
            return [np.asarray(Image.open(chain.render(order)).convert("RGB")) for _ in range(3)]
        finally:
            chain.close()

    return shots


@pytest.fixture
def shoot(tmp_path: Path, site: server.Site, monkeypatch: pytest.MonkeyPatch) -> Shoot:
    """Return a function that shoots a page; returns the picture's rows of RGB."""
    monkeypatch.setenv(render.ALLOWED, "127.0.0.0/8")
    room = tmp_path / "room"
    room.mkdir()

    def shot(page: str, browser: str = "chromium", **order: object) -> npt.NDArray[np.uint8]:
        told = {"url": site.url(page), "browsers": [browser], "widths": [corpus.WIDTH], "height": corpus.VIEW}
        parsed = spec.parse(told | {"mode": "page", "wait_s": 20} | order)
        bench = Bench(room, tmp_path / "log", Limits(time_s=150))
        with Image.open(render.render(RenderOrder(parsed, 0), bench)) as image:
            return np.asarray(image.convert("RGB"))

    return shot
