"""That browsers reach public addresses alone, whatever name or form an address has."""

import ipaddress
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from sheepfold.kinds.screenshot.shooting import gate
from sheepfold.kinds.screenshot.shooting.gate import Gate, is_open, networks

HERE = networks(["127.0.0.0/8"])


@pytest.mark.parametrize("address", [
    "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1",
    "255.255.255.255", "240.0.0.1", "192.0.2.1", "::1", "::", "fe80::1", "fc00::1", "ff02::1", "::ffff:127.0.0.1",
    "2002:7f00:1::", "64:ff9b::7f00:1", "64:ff9b::a00:1", "2001:db8::1",
    "192.0.0.8", "192.0.0.192", "192.88.99.1", "3fff::1",
    "fec0::1", "feff:ffff::1", "64:ff9b:1::1", "64:ff9b:1::7f00:1", "64:ff9b:1::101:101", "64:ff9b:1:ffff::101:101",
])  # fmt: skip
def test_addresses_that_are_not_public_are_closed(address: str):
    assert not is_open(ipaddress.ip_address(address), ())


@pytest.mark.parametrize("address", ["93.184.216.34", "1.1.1.1", "2606:4700:4700::1111", "64:ff9b::101:101"])
def test_public_addresses_are_open(address: str):
    assert is_open(ipaddress.ip_address(address), ())


def test_what_the_machine_s_owner_allows_is_open_in_every_form():
    assert is_open(ipaddress.ip_address("127.0.0.1"), HERE)
    assert is_open(ipaddress.ip_address("::ffff:127.0.0.1"), HERE)
    assert not is_open(ipaddress.ip_address("10.0.0.1"), HERE)
    assert is_open(ipaddress.ip_address("fec0::1"), networks(["fec0::/64"]))


class Echo(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        body = f"{self.path} {self.headers.get('Connection')} {self.headers.get('Host')}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Keep-Alive", "timeout=5")
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def echo() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


def asked(folder: Path, text: str, allowed: tuple[gate.Network, ...] = HERE) -> tuple[bytes, list[str]]:
    """Return what a gate answers to a request, and whom it kept away."""
    opened = Gate(folder, allowed)
    opened.start()
    try:
        with socket.socket(socket.AF_UNIX) as line:
            line.settimeout(20)
            line.connect(str(folder / gate.SOCKET))
            line.sendall(text.encode())
            answer = b""
            try:
                while piece := line.recv(65536):
                    answer += piece
            except ConnectionResetError:
                pass
            return answer, opened.refused
    finally:
        opened.close()


def test_a_page_is_fetched_by_one_request_a_connection(tmp_path: Path, echo: int):
    told = "Host: x\r\nProxy-Connection: keep-alive\r\n\r\n"
    answer, _ = asked(tmp_path, f"GET http://127.0.0.1:{echo}/a?b HTTP/1.1\r\n{told}")
    head, _, body = answer.partition(b"\r\n\r\n")
    assert body == b"/a?b close x"
    assert b"Connection: close" in head
    assert b"Keep-Alive" not in head


def test_a_tunnel_passes_what_it_is_given(tmp_path: Path, echo: int):
    text = f"CONNECT 127.0.0.1:{echo} HTTP/1.1\r\n\r\nGET /t HTTP/1.1\r\nHost: y\r\nConnection: close\r\n\r\n"
    answer, _ = asked(tmp_path, text)
    assert answer.startswith(b"HTTP/1.1 200")
    assert answer.endswith(b"/t close y")


@pytest.mark.parametrize("target", ["http://127.0.0.1:{}/", "http://localhost:{}/", "http://[::ffff:127.0.0.1]:{}/",
                                    "http://2130706433:{}/", "http://127.1:{}/"])  # fmt: skip
def test_a_private_address_is_not_called_by_any_name(tmp_path: Path, echo: int, target: str):
    answer, refused = asked(tmp_path, f"GET {target.format(echo)} HTTP/1.1\r\nHost: x\r\n\r\n", ())
    assert answer == b""
    assert len(refused) == 1


@pytest.mark.parametrize("text", ["nonsense\r\n\r\n", "GET ftp://1.1.1.1/ HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\r\n\r\n",
                                  "CONNECT :x HTTP/1.1\r\n\r\n"], ids=["nonsense", "ftp", "origin", "x"])  # fmt: skip
def test_what_is_no_request_to_a_proxy_is_hung_up_on(tmp_path: Path, text: str):
    assert asked(tmp_path, text)[0] == b""


def test_networks_are_read_and_nonsense_is_refused():
    expected = (ipaddress.ip_network("127.0.0.1"), ipaddress.ip_network("fc00::/7"))
    assert networks(["127.0.0.1", " fc00::/7 ", ""]) == expected
    with pytest.raises(ValueError, match="nonsense"):
        networks(["nonsense"])


def test_a_folder_with_a_long_name_has_a_way_too(tmp_path: Path):
    deep = tmp_path / ("x" * 120)
    deep.mkdir()
    opened = Gate(deep)
    opened.start()
    assert (deep / gate.SOCKET).is_socket()
    opened.close()
