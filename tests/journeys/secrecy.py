"""What the tests of secrets stand on: a book of those that were told, and a farm all of whose output is kept."""

import base64
import html
import json
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, quote_plus

import httpx
from tests.serving import CLEAN, free_port

PATIENCE_S = 180
PIECE = 12
"""So much of a secret in a log is a leak: it may have been cut."""


class Book:
    """The secrets that were told, by what they are."""

    def __init__(self) -> None:
        self.told: dict[str, str] = {}

    def note(self, what: str, secret: str) -> str:
        """Write a secret down, and return it."""
        assert len(secret) >= PIECE, what
        assert self.told.setdefault(what, secret) == secret, what
        return secret

    def invent(self, what: str) -> str:
        """Write down a new secret that is written differently in an address, in JSON and in a log."""
        return self.note(what, f"{secrets.token_urlsafe(12)} é/\"%&@'{secrets.token_urlsafe(12)}")

    def found_in(self, logs: Mapping[str, str]) -> list[str]:
        """Return which secrets lie in which log, with the line."""
        lines = [(name, line, line.lower()) for name, log in logs.items() for line in log.splitlines()]
        found = [(what, name, line, piece, low) for what, secret in self.told.items() for piece in pieces_of(secret)
                 for name, line, low in lines if piece in low]
        return sorted({f"{what} in {name}: …{line[max(0, low.index(piece) - 200):][:400]}"
                       for what, name, line, piece, low in found})


def pieces_of(secret: str) -> set[str]:
    """Return the beginning and the end of a secret in all ways in which a log may write it, in small letters."""
    raw = secret.encode()
    whole = {secret, repr(secret)[1:-1], ascii(secret)[1:-1], repr(raw)[2:-1], json.dumps(secret)[1:-1],
             json.dumps(secret, ensure_ascii=False)[1:-1], quote(secret), quote(secret, safe=""), quote_plus(secret),
             html.escape(secret), raw.hex()}
    for shift in range(3):  # behind a name and a colon, as in a header of Basic, it begins at any of three bits
        encoded = base64.b64encode(bytes(shift) + raw).decode()[-(-shift * 8 // 6):(shift + len(raw)) * 8 // 6]
        whole |= {encoded, encoded.translate(str.maketrans("+/", "-_"))}
    return {piece.lower() for one in whole for piece in (one[:PIECE], one[-PIECE:])}


@dataclass
class Site:
    """A farm's folder, its processes, and where what they write lies."""

    folder: Path
    environment: dict[str, str]
    words: tuple[str, ...] = ()
    book: Book = field(default_factory=Book)
    written: list[Path] = field(default_factory=list)
    url: str = ""
    serving: "subprocess.Popen[bytes] | None" = None

    @property
    def data(self) -> Path:
        return self.folder / "farm"

    def begin(self, *words: object, environment: Mapping[str, str] | None = None) -> "subprocess.Popen[bytes]":
        """Begin a command, whose output goes to a file of its own."""
        loud = [word for word in self.words if word == "--verbose"]
        argv = [sys.executable, "-m", "sheepfold", *loud, *map(str, words)]
        self.written.append(self.folder / f"{len(self.written)}-{words[0]}.log")
        with self.written[-1].open("wb") as log:
            return subprocess.Popen(argv, env=self.environment | (environment or {}), stdin=subprocess.PIPE,
                                    stdout=log, stderr=subprocess.STDOUT)

    def run(self, *words: object, said: str = "", environment: Mapping[str, str] | None = None) -> int:
        """Run a command to its end; returns its status."""
        process = self.begin(*words, environment=environment)
        process.communicate(said.encode(), timeout=PATIENCE_S)
        return process.returncode

    def serve(self) -> None:
        """Begin to serve, and wait until the farm listens."""
        port = free_port()
        rest_ = [word for word in self.words if word != "--verbose"]
        self.serving = self.begin("serve", "--data", self.data, "--port", port, *rest_)
        self.url = f"http://127.0.0.1:{port}"
        until("it listens", lambda: "listening=" in self.logs()[self.written[-1].name])

    def end(self) -> None:
        """End the server, and all that it began."""
        if self.serving is not None:
            self.serving.send_signal(signal.SIGTERM)
            assert self.serving.wait(PATIENCE_S) == 0
            self.serving = None

    def logs(self) -> dict[str, str]:
        """Return what commands have written so far."""
        return {path.name: path.read_text("utf-8", "replace") for path in self.written}

    def all_logs(self) -> dict[str, str]:
        """Return all logs in the folders of farm, commands and workers, when all of them have ended."""
        kept = [path for path in self.folder.rglob("*log*") if path.is_file()]
        assert set(self.written) <= set(kept)
        return {str(path.relative_to(self.folder)): path.read_text("utf-8", "replace") for path in kept}

    def log(self) -> str:
        """Return what commands have written so far, as one text."""
        return "".join(self.logs().values())

    def http(self, key: str = "") -> httpx.Client:
        """Return a browser, or a program that has a key."""
        headers = {"Authorization": f"Bearer {key}"} if key else {"Origin": self.url}
        return httpx.Client(base_url=self.url, headers=headers, trust_env=False, timeout=PATIENCE_S)

    def letter(self) -> str:
        """Take a letter out of the outbox; returns the code in it."""
        (letter,) = (self.data / "outbox").iterdir()
        code = letter.read_text("utf-8").strip().rpartition(": ")[2]
        letter.unlink()
        return code


def until(what: str, deed: Callable[[], object]) -> None:
    """Wait until something is true."""
    ends_at = time.monotonic() + PATIENCE_S
    while not deed():
        assert time.monotonic() < ends_at, what
        time.sleep(0.05)


@contextmanager
def living(folder: Path, environment: Mapping[str, str], *words: str) -> Iterator[Site]:
    """Serve a farm, which has an owner, until the block ends."""
    settings = {
        "SHEEPFOLD_SCREENSHOT_ALLOWED_RANGES": "127.0.0.0/8", "SHEEPFOLD_WEBHOOK_ALLOWED_RANGES": "127.0.0.0/8",
        "SHEEPFOLD_SCREENSHOT_OBEY_ROBOTS": "0", "SHEEPFOLD_BROWSERSHOTS_LOAD_LIMIT": "0",
        "SHEEPFOLD_BPY_PYTHON": "/nonexistent/python", "SHEEPFOLD_CLAIM_WAIT_LIMIT_S": "1",
    }
    site = Site(folder, {**CLEAN, **settings, **environment}, words)
    password = site.book.invent("the owner's password")
    try:
        asked = ("account", "add", "olga", "--role", "owner", "--password-stdin")
        assert site.run(*asked, "--data", site.data, said=f"{password}\n") == 0
        site.serve()
        yield site
    finally:
        site.end()
