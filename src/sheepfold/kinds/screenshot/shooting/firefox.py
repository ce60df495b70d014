"""Firefox, steered over the WebDriver BiDi that it speaks itself."""

import base64
import json
import re
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from sheepfold.kinds.screenshot.shooting.bidi import Bidi, Refusal
from sheepfold.kinds.screenshot.shooting.ending import end_group
from sheepfold.kinds.screenshot.shooting.shot import Shot, ShotFailed

START_S = 30.0
_WINDOW_S = 3.0
LARGEST_SURFACE = 32_000  # device pixels of a side; Firefox ends at 32,767
LARGEST_VIEWPORT = 9_900  # CSS pixels; Firefox refuses 10,000
_ANNOUNCED = "WebDriverBiDiServer.json"
_ERROR_PAGE = re.compile(r"about:(?:net|cert)error\?e=(\w+)")
_EVENTS = ("browsingContext.downloadWillBegin", "network.authRequired")
_PREFERENCES: dict[str, object] = {
    "app.normandy.enabled": False,
    "app.update.enabled": False,
    "browser.aboutwelcome.enabled": False,
    "browser.cache.disk.enable": False,
    "browser.contentblocking.introCount": 99,
    "browser.download.useDownloadDir": True,
    "browser.newtabpage.enabled": False,
    "browser.pagethumbnails.capturing_disabled": True,
    "browser.region.network.url": "",
    "browser.safebrowsing.downloads.enabled": False,
    "browser.safebrowsing.malware.enabled": False,
    "browser.safebrowsing.phishing.enabled": False,
    "browser.search.update": False,
    "browser.sessionstore.resume_from_crash": False,
    "browser.shell.checkDefaultBrowser": False,
    "browser.startup.homepage_override.mstone": "ignore",
    "browser.startup.page": 0,
    "browser.startup.upgradeDialog.enabled": False,
    "browser.tabs.firefox-view": False,
    "browser.translations.enable": False,
    "browser.uitour.enabled": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "datareporting.policy.dataSubmissionPolicyBypassNotification": True,
    "dom.disable_open_during_load": True,
    "dom.ipc.processCount": 2,
    "dom.ipc.processPrelaunch.enabled": False,
    "dom.push.enabled": False,
    "dom.security.https_first": False,
    "dom.webnotifications.enabled": False,
    "extensions.getAddons.cache.enabled": False,
    "extensions.systemAddon.update.enabled": False,
    "extensions.update.enabled": False,
    "geo.enabled": False,
    "gfx.color_management.mode": 0,
    "hangmonitor.timeout": 0,
    "media.gmp-manager.updateEnabled": False,
    "media.peerconnection.enabled": False,  # its datagrams would look for a way past the gate
    "messaging-system.rsexperimentloader.enabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "network.dns.disablePrefetch": True,
    "network.http.http3.enable": False,
    "network.manage-offline-status": False,
    "network.predictor.enabled": False,
    "network.prefetch-next": False,
    "network.proxy.allow_hijacking_localhost": True,  # the machine itself is behind the gate too
    "network.proxy.failover_direct": False,
    "network.proxy.no_proxies_on": "",
    "network.proxy.type": 1,
    "network.trr.mode": 5,
    "privacy.trackingprotection.enabled": False,
    "privacy.trackingprotection.pbmode.enabled": False,
    "remote.active-protocols": 1,
    "sidebar.revamp": False,
    "signon.autofillForms": False,
    "signon.rememberSignons": False,
    "startup.homepage_welcome_url": "",
    "termsofuse.bypassNotification": True,
    "toolkit.cosmeticAnimations.enabled": False,
    "toolkit.legacyUserProfileCustomizations.stylesheets": True,
    "toolkit.startup.max_resumed_crashes": -1,
    "toolkit.telemetry.enabled": False,
    "toolkit.telemetry.reportingpolicy.firstRun": False,
    "toolkit.telemetry.server": "",
}
# A reader's Firefox shows no stripes and no robot beside the address, and no bar that tells of missing walls.
_CHROME_CSS = """
#notifications-toolbar, #tab-notification-deck, notification-message { display: none !important; }
:root[remotecontrol] #urlbar-background, :root[remotecontrol] .urlbar-background { background-image: none !important; }
#remote-control-box, #remote-control-icon { display: none !important; }
"""


