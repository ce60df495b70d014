"""That the pages which real browsers put in a page's place are known, and that honest ones beside them are not.

The pictures in error_pages are of real browsers on a whole screen, as `scripts/error_pages.py` takes them; those that
are 800 pixels wide are of a dark desktop.
"""

import operator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from sheepfold.kinds.screenshot.contents import Problem, problem_of
from sheepfold.kinds.screenshot.marks import Mark, find, known

PICTURES = sorted((Path(__file__).parent / "error_pages").glob("*.png"))
WHITE = (255, 255, 255)
STEM = operator.attrgetter("stem")
NO_ART = 190  # rows: there the drawing on Firefox's pages has not begun yet


def expected(path: Path) -> Problem:
    browser, _, trouble = path.stem.rpartition("-")[0].partition("-")
    if browser == "webkitgtk" and trouble in {"unknown", "untrusted"}:
        return {"unknown": Problem.NO_SERVER, "untrusted": Problem.BLANK}[trouble]
    return Problem.CRASHED if trouble == "crash" else Problem.NO_CONNECTION


@pytest.mark.parametrize("path", PICTURES, ids=STEM)
def test_a_real_browser_s_own_page_is_known(path: Path) -> None:
    assert problem_of(Image.open(path).convert("RGB"), is_screen=True) is expected(path)


@pytest.mark.parametrize("path", [path for path in PICTURES if path.stem.startswith("firefox-loop")], ids=STEM)
def test_what_is_around_a_drawing_does_not_matter(path: Path) -> None:
    image = Image.open(path).convert("RGB")
    part = image.crop((0, NO_ART, image.width, image.height))
    assert problem_of(part.resize((part.width * 2, part.height * 2), Image.Resampling.NEAREST)) is Problem.NO_CONNECTION


@pytest.mark.parametrize("path", [path for path in PICTURES if path.match("firefox-*-1024.png")], ids=STEM)
def test_a_window_of_firefox_around_another_page_is_no_error(path: Path) -> None:
    image = Image.open(path).convert("RGB")
    draw = ImageDraw.Draw(image)
    draw.rectangle((4, 120, 1016, 730), (255, 255, 255))
    draw.text((40, 200), "A page of some words, and an orange field.", (0, 0, 0))
    draw.rectangle((100, 300, 400, 500), (255, 103, 0))
    assert problem_of(image, is_screen=True) is None


def test_the_words_of_webkit_s_page_within_an_honest_page_are_no_error() -> None:
    image = Image.open(Path(__file__).parent / "error_pages" / "webkitgtk-refused-1024.png").convert("RGB")
    assert problem_of(image, is_screen=True) is Problem.NO_CONNECTION
    ImageDraw.Draw(image).text((40, 300), "is what you see when the network is down.", (0, 0, 0))
    assert problem_of(image, is_screen=True) is None


@pytest.mark.parametrize("ratio", [1, 2, 3])
def test_a_line_stands_wherever_it_is_and_lacks_nothing(ratio: int) -> None:
    points = tuple((x, 0) for x in range(0, 60, 3))
    mark = Mark(673, "a dotted line", drawn=points, empty=tuple((x + 1, 0) for x, _ in points))
    pixels = np.full((200, 400, 3), 255, np.uint8)
    for x, y in points:
        pixels[50 + y * ratio : 50 + (y + 1) * ratio, 90 + x * ratio : 90 + (x + 1) * ratio] = 0
    assert list(find(pixels, WHITE, [mark])) == [mark]
    pixels[50:60, 90 + 30 * ratio : 90 + 33 * ratio] = 255
    assert list(find(pixels, WHITE, [mark])) == []


@pytest.mark.parametrize("ratio", [1, 2])
def test_a_coloured_drawing_may_lack_a_tenth_and_is_no_field_of_its_colour(ratio: int) -> None:
    red, points = (220, 60, 50), tuple((x, 10) for x in range(10, 60, 10))
    mark = Mark(673, "a red bar", coloured=tuple((*point, red) for point in points),
                empty=tuple((x, 30) for x, _ in points))  # fmt: skip
    image = Image.new("RGB", (400, 300), WHITE)
    draw = ImageDraw.Draw(image)
    draw.rectangle((50, 50, 50 + 70 * ratio, 50 + 20 * ratio), red)
    assert list(find(np.asarray(image), WHITE, [mark])) == [mark]
    draw.rectangle((50 + 57 * ratio, 50, 400, 90), (210, 100, 50))
    assert list(find(np.asarray(image), WHITE, [mark])) == [mark]
    draw.rectangle((50, 0, 50 + 70 * ratio, 300), red)
    assert list(find(np.asarray(image), WHITE, [mark])) == []


def test_each_mark_is_of_a_problem_that_has_a_sentence() -> None:
    assert {Problem(mark.problem) for mark in known()} == {
        Problem.CRASHED, Problem.NO_CONNECTION, Problem.NO_SERVER}  # fmt: skip
    assert all(mark.what and (mark.coloured or mark.drawn) for mark in known())
