"""The browsers of this machine: where they are, what drives them, and their true versions."""

import functools
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from sheepfold.model.matching import Program

_VERSION = re.compile(r"(\d+(?:\.\d+){1,3})")
_ASK_S = 20.0
_WEBKIT_LIBRARY = "libwebkit2gtk-4.1.so.0"
# MiniBrowser tells its version only on a screen; the library tells it anywhere, and it is WebKit that draws.
_ASK_WEBKIT = (
    f"import ctypes; web = ctypes.CDLL({_WEBKIT_LIBRARY!r}); "
    "print(*(getattr(web, f'webkit_get_{part}_version')() for part in ('major', 'minor', 'micro')), sep='.')"
)


class Engine(StrEnum):
    """How a browser is steered: by Chromium's developer tools, Firefox's own WebDriver BiDi, or WebKitGTK's driver."""

    CHROMIUM = "chromium"
    FIREFOX = "firefox"
    WEBKIT = "webkit"


@dataclass(frozen=True, slots=True)
class Found:
    """A browser of this machine: its name as orders have it, its version, its program and its driver, if it has one."""

    name: str
    version: str
    engine: Engine
    program: str
    driver: str = ""


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a browser may be: names on the path, or whole paths; the first that is there counts."""

    name: str
    engine: Engine
    programs: tuple[str, ...]
    drivers: tuple[str, ...] = ()


_PLACES = (
    _Place("chromium", Engine.CHROMIUM,
           ("/usr/lib/chromium/chromium", "chromium", "chromium-browser",
            "/Applications/Chromium.app/Contents/MacOS/Chromium")),
    _Place("chrome", Engine.CHROMIUM,
           ("/opt/google/chrome/chrome", "google-chrome", "google-chrome-stable",
            "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome")),
    _Place("firefox", Engine.FIREFOX,
           ("firefox", "firefox-esr", "/Applications/Firefox.app/Contents/MacOS/firefox")),
    _Place("webkitgtk", Engine.WEBKIT,
           ("/usr/lib/x86_64-linux-gnu/webkit2gtk-4.1/MiniBrowser",
            "/usr/lib/aarch64-linux-gnu/webkit2gtk-4.1/MiniBrowser",
            "/usr/libexec/webkit2gtk-4.1/MiniBrowser"), ("WebKitWebDriver",)),
    _Place("epiphany", Engine.WEBKIT, ("epiphany", "epiphany-browser"), ("WebKitWebDriver",)),
)  # fmt: skip


def programs() -> list[Program]:
    """Return this machine's browsers as a farm knows programs."""
    return [Program(found.name, found.version) for found in installed()]


@functools.cache
def installed() -> tuple[Found, ...]:
    """Return the browsers that can be driven here. They are asked for their versions once in a process."""
    if sys.platform == "win32":  # Python has no local sockets there, and so the browsers no guarded way out
        return ()
    return tuple(_looked_for())


def find(name: str, version: str = "") -> Found | None:
    """Return a browser by its name and version as an order says them, if it is here."""
    return next((one for one in installed() if Program(one.name, one.version).covers(name, version)), None)


def has_screen() -> bool:
    """Say whether a browser can be shown on a screen of its own here."""
    return all(shutil.which(name) for name in ("Xvfb", "icewm"))


def _looked_for() -> Iterator[Found]:
    for place in _PLACES:
        program, driver = _first(place.programs), _first(place.drivers)
        if not program or (place.drivers and not driver) or (place.engine == Engine.WEBKIT and not has_screen()):
            continue
        version = _version(place, program)
        if version:
            yield Found(place.name, version, place.engine, program, driver)


def _first(candidates: Sequence[str]) -> str:
    return next((path for path in map(shutil.which, candidates) if path), "")


def _version(place: _Place, program: str) -> str:
    """Return a browser's version, such as 128.0.3; an empty text where it does not say."""
    argv = [program, "--version"]
    if place.name == "webkitgtk":
        argv = [sys.executable, "-I", "-S", "-c", _ASK_WEBKIT]
    env = {"PATH": os.defpath, "HOME": "/nonexistent", "MOZ_HEADLESS": "1"}
    try:
        run = subprocess.run(argv, env=env, capture_output=True, timeout=_ASK_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    told = _VERSION.search(run.stdout.decode("utf-8", "replace")) if run.returncode == 0 else None
    return told.group(1) if told else ""


def readable(found: Found) -> list[Path]:
    """Return the folders that walls must show for a browser to run, besides the system's."""
    return [path for path in (Path("/opt/google"),) if path.is_dir() and found.program.startswith(str(path))]
