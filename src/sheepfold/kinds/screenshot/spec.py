"""An order of screenshots: its fields, their bounds and their defaults."""

import ipaddress
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from urllib.parse import SplitResult, urlsplit, urlunsplit

import idna

from sheepfold.kinds.fields import Fields, checked_text, shown
from sheepfold.kinds.seam import Spec
from sheepfold.model.errors import InvalidSpec

NARROWEST, WIDEST = 320, 3840  # pixels; Browsershots took 640 to 1680
MAX_VIEWS = 200
MAX_URL = 2000
LONGEST_WAIT_S = 120
LONGEST_LIFE_S = 30 * 86_400

_BROWSER = re.compile(r"[A-Za-z][A-Za-z0-9 +._-]{0,39}", re.ASCII)
_VERSION = re.compile(r"\d{1,5}(\.\d{1,5}){0,3}", re.ASCII)
_LOCALE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}", re.ASCII)
_TIME_ZONE = re.compile(r"[A-Za-z][A-Za-z0-9_+-]{0,31}(/[A-Za-z0-9_+-]{1,31}){0,2}", re.ASCII)
_HOST = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*\.?", re.ASCII)


class Mode(StrEnum):
    """What a screenshot shows: the whole screen with the browser's window, one viewport, or the page in its height."""

    WINDOW = "window"
    VIEWPORT = "viewport"
    PAGE = "page"


@dataclass(frozen=True, slots=True)
class View:
    """One picture of an order: a browser, its version and platform where they matter, and a width in pixels."""

    browser: str
    version: str
    width: int
    platform: str = ""


def parse(raw: object) -> dict[str, Any]:
    """Check an order and complete it; parsing the outcome again changes nothing.

    `browsers` are names, or objects with `name`, `version` and `platform` (for which `platform` of the whole order
    stands in); `height` (of the screen, or of the viewport) and `bpp`
    are 0 where any will do; `javascript`, `java` and `flash` are empty, `enabled`, `disabled` or a version.

    `mode` is `window`, as Browsershots' factories have ever shot: the whole screen, `widths` wide, scrolled and merged.
    `viewport` and `page` are shot through the browser's own remote control, `widths` being the viewport's width in CSS
    pixels, and the picture is `width * pixel_ratio` wide. `dark` and `reduced_motion` are what the page is told that
    its reader prefers; `locale` is like de-AT, `time_zone` like Europe/Vienna, both empty for the machine's own.
    `baseline` is the name under which pictures of this page are accepted and later ones held against them, empty for
    none; up to `tolerance` percent of a picture's pixels may differ before it counts as changed.
    `expire_s` is how long the order is worth making, in seconds, 0 for ever.
    `wait_s` is the longest that a page is waited for, in seconds, 0 for the renderer's usual limit; it is loaded
    earlier when it has come to rest. None of these can be asked of old factories: see `is_for_remote_control`.

    The URL is checked as text alone: whether its host may be visited is the farm's to say. Raises InvalidSpec with a
    sentence.
    """
    fields = Fields(raw, "screenshot")
    spec: dict[str, Any] = {
        "url": checked_url(fields.take("url")),
        "browsers": _list_of(fields.take("browsers"), "browsers", _browser),
        "widths": _list_of(fields.take("widths", [1024]), "widths", _width),
        "height": fields.whole("height", 0, 4 * WIDEST, 0),
        "bpp": fields.one_of("bpp", (0, 1, 4, 8, 15, 16, 24, 32), 0),
        "javascript": _feature("javascript", fields.text("javascript", 20, "")),
        "java": _feature("java", fields.text("java", 20, "")),
        "flash": _feature("flash", fields.text("flash", 20, "")),
        "mode": fields.choice("mode", list(Mode), Mode.WINDOW.value),
        "pixel_ratio": fields.whole("pixel_ratio", 1, 4, 1),
        "dark": fields.flag("dark", default=False),
        "reduced_motion": fields.flag("reduced_motion", default=False),
        "locale": _like("locale", fields.text("locale", 35, ""), _LOCALE, "de-AT"),
        "time_zone": _like("time_zone", fields.text("time_zone", 64, ""), _TIME_ZONE, "Europe/Vienna"),
        "wait_s": fields.whole("wait_s", 0, LONGEST_WAIT_S, 0),
        "expire_s": fields.whole("expire_s", 0, LONGEST_LIFE_S, 0),
        "platform": fields.text("platform", 40, "").casefold(),
        "allow_blank": fields.flag("allow_blank", default=False),
        "baseline": fields.text("baseline", 200, ""),
        "tolerance": fields.number("tolerance", 0, 100, 0.01),
    }
    spec["mode"] = str(Mode(spec["mode"]).value)
    fields.end()
    _check_together(spec)
    return spec


