import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sheepfold.kinds.screenshot.spec import View, checked_url, parse, views
from sheepfold.model.errors import InvalidSpec

ORDER = {"url": "https://example.org/", "browsers": ["Firefox"]}


def test_an_order_has_a_view_for_each_browser_and_width() -> None:
    browsers = ["Firefox", {"name": "Chromium", "version": "128.0"}]
    spec = parse(ORDER | {"browsers": browsers, "widths": [800, 1024, 800]})
    assert views(spec) == [
        View("Firefox", "", 800),
        View("Firefox", "", 1024),
        View("Chromium", "128.0", 800),
        View("Chromium", "128.0", 1024),
    ]


def test_a_parsed_order_parses_to_itself_and_is_plain_json() -> None:
    spec = parse(ORDER | {"widths": [800], "platform": "Linux", "javascript": "disabled", "flash": "9.0"})
    assert parse(spec) == spec
    assert json.loads(json.dumps(spec)) == spec


@pytest.mark.parametrize(
    ("given_url", "taken"),
    [
        ("http://example.org", "http://example.org/"),
        ("https://example.org:8443/a?b=c#d", "https://example.org:8443/a?b=c#d"),
        ("HTTP://EXAMPLE.org/A", "http://example.org/A"),
        ("http://bücher.example/", "http://xn--bcher-kva.example/"),
        ("http://127.0.0.1:8000/", "http://127.0.0.1:8000/"),
        ("http://[::1]:80/", "http://[::1]:80/"),
        ("http://my_host/", "http://my_host/"),
    ],
)
def test_a_url_is_taken_with_its_host_in_ascii(given_url: str, taken: str) -> None:
    assert checked_url(given_url) == taken
    assert checked_url(taken) == taken


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.org",
        "ftp://example.org/",
        "javascript:alert(1)",
        "file:///etc/passwd",
        "http://",
        "http:///path",
        "http://user:secret@example.org/",
        "http://@example.org/",
        "http://example.org:99999/",
        "http://exa mple.org/",
        "http://-bad-.org/",
        "http://a..b/",
        "http://[::1/",
        "http://[zz]/",
        "http://example.org/\n",
        "http://example.org/\"onload='x'",
        "http://" + "a" * 64 + ".org/",
        "http://\u2100.example/\u0000",
        "http://example.org/" + "a" * 2000,
        None,
        7,
    ],
)
def test_what_is_no_url_of_the_web_is_refused(url: object) -> None:
    with pytest.raises(InvalidSpec):
        checked_url(url)


@pytest.mark.parametrize("url", [
    "http://user:secret@example.org/", "http://user:secret/more@example.org/", "user:secret@example.org",
    "http://[secret]/", "http://user:sec@ret@example.org/",
])  # fmt: skip
def test_a_password_in_a_url_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(InvalidSpec) as found:
        checked_url(url)
    assert "sec" not in str(found.value)


@given(st.text(max_size=40) | st.builds("http://{}/{}".format, st.text(max_size=20), st.text(max_size=20)))
def test_any_text_is_refused_or_taken_for_good(text: str) -> None:
    try:
        url = checked_url(text)
    except InvalidSpec:
        return
    assert checked_url(url) == url
    assert url.startswith(("http://", "https://"))
    host = url.split("/")[2]
    assert host.isascii()
    assert "@" not in host


@pytest.mark.parametrize(
    "change",
    [
        {"browsers": []},
        {"browsers": "Firefox"},
        {"browsers": ["../x"]},
        {"browsers": [{"name": "Firefox", "version": "new"}]},
        {"browsers": [{"name": "Firefox", "path": "/bin/sh"}]},
        {"widths": []},
        {"widths": [100]},
        {"widths": [math.nan]},
        {"widths": [True]},
        {"widths": list(range(320, 620))},
        {"bpp": 7},
        {"java": "yes"},
        {"mode": "full"},
        {"pixel_ratio": 2},
        {"mode": "page", "pixel_ratio": 5},
        {"dark": 1},
        {"locale": "de_AT"},
        {"time_zone": "../etc/passwd"},
        {"wait_s": 121},
        {"command": "rm"},
    ],
)
def test_what_makes_no_sense_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(InvalidSpec):
        parse(ORDER | change)


def test_too_many_views_are_refused() -> None:
    with pytest.raises(InvalidSpec, match="at most 200 screenshots, not 201"):
        parse(ORDER | {"browsers": ["A", "B", "C"], "widths": list(range(320, 387))})
