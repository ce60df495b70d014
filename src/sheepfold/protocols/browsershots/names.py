"""The names that Browsershots' wire gives to factories, browsers and redirects."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self
from urllib.parse import quote, unquote

from sheepfold.model.errors import InvalidName, InvalidSpec, NotFound, UnknownTask

RESERVED_FACTORIES = frozenset({"localhost", "server", "factory", "shotfactory", "add"})

_FACTORY = re.compile(r"[a-z][a-z0-9_-]*")
_REDIRECT = re.compile(r"/redirect/([^/]+)/([^/]+)/([0-9]{1,10})/?", re.ASCII)


def factory_name(text: str) -> str:
    """Return the name if a factory may have it; raise InvalidName."""
    if not _FACTORY.fullmatch(text) or text in RESERVED_FACTORIES:
        raise InvalidName(f"a factory cannot be named {text!r:.40}")
    return text


@dataclass(frozen=True, slots=True)
class BrowserId:
    """A browser on a platform, as in `linux_firefox_2_0`, in small letters; None stands for any version.

    The platform is plain (`mac os`), the browser has a dash for a blank, as on the wire.
    """

    platform: str
    browser: str
    major: int | None = None
    minor: int | None = None

    @classmethod
    def decode(cls, text: str) -> Self:
        """Read a name; raise InvalidSpec unless it has four parts. A version that is no number means any."""
        parts = text.lower().split("_")
        if len(parts) != 4 or not parts[0] or not parts[1]:
            raise InvalidSpec(f"platform_browser_major_minor was expected, found {text!r:.80}")
        platform, browser, major, minor = parts
        return cls(platform.replace("-", " "), browser.replace(" ", "-"), _version(major), _version(minor))

    def encode(self) -> str:
        """Write the name; any version is written as `None`."""
        names = f"{self.platform}_{self.browser}".lower().replace(" ", "-")
        return f"{names}_{self.major}_{self.minor}"


def read_browsers(names: Iterable[str]) -> tuple[BrowserId, ...]:
    """Read the browsers of an order, each once; names that cannot be read are passed over, as the old server did."""
    found = []
    for name in names:
        try:
            found.append(BrowserId.decode(name))
        except InvalidSpec:
            continue
    return tuple(dict.fromkeys(found))


def _version(text: str) -> int | None:
    return int(text) if re.fullmatch(r"[0-9]{1,6}", text, re.ASCII) else None


@dataclass(frozen=True, slots=True)
class Redirect:
    """The page that a factory's browser opens: it names the factory, its encrypted password and the request."""

    factory: str
    encrypted: str
    request: int

    def encode(self) -> str:
        """Return the path, to be put behind the server's URL."""
        return f"/redirect/{quote(self.factory, safe='')}/{quote(self.encrypted, safe='')}/{self.request}/"

    @classmethod
    def decode(cls, path: str) -> Self:
        """Read a raw path; raise UnknownTask if it names no request, NotFound if it is no redirect at all."""
        found = _REDIRECT.fullmatch(path)
        if found is None:
            raise UnknownTask if path.startswith("/redirect/") else NotFound
        return cls(unquote(found[1]), unquote(found[2]), int(found[3]))