def is_for_remote_control(spec: Spec) -> bool:
    """Say whether an order asks for what only a browser under remote control can do, and no factory of old."""
    return spec["mode"] != Mode.WINDOW or bool(
        spec["dark"] or spec["reduced_motion"] or spec["locale"] or spec["time_zone"] or spec["wait_s"]
    )


def picture_width(spec: Spec, view: "View") -> int:
    """Return how wide the picture of a view is, in pixels."""
    return int(view.width * spec["pixel_ratio"])


def _check_together(spec: Spec) -> None:
    if len(views(spec)) > MAX_VIEWS:
        raise InvalidSpec(f"An order has at most {MAX_VIEWS} screenshots, not {len(views(spec))}.")
    if spec["mode"] == Mode.WINDOW and spec["pixel_ratio"] != 1:
        raise InvalidSpec("pixel_ratio is for the modes viewport and page; a screen has pixels of its own.")


def views(spec: Spec) -> list[View]:
    """Return the pictures of a parsed order; a task's frame is an index into them."""
    return [
        View(browser["name"], browser["version"], width, browser["platform"] or spec["platform"])
        for browser in spec["browsers"]
        for width in spec["widths"]
    ]


def checked_url(value: object) -> str:
    """Return an http or https URL with its host in ASCII and a path; raises InvalidSpec.

    Names and passwords in URLs are refused: the URL is shown to strangers.
    """
    text = checked_text(value, "url", MAX_URL)
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise InvalidSpec("url is no URL: its host or its port makes no sense.") from error
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise InvalidSpec(f"url must begin with http:// or https:// and a host, not {_veiled(text)}.")
    if "@" in parts.netloc or any(character in text for character in " \\<>\"'`{}|^"):
        raise InvalidSpec(f"url must hold no name, password, space, quote or bracket: {_veiled(text)}.")
    host = _ascii_host(parts.hostname)
    netloc = host if port is None else f"{host}:{port}"
    return urlunsplit(SplitResult(parts.scheme, netloc, parts.path or "/", parts.query, parts.fragment))


def _veiled(url: str) -> str:
    """Show a URL without what may be a name and its password: the farm logs why it refuses an order."""
    _, at, rest = url.rpartition("@")
    return shown("…@" + rest if at else url)


def _ascii_host(host: str) -> str:
    if ":" in host:
        try:
            return f"[{ipaddress.IPv6Address(host)}]"
        except ValueError as error:
            raise InvalidSpec(f"url has no valid address: {shown(host)}.") from error
    try:
        plain = host if host.isascii() else idna.encode(host, uts46=True).decode("ascii")
    except idna.IDNAError as error:
        raise InvalidSpec(f"url has no valid host name: {shown(host)}.") from error
    if len(plain) > 253 or not _HOST.fullmatch(plain):
        raise InvalidSpec(f"url has no valid host name: {shown(host)}.")
    return plain


def _list_of(value: object, name: str, read: Callable[[object], Any]) -> list[Any]:
    """Read a list of 1 to MAX_VIEWS things; what comes twice counts once."""
    if not isinstance(value, list) or not 1 <= len(value) <= MAX_VIEWS:
        raise InvalidSpec(f"{name} must be a list of 1 to {MAX_VIEWS} entries, not {shown(value)}.")
    return _distinct(read(item) for item in value)


def _distinct(items: Iterable[Any]) -> list[Any]:
    found: list[Any] = []
    for item in items:
        if item not in found:
            found.append(item)
    return found


def _browser(value: object) -> dict[str, str]:
    fields = Fields({"name": value} if isinstance(value, str) else value, "browser")
    name, version = fields.text("name", 40), fields.text("version", 20, "")
    platform = fields.text("platform", 40, "").casefold()
    fields.end()
    if not _BROWSER.fullmatch(name):
        raise InvalidSpec(f"A browser's name is letters, digits and blanks, like Firefox, not {shown(name)}.")
    if version and not _VERSION.fullmatch(version):
        raise InvalidSpec(f"A browser's version is like 128 or 128.0.3, not {shown(version)}.")
    return {"name": name, "version": version, "platform": platform}


def _width(value: object) -> int:
    return Fields({"width": value}, "width").whole("width", NARROWEST, WIDEST)


def _like(name: str, text: str, pattern: re.Pattern[str], example: str) -> str:
    if text and not pattern.fullmatch(text):
        raise InvalidSpec(f"{name} must be empty or like {example}, not {shown(text)}.")
    return text


def _feature(name: str, text: str) -> str:
    if text not in {"", "enabled", "disabled"} and not _VERSION.fullmatch(text):
        raise InvalidSpec(f"{name} must be empty, 'enabled', 'disabled' or a version like 1.5, not {shown(text)}.")
    return text
