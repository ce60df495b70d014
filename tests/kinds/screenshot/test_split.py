from pathlib import Path

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
        "screenshot", browser="Opera", browser_version="9.2", platform="linux", width=1024, depth=24
    )
    assert drafts[0].needs.browser == "Firefox"
