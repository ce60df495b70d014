"""Names of factories, browsers and redirects."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sheepfold.model.errors import InvalidName, InvalidSpec, NotFound, SheepfoldError, UnknownTask
from sheepfold.protocols.browsershots.names import BrowserId, Redirect, factory_name, read_browsers

versions = st.none() | st.integers(0, 999999)
browsers = st.builds(
    BrowserId, st.from_regex(r"[a-z]+( [a-z]+)?", fullmatch=True), st.from_regex(r"[a-z0-9]+(-[a-z]+)?",
    fullmatch=True), versions, versions)
segments = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)


@given(browsers)
def test_a_browser_survives_its_way(browser):
    assert BrowserId.decode(browser.encode()) == browser


@given(st.builds(Redirect, segments, segments, st.integers(0, 2**31 - 1)))
def test_a_redirect_survives_its_way(redirect):
    assert Redirect.decode(redirect.encode()) == redirect


@given(st.text(max_size=40))
def test_any_text_raises_the_farms_errors_only(text):
    for read in (factory_name, BrowserId.decode, Redirect.decode, lambda path: Redirect.decode(f"/redirect/{path}")):
        with suppress(SheepfoldError):
            read(text)


@pytest.mark.parametrize(("text", "browser"), [
    ("linux_firefox_2_0", BrowserId("linux", "firefox", 2, 0)),
    ("Mac-OS_Safari_3_1", BrowserId("mac os", "safari", 3, 1)),
    ("windows_k-meleon_1_x", BrowserId("windows", "k-meleon", 1)), ("bsd_opera_None_None", BrowserId("bsd", "opera"))])
def test_a_browser_is_named_by_platform_and_version(text, browser):
    assert BrowserId.decode(text) == browser


def test_any_version_is_written_as_none():
    assert BrowserId("mac os", "internet explorer", 5).encode() == "mac-os_internet-explorer_5_None"


@pytest.mark.parametrize("text", ["", "linux", "linux_firefox_2", "linux_firefox_2_0_1", "_firefox_2_0", "linux__2_0"])
def test_a_browser_has_four_parts(text):
    with pytest.raises(InvalidSpec, match="platform_browser_major_minor"):
        BrowserId.decode(text)


def test_an_order_passes_over_what_it_cannot_read_and_what_it_had():
    names = ["linux_firefox_2_0", "nonsense", "LINUX_Firefox_2_0", "windows_msie_6_0"]
    assert read_browsers(names) == (BrowserId("linux", "firefox", 2, 0), BrowserId("windows", "msie", 6, 0))


@pytest.mark.parametrize("name", ["argo", "a", "a1-b_c"])
def test_a_factorys_name_begins_with_a_small_letter(name):
    assert factory_name(name) == name


@pytest.mark.parametrize("name", ["", "1a", "Argo", "-a", "a b", "a\n", "ä", "a.b", "factory", "add", "localhost"])
def test_a_factory_has_no_other_name(name):
    with pytest.raises(InvalidName):
        factory_name(name)


def test_a_redirect_may_lack_its_last_slash():
    assert Redirect.decode("/redirect/argo/0c17/3802921") == Redirect("argo", "0c17", 3802921)


@pytest.mark.parametrize(("path", "error"), [
    ("/redirect/argo/0c17/x/", UnknownTask), ("/redirect/argo/0c17/", UnknownTask), ("/redirect/", UnknownTask),
    ("/redirect/argo/0c17/99999999999/", UnknownTask), ("/elsewhere/", NotFound)])
def test_a_path_that_is_no_redirect_is_refused(path, error):
    with pytest.raises(error):
        Redirect.decode(path)
