"""Chromium and its kin, steered through Selenium and the browser's own driver."""

import base64
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from selenium.common.exceptions import UnexpectedAlertPresentException, WebDriverException
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.webdriver import WebDriver
from urllib3.exceptions import HTTPError

from sheepfold.kinds.screenshot.shooting.services import Chromedriver, give_patience
from sheepfold.kinds.screenshot.shooting.shot import Shot, ShotFailed

T = TypeVar("T")

LARGEST_SURFACE = 16_000
"""Device pixels of a side that Chromium draws in one piece: beyond 16,384 it repeats what it has."""
_FLAGS = (
    "--no-first-run",
    "--no-default-browser-check",
    "--no-sandbox",  # its own walls need rights that ours take away; ours stand around it
    "--test-type",  # no bar that warns of the flag above
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-domain-reliability",
    "--disable-extensions",
    "--disable-gpu",
    "--disable-sync",
    "--disable-quic",
    "--disable-breakpad",
    "--disable-search-engine-choice-screen",
    "--disable-features=Translate,MediaRouter,OptimizationHints,HttpsUpgrades,AutofillServerCommunication,"
    "InterestFeedContentSuggestions,CertificateTransparencyComponentUpdater",
    "--force-color-profile=srgb",
    "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",
    "--mute-audio",
    "--password-store=basic",
    "--remote-debugging-pipe",  # behind the walls the name localhost, by which the driver would call, is unknown
    "--use-mock-keychain",
    "--proxy-bypass-list=<-loopback>",  # the machine itself is behind the gate too
)
_MOST_BOXES = 30
_PREFERENCES = {
    "download_restrictions": 3,
    "profile.default_content_setting_values.notifications": 2,
    "profile.default_content_setting_values.geolocation": 2,
    "profile.default_content_setting_values.automatic_downloads": 2,
    "browser.custom_chrome_frame": False,  # the window manager's title bar, as people have it
    "credentials_enable_service": False,
    "translate.enabled": False,
}


