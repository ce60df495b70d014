"""Chromium and its kin, steered over the developer tools' protocol that they speak themselves."""

import base64
import json
import time
from pathlib import Path
from typing import Any

from sheepfold.kinds.screenshot.shooting.cdp import Cdp, Refusal, Told
from sheepfold.kinds.screenshot.shooting.shot import Shot, ShotFailed

START_S = 30.0
LARGEST_SURFACE = 16_000
"""Device pixels of a side that Chromium draws in one piece: beyond 16,384 it repeats what it has."""
_NOWHERE = "http://127.0.0.1:1/"
_UNFOCUSED = "data:,"
"""A first page as empty as about:blank, at which Chromium would wait for an address, with the old one marked blue."""
_ERROR_PAGE = "chrome-error:"
_FLAGS = (
    "--no-first-run",
    "--no-default-browser-check",
    "--no-sandbox",  # its own walls need rights that ours take away; ours stand around it
    "--test-type",  # no bar that warns of the flag above
    "--disk-cache-size=67108864",  # the profile is in memory
    "--disable-background-networking",
    "--disable-client-side-phishing-detection",
    "--disable-hang-monitor",
    "--disable-prompt-on-repost",
    "--no-service-autorun",
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
    "InterestFeedContentSuggestions,CertificateTransparencyComponentUpdater,NetworkTimeServiceQuerying,"
    "SpareRendererForSitePerProcess",
    # What it asks its maker would count as the page's unrest. Chromium calls nobody at this port.
    f"--gaia-url={_NOWHERE}",
    f"--component-updater=url-source={_NOWHERE}",
    f"--variations-server-url={_NOWHERE}",
    "--force-color-profile=srgb",
    "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",
    "--mute-audio",
    "--password-store=basic",
    "--remote-debugging-pipe",
    "--use-mock-keychain",
    "--proxy-bypass-list=<-loopback>",  # the machine itself is behind the gate too
)
_PREFERENCES: dict[str, Any] = {
    "browser": {"custom_chrome_frame": False},  # the window manager's title bar, as people have it
    "credentials_enable_service": False,
    "download_restrictions": 3,
    "profile": {"default_content_setting_values": {"automatic_downloads": 2, "geolocation": 2, "notifications": 2}},
    "translate": {"enabled": False},
}


