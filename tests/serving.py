"""A farm's server as tests start it: `sheepfold serve` as a process of its own, or its application in a thread here."""

import itertools
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import uvicorn

from sheepfold.app import make_app
from sheepfold.connection import Connection
from sheepfold.farm.farm import Farm

CLEAN = {name: value for name, value in os.environ.items()
         if not name.startswith(("SHEEPFOLD_", "AWS_")) and name not in {"DATABASE_URL", "BLOBS_URL", "PUBLIC_URL"}}
"""This environment, without what it says of some farm."""

_STRIDE = 64
_PORTS = itertools.cycle(range(20_000 + os.getpid() % _STRIDE, 32_000, _STRIDE))


def free_port() -> int:
    """Return a port for a server that comes and goes: nobody else takes it while the server is away.

    The system gives ports from 32768 on to whoever wants any; below, tests that run at once keep to their own numbers,
    and one test takes them in turn: what it has chosen may not listen yet.
    """
    while True:
        port = next(_PORTS)
        try:
            socket.create_server(("127.0.0.1", port)).close()
        except OSError:
            continue
        return port


class Server:
    """A `sheepfold serve` that listens, by scheme where, and what it has logged so far."""

    def __init__(self, data: Path, *words: str, port: int = 0, environment: Mapping[str, str] = CLEAN) -> None:
        command = [sys.executable, "-m", "sheepfold", "serve", "--data", str(data), "--port", str(port), *words]
        self.process = subprocess.Popen(command, env=dict(environment), stderr=subprocess.PIPE, text=True)
        self.log: list[str] = []
        self.urls: dict[str, str] = {}
        schemes = {"http", "https"} if "--tls-port" in words else {"http"}
        for line in self._errors:
            self.log.append(line)
            if found := re.search(r"listening=((https?)://[^\s\"]+)", line):
                self.urls[found[2]] = found[1]
            if self.urls.keys() == schemes:
                break
        self._drain = threading.Thread(target=lambda: self.log.extend(self._errors), daemon=True)
        self._drain.start()  # a pipe that nobody empties would stop the server one day
        assert self.urls, self.log

    @property
    def url(self) -> str:
        return self.urls["http"]

    @property
    def _errors(self) -> Iterator[str]:
        assert self.process.stderr
        return self.process.stderr

    def end(self, sign: signal.Signals = signal.SIGTERM) -> int:
        """End the server, unless it has ended, and all that it started; returns its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(sign)
        status = self.process.wait(60)
        self._drain.join(60)
        assert not self._drain.is_alive(), "a child of the server outlived it"
        assert self.process.stderr
        self.process.stderr.close()
        return status


@contextmanager
def serving(farm: Farm, port: int = 0) -> Iterator[str]:
    """Serve an open farm on a port of this machine, from a thread, until the block ends; yields its address."""
    config = uvicorn.Config(make_app(farm), http=Connection, lifespan="off", log_config=None,
                            timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", port)) as listening:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        try:
            while not server.started:
                time.sleep(0.01)
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(30)