class Firefox:
    """One Firefox with a new profile of its own; fulfils `Driver`."""

    def __init__(self, shot: Shot, port: int, profile: Path, environment: dict[str, str]) -> None:
        self._shot = shot
        self._user = ""
        write_profile(profile, shot, port)
        self._process = _launched(shot, profile, environment)
        try:
            self._bidi = Bidi(_announced(profile, self._process), shot.wait_s + 5)
            self._begin()
        except ShotFailed:
            end_group(self._process)
            raise

    def _begin(self) -> None:
        self._bidi.send("session.new", capabilities={"alwaysMatch": {
            "acceptInsecureCerts": False,
            "unhandledPromptBehavior": {"default": "dismiss", "file": "dismiss"},
        }})  # fmt: skip
        self._context = self._first_context()
        self._bidi.send("session.subscribe", events=list(_EVENTS))
        with suppress(Refusal):
            self._bidi.send("network.addIntercept", phases=["authRequired"])
        if self._shot.mode == "window":
            self._bidi.send("browsingContext.activate", context=self._context)
        else:
            self.resize(self._shot.height)

    def _first_context(self) -> str:
        """Return the first window's page, once there is one: Firefox listens before it has windows.

        Now and then Firefox 153 never gives its first page a name; another is opened then.
        """
        end = time.monotonic() + _WINDOW_S
        while time.monotonic() < end:
            found = self._bidi.send("browsingContext.getTree", maxDepth=0)["contexts"]
            if found and found[0].get("context"):
                return str(found[0]["context"])
            time.sleep(0.02)
        return str(self._bidi.send("browsingContext.create", type="tab")["context"])

    def open(self, url: str) -> None:
        """Begin to load a page. Firefox answers when the server has; what it answers is looked at by `failure`."""
        self._bidi.forget()
        self._going = self._bidi.post("browsingContext.navigate", context=self._context, url=url, wait="none")

    def failure(self) -> str:
        """Return why the page could not be loaded: what Firefox says of it, a download, or a password asked for."""
        for asked in self._bidi.events("network.authRequired"):
            if asked.get("context") == self._context:
                return "the page asks for a name and a password"
        for download in self._bidi.events("browsingContext.downloadWillBegin"):
            if download.get("context") == self._context:
                return "the address is a download, not a page"
        return self._bidi.complaint(self._going)

    def error_at(self, address: str) -> str:
        """Return what Firefox says on a page of its own, such as netReset; see `Driver.error_at`."""
        shown = _ERROR_PAGE.match(address)
        return f"the page could not be loaded: {shown[1]}" if shown else ""

    def evaluate(self, expression: str) -> Any:  # noqa: ANN401 -- whatever JSON the page's script gives
        """Return the value of a JavaScript expression in the page; None while there is no page."""
        try:
            told = self._bidi.send(
                "script.evaluate", expression=f"JSON.stringify({expression}) ?? 'null'", awaitPromise=False,
                target={"context": self._context, "sandbox": "sheepfold"},
            )  # fmt: skip
        except Refusal:
            return None  # the page went away under the question
        value = told.get("result", {}).get("value")
        return json.loads(value) if isinstance(value, str) else None

    @property
    def highest(self) -> int:
        """Return how high the viewport can be made, in CSS pixels; a window stays as it is."""
        return 0 if self._shot.mode == "window" else min(LARGEST_VIEWPORT, LARGEST_SURFACE // self._shot.pixel_ratio)

    def resize(self, height: int) -> None:
        """Make the viewport so high, in CSS pixels."""
        self._bidi.send(
            "browsingContext.setViewport", context=self._context, devicePixelRatio=self._shot.pixel_ratio,
            viewport={"width": self._shot.width, "height": height},
        )  # fmt: skip

    def picture(self) -> bytes:
        """Return the viewport as PNG."""
        return base64.b64decode(self._bidi.send("browsingContext.captureScreenshot", context=self._context)["data"])

    def renew(self, shot: Shot) -> None:
        """Go on in a container that shares nothing with the last, for a shot that differs in size alone."""
        self._shot = shot
        old, old_user = self._context, self._user
        self._user = str(self._bidi.send("browser.createUserContext")["userContext"])
        self._context = str(self._bidi.send("browsingContext.create", type="tab", userContext=self._user)["context"])
        if old_user:
            self._bidi.send("browser.removeUserContext", userContext=old_user)
        else:
            self._bidi.send("browsingContext.close", context=old)
        self.resize(shot.height)

    def close(self) -> None:
        """End the browser."""
        self._bidi.close()
        end_group(self._process)


def write_profile(profile: Path, shot: Shot, port: int) -> None:
    """Make a new profile: quiet, behind the gate, and with the reader's wishes that an order names."""
    (profile / "chrome").mkdir(parents=True)
    (profile / "chrome" / "userChrome.css").write_text(_CHROME_CSS, "utf-8")
    wanted = _PREFERENCES | {
        "network.proxy.http": "127.0.0.1",
        "network.proxy.http_port": port,
        "network.proxy.ssl": "127.0.0.1",
        "network.proxy.ssl_port": port,
        "layout.css.prefers-color-scheme.content-override": 0 if shot.dark else 1,
        "ui.prefersReducedMotion": int(shot.reduced_motion),
        "javascript.enabled": shot.javascript,
        "intl.accept_languages": f"{shot.locale or 'en-US'}, en",
        "browser.download.dir": str(profile / "downloads"),
    }
    if shot.mode == "window":
        wanted["widget.gtk.overlay-scrollbars.enabled"] = False  # those lie upon the page, at each step elsewhere
    else:
        wanted |= {"ui.useOverlayScrollbars": 1,
                   "layout.testing.overlay-scrollbars.always-hidden": True}  # fmt: skip
    if shot.locale:
        wanted |= {"intl.regional_prefs.use_os_locales": False, "intl.locale.requested": shot.locale}
    lines = [f"user_pref({json.dumps(name)}, {json.dumps(value)});\n" for name, value in wanted.items()]
    (profile / "user.js").write_text("".join(lines), "utf-8")


def _launched(shot: Shot, profile: Path, environment: dict[str, str]) -> "subprocess.Popen[bytes]":
    argv = [shot.program, "--profile", str(profile), "--no-remote", "--new-instance", "--remote-debugging-port", "0"]
    # Its own walls need rights that ours take away: its pages would crash. Ours stand around it.
    own = {f"MOZ_DISABLE_{part}_SANDBOX": "1" for part in ("CONTENT", "GPU", "RDD", "SOCKET_PROCESS", "UTILITY")}
    own |= {"MOZ_CRASHREPORTER_DISABLE": "1", "MOZ_REMOTE_SETTINGS_DEVTOOLS": "1"}
    if shot.mode != "window":
        argv.append("--headless")
        own |= {"MOZ_HEADLESS_WIDTH": str(shot.width), "MOZ_HEADLESS_HEIGHT": str(shot.height + 200)}
    try:
        return subprocess.Popen(argv, env=environment | own, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                stderr=subprocess.DEVNULL, start_new_session=True)  # fmt: skip
    except OSError as error:
        raise ShotFailed(f"{shot.program} cannot be started: {error.strerror}") from error


def _announced(profile: Path, process: "subprocess.Popen[bytes]") -> str:
    """Wait until Firefox has written down where it listens; returns the address."""
    end = time.monotonic() + START_S
    while time.monotonic() < end:
        with suppress(OSError, ValueError, KeyError):
            told = json.loads((profile / _ANNOUNCED).read_text("utf-8"))
            return f"ws://{told['ws_host']}:{int(told['ws_port'])}/session"
        if process.poll() is not None:
            raise ShotFailed(f"Firefox ended as it started, with status {process.returncode}")
        time.sleep(0.02)
    raise ShotFailed(f"Firefox did not listen within {START_S:g} seconds")


