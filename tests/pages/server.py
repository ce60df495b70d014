"""A server of awkward pages on the loopback address: a port in the clear, and one behind a certificate of its own."""

import io
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import av
import numpy as np
from PIL import Image

from sheepfold.certificate import ensure_certificate

HTML = Path(__file__).parent / "html"
_END = threading.Event()


@dataclass(frozen=True, slots=True)
class Site:
    """Where the pages are; `reached` counts what a page was asked for."""

    plain: str
    encrypted: str
    reached: dict[str, int]

    def url(self, page: str) -> str:
        """Return a page's address; one that begins with `tls:` is behind the certificate."""
        return f"{self.encrypted}/{page[4:]}" if page.startswith("tls:") else f"{self.plain}/{page}"


def picture() -> bytes:
    target = io.BytesIO()
    Image.new("RGB", (30, 20), (0, 0, 192)).save(target, "PNG")
    return target.getvalue()


def film() -> bytes:
    """Return a film of one second, green all over."""
    target = io.BytesIO()
    target.name = "film.webm"
    with av.open(target, "w", format="webm") as container:
        stream = container.add_stream("libvpx", rate=10)
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        green = np.zeros((240, 320, 3), np.uint8) + np.array([0, 128, 0], np.uint8)
        for _ in range(10):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(green, "rgb24")))
        container.mux(stream.encode())
    return target.getvalue()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    reached: ClassVar[dict[str, int]] = {}
    films: ClassVar[list[bytes]] = []

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        self.reached[path] = self.reached.get(path, 0) + 1
        name, _, rest = path[1:].partition("/")
        special = getattr(self, f"page_{name.replace('.', '_')}", None)
        file = HTML / f"{name}.html"
        if special is not None:
            special(rest)
        elif file.is_file() and not rest:
            self.say(file.read_bytes())
        else:
            self.say(b"<!doctype html><h1>Not found</h1>", status=404)

    def say(self, body: bytes, kind: str = "text/html; charset=utf-8", status: int = 200, **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def page_colour(self, colour: str) -> None:
        self.say(f"<!doctype html><body style='background:#{colour}'>".encode())

    def page_picture_png(self, _: str) -> None:
        time.sleep(0.05)
        self.say(picture(), "image/png")

    def page_film_webm(self, _: str) -> None:
        if not self.films:
            self.films.append(film())
        self.say(self.films[0], "video/webm")

    def page_download(self, _: str) -> None:
        self.say(b"\0" * 1000, "application/octet-stream", Content_Disposition='attachment; filename="setup.exe"')

    def page_loop(self, _: str) -> None:
        self.say(b"", status=302, Location="/loop")

    def page_inward(self, _: str) -> None:
        self.say(b"", status=302, Location="http://10.255.255.1/secret")

    def page_auth(self, _: str) -> None:
        self.say(b"<h1>401</h1>", status=401, WWW_Authenticate='Basic realm="Members"')

    def page_slow(self, _: str) -> None:
        time.sleep(1.2)
        self.page_colour("008000")

    def page_restless(self, step: str) -> None:
        """Be in place of each other for a while, the next one as soon as one is there."""
        if int(step or 0) == 60:
            self.page_colour("008000")
        else:
            self.say(f"<!doctype html><script>location.replace('/restless/{int(step or 0) + 1}')</script>".encode())

    def page_astray(self, step: str) -> None:
        """Go on to a page that never comes: the server hangs up."""
        if not step:
            self.say(b"<!doctype html><script>location.replace('/astray/away')</script>")
        self.close_connection = True

    def page_silent(self, _: str) -> None:
        _END.wait(60)

    page_held = page_silent

    def page_never(self, _: str) -> None:
        """Begin a page, and go on and on."""
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>Never</title><body style='margin:0'>")
        self.wfile.write(b"<div style='height:100px;background:#008000'></div>" + b"<p>" + b"Words without end. " * 20)
        while not _END.wait(0.1):
            try:
                self.wfile.write(b"<!-- more -->\n" * 10)
            except OSError:
                return
        self.close_connection = True


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Say nothing: browsers hang up, and those that dislike a certificate do so in the middle."""


@contextmanager
def site(folder: Path) -> Iterator[Site]:
    """Serve all pages until the block ends."""
    certificate, key = ensure_certificate(folder, "127.0.0.1", int(time.time()))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    plain, encrypted = Server(("127.0.0.1", 0), Handler), Server(("127.0.0.1", 0), Handler)
    encrypted.socket = context.wrap_socket(encrypted.socket, server_side=True, do_handshake_on_connect=False)
    _END.clear()
    for server in (plain, encrypted):
        threading.Thread(target=server.serve_forever, daemon=True).start()
    yield Site(f"http://127.0.0.1:{plain.server_port}", f"https://127.0.0.1:{encrypted.server_port}", Handler.reached)
    _END.set()
    for server in (plain, encrypted):
        server.shutdown()
        server.server_close()
