"""What networks do: a proxy that doubles, cuts, holds back or loses requests, and a gate at which nobody is let in."""

import contextlib
import re
import socket
import socketserver
import threading
import time
from collections.abc import Iterator

from tests.serving import free_port

TRICKS = ("pass", "double", "cut", "lose", "late")


class Proxy:
    """Passes requests on to a port, each with the next of some tricks; one request a connection."""

    def __init__(self, port, tricks=()):
        self.port, self.done = port, []
        self._tricks = iter(tricks)
        self._lock = threading.Lock()
        proxy = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self):
                with contextlib.suppress(OSError):
                    proxy._pass_on(self.request, proxy.port)

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    @contextlib.contextmanager
    def running(self) -> Iterator["Proxy"]:
        thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()

    def _pass_on(self, client, port):
        request = read_message(client)
        with self._lock:
            trick = next(self._tricks, "pass")
            self.done.append(trick)
        match trick:
            case "double":  # the second copy comes while the first is being answered
                twin = threading.Thread(target=asked, args=(port, request))
                twin.start()
                client.sendall(asked(port, request))
                twin.join()
            case "cut":
                with socket.create_connection(("127.0.0.1", port), 30) as server:
                    server.sendall(request[:len(request) * 2 // 3])
            case "lose":
                asked(port, request)
            case "late":  # the client hears nothing and asks again; then the first copy arrives
                threading.Thread(target=lambda: (time.sleep(0.5), asked(port, request)), daemon=True).start()
            case _:
                client.sendall(asked(port, request))


def asked(port, request):
    with socket.create_connection(("127.0.0.1", port), 30) as server:
        server.sendall(re.sub(rb"(?i)\r\nconnection: *[^\r]*", b"", request, count=1)
                       .replace(b"\r\n", b"\r\nConnection: close\r\n", 1))
        answer = b""
        while chunk := server.recv(65536):
            answer += chunk
        return answer


def read_message(line):
    data = b""
    while b"\r\n\r\n" not in data:
        chunk = line.recv(65536)
        if not chunk:
            raise ConnectionResetError
        data += chunk
    head, _, body = data.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)content-length: *(\d+)", head)
    while length and len(body) < int(length[1]):
        body += line.recv(65536)
    return head + b"\r\n\r\n" + body


class Gate:
    """A port that leads to another one while it is open; shut, it refuses connections, and those there were end."""

    def __init__(self, port):
        self.port, self._behind, self._lines, self._door = free_port(), port, [], None

    @contextlib.contextmanager
    def used(self) -> Iterator["Gate"]:
        self.open()
        try:
            yield self
        finally:
            self.shut()

    def open(self):
        self._door = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._admit, args=(self._door,), daemon=True).start()

    def shut(self):
        for line in (self._door, *self._lines):
            with contextlib.suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)
        self._door.close()

    def _admit(self, door):
        with contextlib.suppress(OSError):
            while True:
                near, _ = door.accept()
                far = socket.create_connection(("127.0.0.1", self._behind), 30)
                self._lines += [near, far]
                for ways in ((near, far), (far, near)):
                    threading.Thread(target=pass_bytes, args=ways, daemon=True).start()


def pass_bytes(source, target):
    with contextlib.suppress(OSError):
        while chunk := source.recv(65536):
            target.sendall(chunk)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_RDWR)
