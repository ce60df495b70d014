"""WebKitGTK's browsers, steered through Selenium and WebKitWebDriver. They need a screen."""

import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from selenium.common.exceptions import JavascriptException, UnexpectedAlertPresentException, WebDriverException
from selenium.webdriver.webkitgtk.options import Options
from selenium.webdriver.webkitgtk.webdriver import WebDriver
from urllib3.exceptions import HTTPError

from sheepfold.kinds.screenshot.shooting import framebuffer
from sheepfold.kinds.screenshot.shooting.framebuffer import Pixels
from sheepfold.kinds.screenshot.shooting.services import WebKitWebDriver, give_patience
from sheepfold.kinds.screenshot.shooting.shot import Shot, ShotFailed
from sheepfold.kinds.screenshot.shooting.taking import png

T = TypeVar("T")

_MOST_BOXES = 30
_SETTLED_S, _LOOK_S = 0.3, 0.02
_UNLOADED = "before the unload event"
"""What WebKit says, as no error of JavaScript, of a question whose page went away under it."""
_PLAIN_LOCALE = Path("/usr/lib/locale/C.utf8")
_SETTINGS = """[Settings]
gtk-enable-animations={animations}
gtk-application-prefer-dark-theme={dark}
gtk-font-name=DejaVu Sans 10
"""


class WebKit:
    """One window of WebKitGTK with nothing kept from before; fulfils `Driver`."""

    def __init__(self, shot: Shot, port: int, folder: Path, environment: dict[str, str]) -> None:
        self._shot = shot
        self._screen = folder / framebuffer.FILE
        self._last: Pixels | None = None
        self._top = 0
        _write_settings(folder, shot)
        wishes = environment | _wishes(shot, folder)
        service = WebKitWebDriver(shot.driver, env=wishes, popen_kw={"start_new_session": True})
        try:
            self._driver = WebDriver(_options(shot, port), service)
        except (WebDriverException, HTTPError) as error:
            raise ShotFailed(f"{Path(shot.program).name} did not start: {first_line(error)}") from error
        give_patience(self._driver, shot.wait_s + 5)
        if shot.mode != "window":
            self._fit()

    def _fit(self) -> None:
        """Make the window as large as it must be for the viewport ordered; WebDriver sets the outer size alone."""
        width, height = self._shot.width, self._shot.height
        for _ in range(3):
            self._asked(partial(self._driver.set_window_rect, 0, 0, width, height))
            off = self._off()
            if off == (0, 0):
                return
            width, height = width + off[0], height + off[1]

    def _off(self) -> tuple[int, int]:
        """Return by how much the viewport is too narrow and too low, as soon as it fits, or is the same for a while.

        On a busy machine a window gets its new size late; who took the old one for an answer made it larger twice.
        """
        seen, since = None, time.monotonic()
        while True:
            inner = self.evaluate("[window.innerWidth, window.innerHeight]") or [0, 0]
            off = (self._shot.width - int(inner[0]), self._shot.height - int(inner[1]))
            if off != seen:
                seen, since = off, time.monotonic()
            if off == (0, 0) or time.monotonic() - since > _SETTLED_S:
                return off
            time.sleep(_LOOK_S)

    def open(self, url: str) -> None:
        """Begin to load a page."""
        self._asked(lambda: self._driver.get(url))

    def failure(self) -> str:
        """Return nothing: what its driver knows, WebKit raises in `open`."""
        return ""

    def error_at(self, address: str) -> str:
        """Return nothing: WebKit shows its own page at the address of the one that did not come."""
        return ""

    def evaluate(self, expression: str) -> Any:  # noqa: ANN401 -- whatever JSON the page's script gives
        """Return the value of a JavaScript expression in the page; None while there is no page."""
        return self._asked(partial(self._answer, expression))

    def _answer(self, expression: str) -> Any:  # noqa: ANN401 -- whatever JSON the page's script gives
        try:
            return self._driver.execute_script(f"return ({expression})")
        except WebDriverException as error:
            if isinstance(error, JavascriptException) or _UNLOADED in first_line(error):
                return None  # the page went away under the question
            raise

    @property
    def highest(self) -> int:
        """Return 0: a window cannot be higher than its screen."""
        return 0

    def resize(self, height: int) -> None:
        """Leave the viewport as it is."""

    def picture(self) -> bytes:
        """Return the viewport as PNG, cut from the screen.

        WebKitWebDriver 2.50 waits with its own picture until the page is drawn again, which a page at rest never is.
        """
        told = self.evaluate("[outerHeight - innerHeight, innerWidth, innerHeight, scrollY]")
        try:
            above, width, height, top = (int(one) for one in told)
        except (TypeError, ValueError) as error:
            raise ShotFailed("the page does not tell its size") from error
        ratio = self._shot.pixel_ratio
        has_moved = self._last is not None and top != self._top
        self._last, self._top = framebuffer.still(self._screen, self._last if has_moved else None), top
        return png(self._last[above * ratio:(above + height) * ratio, :width * ratio])

    def close(self) -> None:
        """End the driver, and with it the browser."""
        self._driver.service.stop()

    def _asked(self, deed: Callable[[], T]) -> T:
        """Ask the driver; a page that puts up a box is told no, and again, until it lets the question through."""
        for _ in range(_MOST_BOXES):
            try:
                return deed()
            except UnexpectedAlertPresentException:
                with suppress(WebDriverException):
                    self._driver.switch_to.alert.dismiss()
            except HTTPError as error:
                raise ShotFailed("the browser hangs") from error
            except WebDriverException as error:
                raise ShotFailed(first_line(error)) from error
        raise ShotFailed("the page puts up one box after another")


