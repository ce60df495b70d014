"""What strangers send to a port and what never becomes a request: it is bounded, and it is not waited for."""

import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from tests.serving import Server, serving

from sheepfold import connection
from sheepfold.config import Settings
from sheepfold.farm.farm import open_farm
from sheepfold.protocols.registry import verifiers

SENT_BYTES = 64 * 2**20
"""More than the system keeps for whoever does not read."""
MANY = b"".join(b"X%d: a\r\n" % number for number in range(10_000))
LONG = b"a" * 2**16
CHUNKED = b"POST /sign-in HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
ENDLESS = {
    "headers": (b"GET / HTTP/1.1\r\n", MANY),
    "a header": (b"GET / HTTP/1.1\r\nX: ", LONG),
    "a header's name": (b"GET / HTTP/1.1\r\nX", LONG),
    "an address": (b"GET /", LONG),
    "the words of a chunk": (CHUNKED + b"5;", LONG),
    "headers behind a body": (CHUNKED + b"0\r\n", MANY),
}


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with open_farm(Settings(data=tmp_path_factory.mktemp("farm")), verifiers) as farm, serving(farm) as url:
        yield int(url.rpartition(":")[2])


def dialled(port: int) -> socket.socket:
    line = socket.create_connection(("127.0.0.1", port))
    line.settimeout(60)
    return line


def poured(line: socket.socket, start: bytes, more: bytes) -> None:
    line.sendall(start)
    for _ in range(SENT_BYTES // len(more)):
        line.sendall(more)


def dripped(line: socket.socket, start: bytes, drop: bytes) -> None:
    line.sendall(start)
    for _ in range(6000):
        line.sendall(drop)
        time.sleep(0.01)


@pytest.mark.parametrize("what", ENDLESS)
def test_what_never_becomes_a_request_is_cut_off(port: int, what: str) -> None:
    start, more = ENDLESS[what]
    with dialled(port) as line, pytest.raises(ConnectionError):
        poured(line, start, more)


def test_a_head_without_end_is_told_so(port: int) -> None:
    with dialled(port) as line:
        # not a byte more than it takes: what lies unread when a line is closed would take the answer along
        line.sendall(b"GET / HTTP/1.1\r\nX: ".ljust(connection.MOST_HEAD_BYTES + 1, b"a"))
        assert line.recv(100).startswith(b"HTTP/1.1 431 ")


def test_large_bodies_and_one_request_after_another_are_no_heads(port: int) -> None:
    with dialled(port) as line:
        for _ in range(3):
            line.sendall(b"POST /cgi/nothing HTTP/1.1\r\nHost: x\r\nContent-Length: 400000\r\n\r\n" + bytes(400_000))
            answer = b""
            while b"\r\n\r\n" not in answer:
                answer += line.recv(65_536)
            assert answer.startswith(b"HTTP/1.1 404 ")
            length = int(answer.lower().partition(b"content-length: ")[2].partition(b"\r")[0])
            left = length - len(answer.partition(b"\r\n\r\n")[2])
            while left:
                left -= len(line.recv(left))


@pytest.mark.parametrize("begun", [b"", b"GET / HT", CHUNKED, CHUNKED + b"5\r\nab"])
def test_who_falls_silent_is_not_waited_for(port: int, begun: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "PATIENCE_S", 0.2)
    with dialled(port) as line, suppress(ConnectionError):  # where it was hung up before all was sent
        line.sendall(begun)
        while line.recv(65_536):  # a page of ours may say first what is wrong
            pass


def test_who_lets_a_body_drip_is_not_waited_for(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "PATIENCE_S", 0.2)
    with dialled(port) as line, pytest.raises(ConnectionError):
        dripped(line, CHUNKED, b"1\r\na\r\n")


@pytest.mark.slow
def test_a_body_that_comes_slowly_is_waited_for(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "LEAST_BYTES", 1)
    monkeypatch.setattr(connection, "PATIENCE_S", 20.0)
    with dialled(port) as line:
        line.sendall(b"POST /cgi/nothing HTTP/1.1\r\nHost: x\r\nContent-Length: 40\r\n\r\n")
        for _ in range(40):
            line.sendall(b"a")
            time.sleep(0.75)
        assert line.recv(100).startswith(b"HTTP/1.1 404 ")


def test_the_secret_of_who_asks_for_a_websocket_stays_out_of_the_log(tmp_path: Path) -> None:
    site = Server(tmp_path)
    try:
        with dialled(int(site.url.rpartition(":")[2])) as line:
            line.sendall(b"GET /server/config.php?login=ann&password=hunter2 HTTP/1.1\r\nHost: x\r\nConnection: Up"
                         b"grade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: eA==\r\n\r\n")
            assert line.recv(100).startswith(b"HTTP/1.1 ")
    finally:
        site.end()
    assert "hunter2" not in "".join(site.log)