class Chromium:
    """One Chromium with a profile of its own in a folder; fulfils `Driver`."""

    def __init__(self, shot: Shot, port: int, folder: Path, environment: dict[str, str]) -> None:
        self._shot = shot
        self._height = shot.height
        self._failure = ""
        service = Chromedriver(shot.driver, env=environment, popen_kw={"start_new_session": True})
        try:
            self._driver = WebDriver(_options(shot, port, folder), service)
        except WebDriverException as error:
            raise ShotFailed(f"{Path(shot.program).name} did not start: {first_line(error)}") from error
        give_patience(self._driver, shot.wait_s + 5)
        self._prepare()

    def _prepare(self) -> None:
        shot = self._shot
        if shot.mode == "window":
            self._asked(self._driver.maximize_window)
        else:
            self._emulate()
        wishes = {"prefers-color-scheme": "dark" * shot.dark, "prefers-reduced-motion": "reduce" * shot.reduced_motion}
        media = [{"name": name, "value": wish} for name, wish in wishes.items() if wish]
        if media:
            self._command("Emulation.setEmulatedMedia", features=media)
        if shot.locale:
            self._command("Emulation.setLocaleOverride", locale=shot.locale.replace("-", "_"))
        if shot.time_zone:
            self._command("Emulation.setTimezoneOverride", timezoneId=shot.time_zone)
        if not shot.javascript:
            self._command("Emulation.setScriptExecutionDisabled", value=True)

    def open(self, url: str) -> None:
        """Begin to load a page; returns when the server has answered."""
        try:
            answer = self._driver.execute_cdp_cmd("Page.navigate", {"url": url})
        except HTTPError as error:
            raise ShotFailed(f"the page did not answer within {self._shot.wait_s:g} seconds") from error
        except WebDriverException as error:
            raise ShotFailed(first_line(error)) from error
        if answer.get("isDownload"):
            raise ShotFailed("the address is a download, not a page")
        self._failure = str(answer.get("errorText", ""))

    def failure(self) -> str:
        """Return why the page could not be loaded, as Chromium names it, such as net::ERR_TOO_MANY_REDIRECTS."""
        return self._failure

    def evaluate(self, expression: str) -> Any:  # noqa: ANN401 -- whatever JSON the page's script gives
        """Return the value of a JavaScript expression in the page; None while there is no page."""
        return self._asked(lambda: self._driver.execute_script(f"return ({expression})"))

    @property
    def highest(self) -> int:
        """Return how high the viewport can be made, in CSS pixels; a window stays as it is."""
        return 0 if self._shot.mode == "window" else LARGEST_SURFACE // self._shot.pixel_ratio

    def resize(self, height: int) -> None:
        """Make the viewport so high, in CSS pixels."""
        self._height = height
        self._emulate()

    def picture(self) -> bytes:
        """Return the viewport as PNG."""
        # Chromium's own way writes a 1024 x 640 picture in a third of the time with this option.
        return base64.b64decode(self._command("Page.captureScreenshot", format="png", optimizeForSpeed=True)["data"])

    def renew(self, shot: Shot) -> None:
        """Forget all that pages have left, for a shot that differs in size alone: cookies, caches, storage, history."""
        self._shot, self._height, self._failure = shot, shot.height, ""
        self._asked(lambda: self._driver.execute_cdp_cmd("Page.navigate", {"url": "about:blank"}))
        self._command("Network.clearBrowserCookies")
        self._command("Network.clearBrowserCache")
        self._command("Storage.clearDataForOrigin", origin="*", storageTypes="all")
        self._command("Page.resetNavigationHistory")
        self._emulate()

    def close(self) -> None:
        """End the driver, and with it the browser."""
        self._driver.service.stop()

    def _emulate(self) -> None:
        self._command("Emulation.setDeviceMetricsOverride", width=self._shot.width, height=self._height,
                      deviceScaleFactor=self._shot.pixel_ratio, mobile=False)  # fmt: skip

    def _command(self, name: str, **parameters: object) -> dict[str, Any]:
        answer = self._asked(lambda: self._driver.execute_cdp_cmd(name, parameters))
        return answer or {}

    def _asked(self, deed: Callable[[], T]) -> T:
        """Ask the driver; a page that puts up a box is told no, and again, until it lets the question through."""
        for _ in range(_MOST_BOXES):
            try:
                return deed()
            except UnexpectedAlertPresentException:
                self._dismiss()
            except HTTPError as error:
                raise ShotFailed("the browser hangs") from error
            except WebDriverException as error:
                raise ShotFailed(first_line(error)) from error
        raise ShotFailed("the page puts up one box after another")

    def _dismiss(self) -> None:
        with suppress(WebDriverException):
            self._driver.switch_to.alert.dismiss()


def _options(shot: Shot, port: int, folder: Path) -> Options:
    options = Options()
    options.binary_location = shot.program
    options.page_load_strategy = "none"
    options.unhandled_prompt_behavior = "dismiss"
    for flag in _FLAGS:
        options.add_argument(flag)
    options.add_argument(f"--user-data-dir={folder / 'profile'}")
    options.add_argument(f"--proxy-server=http://127.0.0.1:{port}")
    options.add_argument(f"--lang={shot.locale or 'en-US'}")
    if shot.mode == "window":
        options.add_argument("--window-position=0,0")
        options.add_argument("--start-maximized")
    else:
        options.add_argument("--headless=new")
        options.add_argument("--hide-scrollbars")
        options.add_argument(f"--window-size={shot.width},{shot.height}")
    unwanted = ["enable-automation", "disable-popup-blocking", "enable-logging"]
    options.add_experimental_option("excludeSwitches", unwanted)
    preferences: dict[str, object] = dict(_PREFERENCES)
    preferences["intl.accept_languages"] = shot.locale or "en-US,en"
    options.add_experimental_option("prefs", preferences)
    return options


def first_line(error: Exception) -> str:
    """Return the first line of a driver's complaint."""
    return (str(getattr(error, "msg", "") or error).strip().splitlines() or ["the driver refused"])[0][:300]
