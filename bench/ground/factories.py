"""The load of screenshot factories, a program of its own: they poll, their browsers follow the redirect, they upload.

It reads its orders as JSON from its input and prints what it measured as JSON. A factory's job takes five calls and
one page, as the old factories' did; its password's digest is worked out once, as the salt never changes.
"""

import asyncio
import hashlib
import json
import re
import sys
import time
from base64 import encodebytes
from dataclasses import asdict, dataclass, field
from pathlib import Path

import uvloop

from ground.load import Connection
from ground.pictures import marked

USER_AGENT = "Mozilla/5.0 (X11; U; Linux i686; en-US; rv:1.9) Gecko/2008061015 Firefox/3.0"


@dataclass(frozen=True, slots=True)
class Orders:
    """What to do: where, by which factories (a connection each) with which keys, and for how many seconds."""

    port: int
    factories: dict[str, str]
    seconds: float
    picture: str


@dataclass(slots=True)
class Measured:
    """The seconds that each step took, with its challenge, and how many cycles ended in time."""

    polls_s: list[float] = field(default_factory=list)
    redirects_s: list[float] = field(default_factory=list)
    uploads_s: list[float] = field(default_factory=list)
    cycles: int = 0
    processor_s: float = 0.0


class Factory:
    """One factory on a connection of its own."""

    def __init__(self, connection: Connection, name: str, key: str) -> None:
        self._connection = connection
        self._name = name
        self._key = key
        self._inner = ""

    async def poll(self) -> int:
        """Ask for a request; returns its number."""
        told = await self._call("requests.poll", await self._password())
        return int(re.search(rb"<name>request</name>\s*<value><int>(\d+)", told)[1])  # type: ignore[index]

    async def visit(self, request: int) -> None:
        """Follow the redirect."""
        head = f"GET /redirect/{self._name}/{await self._password()}/{request}/ HTTP/1.1\r\nUser-Agent: {USER_AGENT}"
        await self._connection.ask(head, b"", 302)

    async def upload(self, request: int, picture: bytes) -> None:
        """Deliver the picture."""
        password = await self._password()
        body = f"<value><int>{request}</int></value></param><param><value><base64>\n".encode() + encodebytes(picture)
        await self._call("screenshots.upload", password, body + b"</base64></value>")

    async def _password(self) -> str:
        told = await self._call("nonces.challenge")
        found = dict(re.findall(rb"<name>(\w+)</name>\s*<value><string>(\w*)", told))
        if not self._inner:
            salted = found[b"salt"] + self._key.encode()
            self._inner = hashlib.new(found[b"algorithm"].decode(), salted, usedforsecurity=False).hexdigest()
        return hashlib.md5(self._inner.encode() + found[b"nonce"], usedforsecurity=False).hexdigest()

    async def _call(self, method: str, password: str = "", more: bytes = b"") -> bytes:
        words = [f"<value><string>{word}</string></value>".encode() for word in (self._name, password) if word]
        params = b"".join(b"<param>" + word + b"</param>" for word in [*words, more] if word)
        body = f"<?xml version='1.0'?>\n<methodCall><methodName>{method}</methodName><params>".encode() + params
        head = "POST /xmlrpc/ HTTP/1.1\r\nContent-Type: text/xml"
        told = await self._connection.ask(head, body + b"</params></methodCall>", 200)
        if b"<fault>" in told:
            raise SystemExit(f"{method}: {told.decode()}")
        return told


async def drive(orders: Orders, picture: bytes) -> Measured:
    """Run all factories until the time is up."""
    measured = Measured()
    ends_at = time.monotonic() + orders.seconds

    async def run(name: str, key: str) -> None:
        factory = Factory(Connection(*await asyncio.open_connection("127.0.0.1", orders.port)), name, key)
        while (started := time.monotonic()) < ends_at:
            request = await factory.poll()
            polled = time.monotonic()
            await factory.visit(request)
            visited = time.monotonic()
            await factory.upload(request, marked(picture, f"{name} {started}"))
            ended = time.monotonic()
            measured.polls_s.append(polled - started)
            measured.redirects_s.append(visited - polled)
            measured.uploads_s.append(ended - visited)
            measured.cycles += ended <= ends_at

    await asyncio.gather(*(run(name, key) for name, key in orders.factories.items()))
    measured.processor_s = time.process_time()
    return measured


def main() -> None:
    """Do as the orders say, and print what was measured."""
    orders = Orders(**json.load(sys.stdin))
    print(json.dumps(asdict(uvloop.run(drive(orders, Path(orders.picture).read_bytes())))))


if __name__ == "__main__":
    main()
