"""What a browser says of itself: which one it is, its version and its platform."""

import re

LINUX, WINDOWS, MAC_OS, BSD = "linux", "windows", "mac os", "bsd"
PLATFORMS = (LINUX, WINDOWS, MAC_OS, BSD)

# The most telling words first: nearly all browsers also claim to be one of the last ones.
_WORDS = (
    ("Edg", "edge"), ("Edge", "edge"), ("OPR", "opera"), ("Opera", "opera"), ("Vivaldi", "vivaldi"),
    ("SeaMonkey", "seamonkey"), ("K-Meleon", "k-meleon"), ("Iceweasel", "iceweasel"), ("Iceape", "iceape"),
    ("IceCat", "icecat"), ("Epiphany", "safari"), ("Konqueror", "konqueror"), ("Camino", "camino"),
    ("Flock", "flock"), ("Shiretoko", "shiretoko"), ("Minefield", "minefield"), ("GranParadiso", "granparadiso"),
    ("BonEcho", "bonecho"), ("Galeon", "galeon"), ("Navigator", "navigator"), ("Kazehakase", "kazehakase"),
    ("Phoenix", "phoenix"), ("Firebird", "firebird"), ("Dillo", "dillo"), ("Avant Browser", "avant"),
    ("Maxthon", "maxthon"), ("Lunascape", "lunascape"), ("HeadlessChrome", "chrome"), ("Chromium", "chrome"),
    ("Chrome", "chrome"), ("MSIE", "msie"), ("Firefox", "firefox"), ("Version", "safari"),
)  # fmt: skip
_KNOWN = frozenset(name for _, name in _WORDS)
# Names under which people register what calls itself otherwise.
_OTHER_NAMES = {
    "chromium": "chrome", "google chrome": "chrome", "internet explorer": "msie", "minibrowser": "safari",
    "webkitgtk": "safari", "webkit": "safari", "epiphany": "safari", "microsoft edge": "edge",
}  # fmt: skip
# Browsers that tell another's number: WebKitGTK calls itself a Safari.
_SILENT = frozenset({"minibrowser", "webkitgtk", "webkit", "epiphany"})
_PLATFORM_WORDS = (
    (r"windows|win9[58]|winnt", WINDOWS),
    (r"macintosh|mac os x|mac_powerpc", MAC_OS),
    (r"bsd|dragonfly", BSD),
    (r"linux|x11|cros", LINUX),
)


def family_of(name: str) -> str:
    """Return the name that stands for all names of one browser, in small letters."""
    small = name.casefold()
    return _OTHER_NAMES.get(small, small)


def identify(user_agent: str) -> tuple[str, str]:
    """Return the family and the version that a User-Agent tells, both empty where it tells nothing known."""
    for word, name in _WORDS:
        found = re.search(rf"(?<![\w-]){re.escape(word)}[/ ]([0-9][0-9.]{{0,19}})", user_agent)
        if found and (word != "Version" or "Safari/" in user_agent):
            return name, found[1].rstrip(".")
    return "", ""


def version_of(user_agent: str, name: str) -> str:
    """Return the version that a User-Agent tells if it is of the browser `name`, else an empty text."""
    family = family_of(name)
    told, version = identify(user_agent)
    if told == family:
        return version
    if family in _KNOWN or told not in {"", "firefox", "safari", "chrome", "msie"}:
        return ""
    found = re.search(rf"(?<![\w-]){re.escape(family)}[/ ]([0-9][0-9.]{{0,19}})", user_agent, re.IGNORECASE)
    return found[1].rstrip(".") if found else ""


def tells_version(name: str) -> bool:
    """Say whether the version that a browser tells is its own."""
    return name.casefold() not in _SILENT


def platform_of(user_agent: str) -> str:
    """Return the platform that a User-Agent tells, empty where it tells none."""
    small = user_agent.casefold()
    return next((platform for pattern, platform in _PLATFORM_WORDS if re.search(pattern, small)), "")


_ENGINES = {
    "chrome": "Blink", "edge": "Blink", "opera": "Blink", "vivaldi": "Blink", "safari": "WebKit", "konqueror": "KHTML",
    "msie": "Trident", "avant": "Trident", "maxthon": "Trident", "lunascape": "Trident",
    **dict.fromkeys(("firefox", "seamonkey", "k-meleon", "iceweasel", "iceape", "icecat", "camino", "flock",
                     "shiretoko", "minefield", "granparadiso", "bonecho", "galeon", "navigator", "kazehakase",
                     "phoenix", "firebird"), "Gecko"),
}  # fmt: skip
_EARLIER_ENGINES = {"opera": (15, "Presto"), "edge": (79, "EdgeHTML")}
"""What a browser drew with before it took over another's engine, and from which version on it did."""


def engine_of(name: str, version: str = "") -> str:
    """Return what a browser draws pages with, such as Gecko; empty where that is not known."""
    family = family_of(name)
    first, engine = _EARLIER_ENGINES.get(family, (0, ""))
    major = version.partition(".")[0]
    return engine if major.isdecimal() and int(major) < first else _ENGINES.get(family, "")
