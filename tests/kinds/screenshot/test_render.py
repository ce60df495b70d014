"""What a worker shoots of an order that a farm sent: a farm is a stranger, and its words are checked here, too."""

from typing import Any

import pytest

from sheepfold.kinds.screenshot import render, spec
from sheepfold.kinds.screenshot.shooting.shot import USUAL_WAIT_S
from sheepfold.kinds.seam import RenderFailed, RenderOrder

ORDER = {"url": "http://example.org/a?b#c", "browsers": ["chromium"], "widths": [800, 1024], "mode": "page"}


def order_of(frame: int = 0, **told: Any) -> RenderOrder:
    """Return an order as the farm checked it, with what is told put in its place unchecked."""
    return RenderOrder(spec.parse(ORDER) | told, frame)


@pytest.mark.parametrize(
    "url",
    ["file:///etc/passwd", "file://localhost/etc/passwd", "chrome://settings/", "about:blank", "javascript:alert(1)",
     "view-source:http://example.org/", "/etc/passwd", "", 7, None],
)  # fmt: skip
def test_a_farm_has_pages_of_the_web_photographed_and_nothing_of_this_machine(url: Any):
    with pytest.raises(RenderFailed, match="url must"):
        render.shot_of(order_of(url=url))


@pytest.mark.parametrize(
    "told",
    [{"wait_s": 10**9}, {"wait_s": "x"}, {"widths": [10**6]}, {"height": 10**6}, {"height": -1}, {"bpp": 7},
     {"pixel_ratio": 100}, {"locale": "--flag"}, {"time_zone": "/etc/passwd"}, {"mode": "film"}, {"dark": "yes"},
     {"browsers": [{"name": "../chromium"}]}, {"browsers": []}, {"browsers": "chromium"}],
)  # fmt: skip
def test_what_no_farm_of_ours_asks_for_is_not_shot(told: dict[str, Any]):
    with pytest.raises(RenderFailed, match="the farm asks for"):
        render.shot_of(order_of(**told))


@pytest.mark.parametrize("frame", [-1, 2, 10**30])
def test_a_view_that_the_order_has_not_is_not_shot(frame: int):
    with pytest.raises(RenderFailed, match="no view of its order"):
        render.shot_of(order_of(frame))


@pytest.mark.parametrize("url", ["http://127.0.0.1:8000/redirect/a/0/1/", "http://[::1]/", "http://x/", ORDER["url"]])
def test_a_page_is_shot_whatever_its_host_as_the_gate_decides_on_that(url: str):
    shot = render.shot_of(order_of(1, url=url))
    assert (shot.url, shot.width, shot.height, shot.wait_s) == (url, 1024, 640, USUAL_WAIT_S)


def test_a_farm_may_be_older_or_newer_than_its_worker():
    assert render.shot_of(order_of(of_tomorrow=[1])) == render.shot_of(RenderOrder(ORDER, 0))