class Chromium:
    """One Chromium with a new profile of its own; fulfils `Driver`."""

    def __init__(self, shot: Shot, port: int, profile: Path, environment: dict[str, str]) -> None:
        self._shot = shot
        self._height = shot.height
        self._container = ""
        self._going = 0
        self._is_crashed = False
        write_profile(profile, shot)
        self._cdp = Cdp(_argv(shot, port, profile), environment, shot.wait_s + 5, self._heard)
        try:
            self._target = self._first_page()
            self._prepare()
        except ShotFailed as error:
            self._cdp.close()
            raise ShotFailed(f"{Path(shot.program).name} did not start: {error}") from error

    def _first_page(self) -> str:
        """Return the first window's page, once there is one."""
        end = time.monotonic() + START_S
        while time.monotonic() < end:
            for one in self._cdp.send("Target.getTargets")["targetInfos"]:
                if one["type"] == "page":
                    return str(one["targetId"])
            time.sleep(0.01)
        raise ShotFailed("it showed no window")

    def _prepare(self) -> None:
        """Attach to the page, and give it what the order wishes."""
        shot = self._shot
        self._session = str(self._cdp.send("Target.attachToTarget", targetId=self._target, flatten=True)["sessionId"])
        self._command("Page.enable")  # it tells of the boxes that a page puts up
        self._command("Inspector.enable")
        if shot.mode == "window":
            window = self._cdp.send("Browser.getWindowForTarget", targetId=self._target)["windowId"]
            self._cdp.send("Browser.setWindowBounds", windowId=window, bounds={"windowState": "maximized"})
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
        """Begin to load a page. Chromium answers when the server has; what it answers is looked at by `failure`."""
        self._cdp.forget(self._going)
        self._going = self._cdp.post("Page.navigate", self._session, url=url)

    def failure(self) -> str:
        """Return why the page could not be loaded, as Chromium names it, such as net::ERR_TOO_MANY_REDIRECTS."""
        if self._is_crashed:
            return "the browser crashed"
        answer = self._cdp.answer(self._going)
        if answer.get("result", {}).get("isDownload"):
            return "the address is a download, not a page"
        refused = answer.get("error", {}).get("message", "")
        return str(answer.get("result", {}).get("errorText", "") or refused)[:300]

    def error_at(self, address: str) -> str:
        """Say that Chromium shows a page of its own, which does not tell why; see `Driver.error_at`."""
        return "the page could not be loaded" if address.startswith(_ERROR_PAGE) else ""

    def evaluate(self, expression: str) -> Any:  # noqa: ANN401 -- whatever JSON the page's script gives
        """Return the value of a JavaScript expression in the page; None while there is no page."""
        if self._going and not self._cdp.answer(self._going):
            return None  # until then the browser would keep the question
        try:
            told = self._command("Runtime.evaluate", expression=expression, returnByValue=True)
        except Refusal:
            return None  # the page went away under the question
        return told.get("result", {}).get("value")

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
        """Go on in a container that shares nothing with the last, for a shot that differs in size alone."""
        self._shot, self._height = shot, shot.height
        old, old_container = self._target, self._container
        self._container = str(self._cdp.send("Target.createBrowserContext")["browserContextId"])
        self._target = str(self._cdp.send(
            "Target.createTarget", url="about:blank", browserContextId=self._container, width=shot.width,
            height=shot.height)["targetId"])  # fmt: skip
        if old_container:
            self._cdp.send("Target.disposeBrowserContext", browserContextId=old_container)
        else:
            self._cdp.send("Target.closeTarget", targetId=old)
        self._cdp.forget(self._going)
        self._going = 0
        self._is_crashed = False
        self._prepare()

    def close(self) -> None:
        """End the browser."""
        self._cdp.close()

    def _heard(self, event: Told) -> None:
        """Tell a page that puts up a box no, at once and each time: it waits for that, and all questions with it."""
        method, session = event.get("method"), str(event.get("sessionId", ""))
        if method == "Page.javascriptDialogOpening":
            self._cdp.post("Page.handleJavaScriptDialog", session, accept=event["params"].get("type") == "beforeunload")
        elif method == "Inspector.targetCrashed" and session == self._session:
            self._is_crashed = True

    def _emulate(self) -> None:
        self._command("Emulation.setDeviceMetricsOverride", width=self._shot.width, height=self._height,
                      deviceScaleFactor=self._shot.pixel_ratio, mobile=False)  # fmt: skip

    def _command(self, name: str, **parameters: object) -> Told:
        return self._cdp.send(name, self._session, **parameters)


def write_profile(profile: Path, shot: Shot) -> None:
    """Make a new profile: quiet, and with the languages that an order names."""
    (profile / "Default").mkdir(parents=True)
    wanted = _PREFERENCES | {"intl": {"accept_languages": shot.locale or "en-US,en"}}
    (profile / "Default" / "Preferences").write_text(json.dumps(wanted), "utf-8")


def _argv(shot: Shot, port: int, profile: Path) -> list[str]:
    argv = [shot.program, *_FLAGS, f"--user-data-dir={profile}", f"--proxy-server=http://127.0.0.1:{port}",
            f"--lang={shot.locale or 'en-US'}"]  # fmt: skip
    if shot.mode == "window":
        return [*argv, "--window-position=0,0", "--start-maximized", _UNFOCUSED]
    return [*argv, "--headless=new", "--hide-scrollbars", f"--window-size={shot.width},{shot.height}", "about:blank"]
