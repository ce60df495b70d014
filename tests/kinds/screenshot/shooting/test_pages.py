"""That real browsers shoot the awkward pages as is expected of each, and keep the reader's wishes."""

import numpy as np
import pytest
from tests.kinds.screenshot.shooting.conftest import Shoot
from tests.pages import corpus
from tests.pages.corpus import BLUE, GREEN, PAGES, RED, Page, is_like, is_reason, misfits
from tests.pages.server import Site

from sheepfold.kinds.screenshot import render
from sheepfold.kinds.screenshot.shooting import browsers
from sheepfold.kinds.seam import RenderFailed

CHOSEN = {"firefox": {"boxes", "loop", "frames", "restless", "astray"}, "webkitgtk": {"frames"}}
"""The pages that each browser besides Chromium shoots in every run of the tests."""
SLOW_IN_CHROMIUM = {"barred", "tall", "infinite"}
NOT_TOLD = {("webkitgtk", name) for name in ("download", "loop", "tls:short", "auth", "boxes", "astray")}
"""WebKitGTK's driver does not say why a page did not come, and mostly hangs at a box that comes up as one loads."""
HERE = {found.name for found in browsers.installed()}


def cases() -> list[object]:
    found = []
    for browser in ("chromium", "firefox", "webkitgtk"):
        for page in PAGES:
            is_usual = page.name not in SLOW_IN_CHROMIUM if browser == "chromium" else page.name in CHOSEN[browser]
            marks = [] if is_usual else [pytest.mark.slow]
            found.append(pytest.param(browser, page, id=f"{browser}-{page.name.replace(':', '-')}", marks=marks))
    return found


def checked(shoot: Shoot, browser: str, page: Page) -> None:
    if browser not in HERE:
        pytest.skip(f"There is no {browser} here.")
    is_told, reason, wrong = (browser, page.name) not in NOT_TOLD, "", []
    wait_s = 5 if page.fails or not is_told else 20
    try:
        wrong = misfits(page, shoot(page.name, browser, **({"wait_s": wait_s} | page.order)))
    except RenderFailed as failure:
        reason = str(failure)
    if page.fails:
        assert is_reason(page, reason) if is_told else reason
    elif is_told or not reason:
        assert (reason, wrong) == ("", [])


@pytest.mark.parametrize(("browser", "page"), cases())
def test_an_awkward_page_is_shot_as_expected(kept: Shoot, browser: str, page: Page):
    checked(kept, browser, page)


@pytest.mark.parametrize("browser", [
    "chromium", pytest.param("firefox"), pytest.param("webkitgtk", marks=pytest.mark.slow),
])  # fmt: skip
def test_the_reader_s_wishes_reach_the_page(shoot: Shoot, browser: str):
    if browser not in HERE:
        pytest.skip(f"There is no {browser} here.")
    picture = shoot("wishes", browser, mode="viewport", pixel_ratio=2, dark=True, reduced_motion=True, locale="de-AT",
                    time_zone="Asia/Tokyo")  # fmt: skip
    assert picture.shape == (2 * corpus.VIEW, 2 * corpus.WIDTH, 3)
    found = [is_like(picture[80 * number + 40, 800], GREEN).item() for number in range(6)]
    assert found == [True] * 6, "dark, calm, sharp, German, in Tokyo, with scripts"


@pytest.mark.parametrize("browser", ["chromium", pytest.param("firefox", marks=pytest.mark.slow)])
def test_without_wishes_and_without_scripts_a_page_is_as_it_comes(shoot: Shoot, browser: str):
    picture = shoot("wishes", browser, mode="viewport", javascript="disabled")
    assert is_like(picture[20, 400], RED)
    assert is_like(picture[220, 400], BLUE)


@pytest.mark.parametrize("browser", [
    "chromium", pytest.param("firefox", marks=pytest.mark.slow), pytest.param("webkitgtk", marks=pytest.mark.slow),
])  # fmt: skip
@pytest.mark.parametrize("bpp", [24, pytest.param(16, marks=pytest.mark.slow)])
def test_a_whole_screen_is_scrolled_and_merged_with_its_task_bar_below(shoot: Shoot, browser: str, bpp: int):
    if not browsers.has_screen() or browser not in HERE:
        pytest.skip("There is no Xvfb here, or no such browser.")
    picture = shoot("sticky", browser, mode="window", bpp=bpp)
    assert picture.shape[1] == corpus.WIDTH
    assert 4 * corpus.WIDTH - 60 <= picture.shape[0] <= 4 * corpus.WIDTH  # the page is higher than is allowed
    x = corpus.WIDTH - 60
    assert int(is_like(picture[:, x], GREEN).sum()) == 60
    assert int(is_like(picture[:, x], RED).sum()) == 40
    assert len(np.unique(picture[-20:, :200].reshape(-1, 3), axis=0)) > 2  # the task bar: buttons and words
    if browser != "webkitgtk":  # its scroll bar lies upon the page
        is_thumb = picture[110:-60, -7].max(axis=1) < 170
        changes = np.flatnonzero(np.diff(is_thumb, prepend=False, append=False))
        assert sum(end - begin > 20 for begin, end in changes.reshape(-1, 2)) == 1


@pytest.mark.parametrize("browser", ["chromium", pytest.param("firefox", marks=pytest.mark.slow)])
def test_a_browser_that_is_kept_makes_the_same_picture_and_remembers_nothing(shoot: Shoot, kept: Shoot, browser: str):
    if browser not in HERE:
        pytest.skip(f"There is no {browser} here.")
    once = shoot("visits", browser)
    pictures = [kept("visits", browser) for _ in range(3)]
    assert is_like(once[20, 400], GREEN)
    assert all(np.array_equal(once, picture) for picture in pictures)


def test_a_browser_reaches_nothing_on_this_machine_unless_its_owner_allows_it(
    shoot: Shoot, site: Site, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delenv(render.ALLOWED)
    before = dict(site.reached)
    with pytest.raises(RenderFailed, match=r"not public: 127\.0\.0\.1"):
        shoot("print")
    assert dict(site.reached) == before
