"""Pretend ShotFactories of 2008 and 2013 do whole jobs against a real server, from the command line's order on.

They speak as the protocol note says the real ones do: the standard library's XML-RPC over HTTP/1.0 (2008, Python 2.5)
or HTTP/1.1 kept alive (2013, Python 2.7), every member of the poll's answer taken for granted, a browser that is no
part of the client, and the password's arithmetic written out here.
"""

import hashlib
import http.client
import io
import re
import threading
import urllib.request
import xmlrpc.client
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.commands import run_here
from tests.serving import CLEAN, Server

AGENTS = {
    "2008": "Mozilla/5.0 (X11; U; Linux i686; en-US; rv:1.9) Gecko/2008061015 Firefox/3.0",
    "2013": "Mozilla/5.0 (X11; Linux x86_64; rv:24.0) Gecko/20100101 Firefox/24.0",
}
VERSIONS = {"2008": "3.0", "2013": "24.0"}


class Transport(xmlrpc.client.Transport):
    """Speak as Python did then: 2.5 in HTTP/1.0 without gzip, 2.7 in HTTP/1.1, the connection kept."""

    def __init__(self, era: str) -> None:
        super().__init__()
        self.user_agent = f"ShotFactory/0.4 r2690  Python/{'2.5.2' if era == '2008' else '2.7.18'} Linux/2.6.26 i686"
        self._is_old = era == "2008"
        self.accept_gzip_encoding = not self._is_old

    def make_connection(self, host: str) -> http.client.HTTPConnection:
        connection = super().make_connection(host)
        if self._is_old:
            connection._http_vsn, connection._http_vsn_str = 10, "HTTP/1.0"
        return connection


@dataclass
class ShotFactory:
    """A factory of an era; its browser is a function that loads the page, its screen a picture painted here."""

    era: str
    url: str
    name: str
    password: str

    def __post_init__(self) -> None:
        self.server = xmlrpc.client.ServerProxy(f"{self.url}/xmlrpc/", transport=Transport(self.era))
        self.seen: list[str] = []

    def encrypted(self) -> str:
        challenge = self.server.nonces.challenge(self.name)
        digest = {"sha1": hashlib.sha1, "md5": hashlib.md5}[challenge["algorithm"]]
        inner = digest((challenge["salt"] + self.password).encode()).hexdigest()
        return hashlib.md5((inner + challenge["nonce"]).encode()).hexdigest()

    def main(self) -> list[str]:
        """Verify, then poll, shoot and upload until there is nothing more; returns the names of the screenshots."""
        assert self.server.nonces.verify(self.name, self.encrypted())
        names = []
        while True:
            try:
                config = self.server.requests.poll(self.name, self.encrypted())
            except xmlrpc.client.Fault as fault:
                if (fault.faultCode, fault.faultString) != (204, "No matching request."):
                    raise
                return names
            png = self.screenshot(config)
            binary = xmlrpc.client.Binary(png)
            names.append(self.server.screenshots.upload(self.name, self.encrypted(), config["request"], binary))

    def screenshot(self, config: dict[str, object]) -> bytes:
        command, width = str(config["command"]), int(str(config["width"]))
        height, request = int(str(config["height"])), int(str(config["request"]))
        assert re.fullmatch(r"([\w_\-]+[\\/])*[\w_\-.]+", command or str(config["browser"]).lower())
        assert config["bpp"] == 24
        asked = urllib.request.Request(f"{self.url}/redirect/{self.name}/{self.encrypted()}/{request}/",
                                       headers={"User-Agent": AGENTS[self.era]})
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(asked, timeout=20) as page:
            self.seen.append(page.read().decode())
        blocks = np.random.default_rng(request).integers(0, 256, (2 * height // 8, width // 8, 3), dtype=np.uint8)
        target = io.BytesIO()
        Image.fromarray(blocks).resize((width, 2 * height), Image.Resampling.NEAREST).save(target, "PNG")
        return target.getvalue()


@dataclass
class Farm:
    """A farm in a folder with a server, and the words of its people."""

    data: Path
    environment: dict[str, str]
    url: str = ""

    def do(self, *words: str, said: str = "") -> str:
        ended = run_here(*words, "--data", self.data, said=said, environment=self.environment)
        assert ended.status == 0, ended.err
        return ended.out.strip()


@pytest.fixture(scope="module")
def farm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Farm]:
    environment = CLEAN | {"SHEEPFOLD_SCREENSHOT_ALLOWED_RANGES": "127.0.0.0/8",
                           "SHEEPFOLD_BROWSERSHOTS_LOAD_LIMIT": "0"}  # fmt: skip  # this machine may have other work
    made = Farm(tmp_path_factory.mktemp("screenshots") / "farm", environment)
    made.do("account", "add", "ann", "--role", "artist", "--password-stdin", said="correct horse\n")
    server = Server(made.data, environment=environment)
    made.url = server.url
    yield made
    server.end()


@pytest.fixture(scope="module")
def page() -> Iterator[str]:
    """Serve one page, and no robots.txt."""

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/page.html" else 404)
            self.end_headers()
            self.wfile.write(f"seen by {self.headers['User-Agent']}".encode())

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/page.html"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("era", ["2008", "2013"])
def test_a_factory_of_old_shoots_what_was_ordered(farm: Farm, page: str, era: str) -> None:
    machine = f"argo{era}"
    key = farm.do("key", "add", "ann", machine, "--bare")
    farm.do("browser", "add", machine, "--browser", "firefox", "--version", VERSIONS[era], "--command", "firefox",
            "--width", "1024", "--height", "768", "--bpp", "24")
    order = ["--browser", f"firefox {VERSIONS[era]}", "--width", "1024"]
    jobs = [farm.do("order", "screenshot", page, *order) for _ in range(2)]
    factory = ShotFactory(era, farm.url, machine, key)
    names = factory.main()
    assert len(set(names)) == 2
    assert factory.seen == [f"seen by {AGENTS[era]}"] * 2
    for job in jobs:
        assert "1 of 1 done" in farm.do("job", "show", job)
    with urllib.request.urlopen(f"{farm.url}/png/512/{names[0][:2]}/{names[0]}.png", timeout=20) as small:
        assert Image.open(io.BytesIO(small.read())).size == (512, 768)
    assert AGENTS[era].split("/")[-1] in farm.do("browser", "list", machine)