def _options(shot: Shot, port: int) -> Options:
    options = Options()
    options.binary_location = shot.program
    options.page_load_strategy = "none"
    options.unhandled_prompt_behavior = "dismiss"
    words = ["--automation-mode"] if "epiphany" in shot.program else ["--automation"]
    for word in words:
        options.add_argument(word)
    address = f"127.0.0.1:{port}"
    options.set_capability("proxy", {"proxyType": "manual", "httpProxy": address, "sslProxy": address, "noProxy": []})
    return options


def _wishes(shot: Shot, folder: Path) -> dict[str, str]:
    """Return what GTK and WebKit take from their environment."""
    language = shot.locale.replace("-", "_")
    wishes = {
        "GTK_THEME": "Adwaita:dark" if shot.dark else "Adwaita",
        "GDK_BACKEND": "x11",
        "GDK_SCALE": str(shot.pixel_ratio),
        "GSETTINGS_BACKEND": "memory",
        "WEBKIT_DISABLE_SANDBOX_THIS_IS_DANGEROUS": "1",  # ours stands around it
        "WEBKIT_DISABLE_DMABUF_RENDERER": "1",
        "LIBGL_ALWAYS_SOFTWARE": "1",
    }
    if not language:
        return wishes
    return wishes | {"LANG": f"{language}.UTF-8", "LANGUAGE": language, "LOCPATH": str(_named_locale(folder, language))}


def _named_locale(folder: Path, language: str) -> Path:
    """Return a folder of locales with one of a language: WebKit tells pages the language of a locale that is there.

    It is the system's plain one by another name; numbers and dates in pages are formatted by data of WebKit's own.
    """
    locales = folder / "locales"
    locales.mkdir(exist_ok=True)
    link = locales / f"{language}.UTF-8"
    if not link.is_symlink():
        link.symlink_to(_PLAIN_LOCALE)
    return locales


def _write_settings(folder: Path, shot: Shot) -> None:
    target = folder / "config" / "gtk-3.0"
    target.mkdir(parents=True, exist_ok=True)
    text = _SETTINGS.format(animations=int(not shot.reduced_motion), dark=int(shot.dark))
    (target / "settings.ini").write_text(text, "utf-8")


def first_line(error: Exception) -> str:
    """Return the first line of a driver's complaint."""
    return (str(getattr(error, "msg", "") or error).strip().splitlines() or ["the driver refused"])[0][:300]
