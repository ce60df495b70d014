"""Take pictures of the error pages of this machine's real browsers, on a whole screen each, into a folder.

They are the test data of `sheepfold.kinds.screenshot.contents`: run it again when a browser has a new error page.
"""

import argparse
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import psutil
from PIL import Image

from sheepfold.certificate import ensure_certificate
from sheepfold.kinds.screenshot.shooting import browsers, chromium, firefox, framebuffer
from sheepfold.kinds.screenshot.shooting.browsers import Engine, Found
from sheepfold.kinds.screenshot.shooting.ending import end_group
from sheepfold.kinds.screenshot.shooting.screen import Screen
from sheepfold.kinds.screenshot.shooting.shot import Shot

STILL_S, LONGEST_S = 2.0, 25.0
PAGES = re.compile(rb"--type=renderer|-contentproc .* tab\b|WebKitWebProcess")
"""The processes in which browsers draw pages, by their command lines."""


class _Trouble(BaseHTTPRequestHandler):
    """A server that says hello, hangs up, or redirects to itself for ever."""

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        if self.path.startswith("/loop"):
            self.send_response(302)
            self.send_header("Location", "/loop")
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif self.path == "/":
            body = b"<!doctype html><title>A page</title><h1>A page</h1><p>that is well."
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        self.close_connection = True


def main() -> None:
    """Shoot every browser's page for every trouble."""
    asked = _asked()
    asked.folder.mkdir(parents=True, exist_ok=True)
    with _server() as (plain, encrypted), _closed_port() as port:
        troubles = {"refused": f"http://127.0.0.1:{port}/", "unknown": "http://nowhere.invalid/",
                    "hung-up": f"{plain}/end", "loop": f"{plain}/loop", "untrusted": f"{encrypted}/",
                    "crash": f"{plain}/"}
        for found in browsers.installed():
            for name in asked.only or troubles:
                image = _shot(found, troubles[name], asked, is_crashing=name == "crash")
                image.save(asked.folder / f"{found.name}-{name}-{asked.width}.png", optimize=True)


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--width", type=int, default=1024)
    parser.add_argument("--height", type=int, default=768)
    parser.add_argument("--dark", action="store_true")
    parser.add_argument("--only", action="append", help="refused, unknown, hung-up, loop, untrusted or crash")
    return parser.parse_args()


def _shot(found: Found, url: str, asked: argparse.Namespace, *, is_crashing: bool) -> Image.Image:
    """Show an address in a browser that nothing drives, as the old factories did; returns the screen when it rests."""
    shot = Shot(url, found.engine, found.program, mode="window", width=asked.width, height=asked.height,
                dark=asked.dark)
    with tempfile.TemporaryDirectory(prefix="sheepfold-errors-") as name, Screen(Path(name), shot) as screen:
        own = dict(os.environ) | {
            "DISPLAY": screen.display, "HOME": name, "XDG_CONFIG_HOME": f"{name}/config",
            "GTK_THEME": "Adwaita:dark" if asked.dark else "Adwaita", "MOZ_CRASHREPORTER_DISABLE": "1",
            "WEBKIT_DISABLE_SANDBOX_THIS_IS_DANGEROUS": "1", "WEBKIT_DISABLE_DMABUF_RENDERER": "1",
        }  # fmt: skip
        process = subprocess.Popen(_argv(found, shot, Path(name)), env=own, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL, start_new_session=True)
        try:
            screenshot = _rested(Path(name) / framebuffer.FILE)
            if is_crashing:
                _crash(process.pid)
                screenshot = _rested(Path(name) / framebuffer.FILE)
            return Image.fromarray(screenshot)
        finally:
            end_group(process)


def _argv(found: Found, shot: Shot, folder: Path) -> list[str]:
    profile = folder / "profile"
    if found.engine == Engine.CHROMIUM:
        chromium.write_profile(profile, shot)
        dark = ["--force-dark-mode"] if shot.dark else []
        return [found.program, "--no-sandbox", "--test-type", "--no-first-run", "--disable-gpu", "--start-maximized",
                f"--user-data-dir={profile}", *dark, shot.url]
    if found.engine == Engine.FIREFOX:
        firefox.write_profile(profile, shot, 1)
        with (profile / "user.js").open("a") as settings:
            settings.write('user_pref("network.proxy.type", 0);\n')
        return [found.program, "--profile", str(profile), "--no-remote", "--new-instance", shot.url]
    return [found.program, shot.url]


def _rested(file: Path) -> framebuffer.Pixels:
    """Return the screen when it has been still for a while and shows more than the desktop."""
    first, last, since = framebuffer.read(file), framebuffer.read(file), time.monotonic()
    end = time.monotonic() + LONGEST_S
    while time.monotonic() < end:
        time.sleep(0.1)
        now = framebuffer.read(file)
        if not np.array_equal(now, last):
            last, since = now, time.monotonic()
        elif time.monotonic() - since > STILL_S and (now != first).any(axis=2).mean() > 0.5:
            break
    return last


def _crash(pid: int) -> None:
    """Let the processes crash in which a browser draws its pages."""
    for child in psutil.Process(pid).children(recursive=True):
        if PAGES.search(" ".join(child.cmdline()).encode()):
            child.send_signal(signal.SIGKILL)
    time.sleep(1)


@contextmanager
def _closed_port() -> Iterator[int]:
    """Hold a port at which nobody listens, so that nobody else does."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


@contextmanager
def _server() -> Iterator[tuple[str, str]]:
    plain, encrypted = ThreadingHTTPServer(("127.0.0.1", 0), _Trouble), ThreadingHTTPServer(("127.0.0.1", 0), _Trouble)
    with tempfile.TemporaryDirectory(prefix="sheepfold-errors-") as name:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*ensure_certificate(Path(name), "127.0.0.1", int(time.time())))
    encrypted.socket = context.wrap_socket(encrypted.socket, server_side=True, do_handshake_on_connect=False)
    for server in (plain, encrypted):
        threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{plain.server_port}", f"https://127.0.0.1:{encrypted.server_port}"
    for server in (plain, encrypted):
        server.shutdown()
        server.server_close()


if __name__ == "__main__":
    if shutil.which("Xvfb") is None:
        raise SystemExit("Xvfb is needed")
    main()
