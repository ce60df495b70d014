from pathlib import Path

import pytest

from sheepfold.kinds.screenshot import spec, split
from sheepfold.model.matching import Needs


def test_every_view_is_a_task_with_needs_of_its_own(tmp_path: Path) -> None:
    order = spec.parse(
        {
            "url": "http://example.org/",
            "browsers": ["Firefox", {"name": "Opera", "version": "9.2"}],
            "widths": [800, 1024],
            "bpp": 24,
            "platform": "Linux",
        }
    )
    drafts = split.split(order, {}, tmp_path)
    assert [draft.frame for draft in drafts] == [0, 1, 2, 3]
    assert {draft.input for draft in drafts} == {None}
    assert drafts[3].needs == Needs(
        "screenshot", browser="opera", browser_version="9.2", platform="linux", width=1024, depth=24
    )
    assert drafts[0].needs.browser == "firefox"


ORDER = {"url": "http://example.org/", "browsers": ["Firefox"]}


def test_an_order_of_the_old_way_can_be_made_by_factories_of_every_wire(tmp_path: Path) -> None:
    (draft,) = split.split(spec.parse(ORDER | {"javascript": "disabled"}), {}, tmp_path)
    assert draft.needs == Needs("screenshot", browser="firefox", width=1024, javascript="disabled")


@pytest.mark.parametrize(
    "wish",
    [
        {"mode": "page"},
        {"mode": "viewport", "pixel_ratio": 2},
        {"dark": True},
        {"reduced_motion": True},
        {"locale": "de-AT"},
        {"time_zone": "Europe/Vienna"},
        {"wait_s": 20},
    ],
)
def test_what_only_remote_control_can_do_is_kept_from_old_factories(tmp_path: Path, wish: dict[str, object]) -> None:
    (draft,) = split.split(spec.parse(ORDER | wish), {}, tmp_path)
    assert draft.needs.protocol == "rest"


def test_an_emulated_viewport_needs_no_screen_of_its_size(tmp_path: Path) -> None:
    (draft,) = split.split(spec.parse(ORDER | {"mode": "page", "widths": [390], "height": 844}), {}, tmp_path)
    assert draft.needs == Needs("screenshot", browser="firefox", protocol="rest")
