"""What differs between two pictures of a page."""

import json

import numpy as np
import pytest
from PIL import Image

from sheepfold.kinds.screenshot.changes import NOTICEABLE, Region, changes, difference, drawn
from sheepfold.kinds.screenshot.spec import parse
from sheepfold.kinds.seam import Baseline, Picture

WIDTH = 80


def page(*stripes: tuple[int, int]) -> np.ndarray:
    """Paint stripes from the top: how many rows of which grey, each row unlike its neighbours."""
    rows = [np.full((1, WIDTH, 3), grey, np.uint8) for count, grey in stripes for _ in range(count)]
    painted = np.concatenate(rows)
    painted[:, 0, 0] = np.arange(len(painted)) % 2
    return painted


def test_equal_pictures_do_not_differ():
    found = difference(page((30, 10), (30, 200)), page((30, 10), (30, 200)))
    assert (found.share, found.gone_rows, found.regions()) == (0, 0, [])


def test_what_is_too_faint_to_see_counts_as_the_same():
    earlier = page((30, 100))
    assert difference(earlier, earlier + np.uint8(NOTICEABLE)).share == 0
    assert difference(earlier, earlier + np.uint8(NOTICEABLE + 1)).share == 1


def test_a_changed_button_is_one_region():
    later = page((100, 250))
    later[40:50, 20:60] = 0
    found = difference(page((100, 250)), later)
    assert found.regions() == [Region(20, 40, 40, 10)]
    assert found.share == pytest.approx(400 / 8000)


def test_a_banner_that_came_in_is_all_that_changed():
    later = np.concatenate([page((20, 40)), page((10, 90)), page((70, 250))])
    found = difference(np.concatenate([page((20, 40)), page((70, 250))]), later)
    assert found.regions() == [Region(0, 20, WIDTH, 10)]
    assert found.gone_rows == 0


def test_what_went_counts_though_it_cannot_be_marked():
    found = difference(np.concatenate([page((20, 40)), page((10, 90)), page((70, 250))]),
                       np.concatenate([page((20, 40)), page((70, 250))]))  # fmt: skip
    assert (found.gone_rows, found.regions()) == (10, [])
    assert found.share == pytest.approx(0.1)


def test_a_wider_picture_differs_where_the_other_had_nothing():
    wide = np.full((10, 100, 3), 9, np.uint8)
    assert difference(wide[:, :60], wide).regions() == [Region(60, 0, 40, 10)]


def test_the_drawing_shows_what_differs_and_fades_the_rest():
    later = page((60, 100))
    later[10:20, 10:20] = 255
    picture = np.asarray(drawn(later, difference(page((60, 100)), later))).astype(int)
    assert picture[15, 15, 0] - picture[15, 15, 1] > 60
    assert abs(picture[40, 40] - picture[40, 40, 0]).max() == 0
    assert picture[40, 40, 0] > 180


def test_an_order_is_told_view_by_view(tmp_path):
    def pictures(folder, *arrays):
        (tmp_path / folder).mkdir()
        paths = [tmp_path / folder / f"{frame}.png" for frame in range(len(arrays))]
        for path, array in zip(paths, arrays, strict=True):
            Image.fromarray(array).save(path)
        return tuple(Picture(frame, 0, path, "image/png") for frame, path in enumerate(paths))

    order = {"url": "http://farm.example/", "mode": "page", "baseline": "home", "widths": [400]}
    spec = parse(order | {"browsers": ["chromium", "firefox", "opera"]})
    earlier = parse(order | {"browsers": ["firefox", "chromium"]})
    changed = page((50, 100))
    changed[5:15] = 0
    accepted = Baseline(1000, earlier, pictures("before", page((50, 100)), page((50, 7))))
    (tmp_path / "made").mkdir()
    made = changes(pictures("after", page((50, 7)), changed, page((5, 5))), spec, accepted, tmp_path / "made")
    assert [product.name for product in made] == ["changes.json", "change-1.png"]
    told = json.loads(made[0].path.read_text())
    assert told["baseline"] == 1000
    assert [(view["browser"], view["state"], view.get("before")) for view in told["views"]] == [
        ("chromium", "same", 1), ("firefox", "changed", 0), ("opera", "new", None)]  # fmt: skip
    assert told["views"][1]["regions"] == [{"left": 0, "top": 5, "width": WIDTH, "height": 10}]
    assert Image.open(made[1].path).size == (WIDTH, 50)


def test_little_is_tolerated_where_the_order_says_so(tmp_path):
    Image.fromarray(page((100, 250))).save(tmp_path / "a.png")
    later = page((100, 250))
    later[3, 3] = 0
    Image.fromarray(later).save(tmp_path / "b.png")

    def state(tolerance: float) -> str:
        spec = parse({"url": "http://farm.example/", "browsers": ["a"], "tolerance": tolerance})
        before, now = (Picture(0, 0, tmp_path / name) for name in ("a.png", "b.png"))
        made = changes([now], spec, Baseline(1, spec, (before,)), tmp_path)
        return str(json.loads(made[0].path.read_text())["views"][0]["state"])

    assert (state(0.02), state(0.01)) == ("same", "changed")


def test_the_first_pictures_of_a_name_are_new(tmp_path):
    Image.fromarray(page((9, 9))).save(tmp_path / "a.png")
    spec = parse({"url": "http://farm.example/", "browsers": ["a"], "baseline": "x"})
    made = changes([Picture(0, 0, tmp_path / "a.png")], spec, Baseline(), tmp_path)
    told = json.loads(made[0].path.read_text())
    assert (told["baseline"], [view["state"] for view in told["views"]]) == (None, ["new"])


def test_words_in_what_is_new_can_be_read_in_the_drawing() -> None:
    earlier = np.full((40, 60, 3), 255, np.uint8)
    later = np.concatenate((np.full((20, 60, 3), 200, np.uint8), earlier))
    later[8:12, 10:50] = 0
    picture = np.asarray(drawn(later, difference(earlier, later))).astype(int)
    assert (picture[4, 30] - picture[10, 30]).min() > 50
    assert picture[30, 30].tolist() == [255, 255, 255]
