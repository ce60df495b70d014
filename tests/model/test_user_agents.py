"""What browsers call themselves."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sheepfold.model.user_agents import engine_of, identify, platform_of, version_of

CHROMIUM = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/115.0.0.0 Safari/537.36"
WEBKIT = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.4 Safari/605.1.15"


@pytest.mark.parametrize(
    ("user_agent", "name", "version", "platform"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0", "firefox", "128.0", "linux"),
        (CHROMIUM, "chrome", "115.0.0.0", "linux"),
        (CHROMIUM + " Edg/115.0.1901.188", "edge", "115.0.1901.188", "linux"),
        (CHROMIUM + " OPR/101.0.0.0", "opera", "101.0.0.0", "linux"),
        (WEBKIT, "safari", "17.4", "linux"),
        ("Mozilla/4.0 (compatible; MSIE 6.0; Windows NT 5.1)", "msie", "6.0", "windows"),
        ("Opera/9.20 (X11; Linux i686; U; en)", "opera", "9.20", "linux"),
        ("Mozilla/5.0 (Macintosh; U; PPC Mac OS X; en) AppleWebKit/523 (KHTML, like Gecko) Version/3.0.4 Safari/523.10",
         "safari", "3.0.4", "mac os"),
        ("Mozilla/5.0 (X11; U; Linux i686; en-US; rv:1.8.1.8) Gecko/20071004 Iceweasel/2.0.0.8 (Debian)",
         "iceweasel", "2.0.0.8", "linux"),
        ("Mozilla/5.0 (X11; FreeBSD amd64; rv:115.0) Gecko/20100101 Firefox/115.0", "firefox", "115.0", "bsd"),
        ("Mozilla/5.0 (compatible; Konqueror/3.5; Linux) KHTML/3.5.7 (like Gecko)", "konqueror", "3.5", "linux"),
        ("curl/8.0", "", "", ""),
    ],
)
def test_browsers_are_told_apart(user_agent: str, name: str, version: str, platform: str) -> None:
    assert identify(user_agent) == (name, version)
    assert platform_of(user_agent) == platform


def test_a_name_of_the_same_browser_is_as_good() -> None:
    assert version_of(CHROMIUM, "Chromium") == "115.0.0.0"
    assert version_of(WEBKIT, "webkitgtk") == "17.4"
    assert version_of(CHROMIUM, "firefox") == ""


def test_a_browser_that_nobody_knew_is_found_by_its_own_name() -> None:
    told = "Mozilla/5.0 (X11; Linux) Gecko/2010 Firefox/3.6 Swiftfox/3.6.3"
    assert version_of(told, "swiftfox") == "3.6.3"
    assert version_of(told, "fox") == ""


@given(st.text(max_size=60), st.text(max_size=20))
def test_any_text_is_read(user_agent: str, name: str) -> None:
    version = version_of(user_agent, name)
    assert version == "" or version in user_agent


@pytest.mark.parametrize(("name", "version", "engine"), [
    ("Firefox", "128.0", "Gecko"), ("Chromium", "115.0", "Blink"), ("WebKitGTK", "2.44", "WebKit"),
    ("Opera", "9.10", "Presto"), ("Opera", "100.0", "Blink"), ("Edge", "18.1", "EdgeHTML"), ("Edge", "", "Blink"),
    ("Internet Explorer", "6.0", "Trident"), ("Konqueror", "3.5", "KHTML"), ("Netscape", "4", ""),
])
def test_what_a_browser_draws_with_is_known_by_its_name_and_version(name, version, engine):
    assert engine_of(name, version) == engine
