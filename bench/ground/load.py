"""The load generator, a program of its own: connections that claim a task and upload its picture, over and over.

It reads its orders as JSON from its input and prints what it measured as JSON. HTTP is spoken at the level of bytes,
since a full client would take more of two cores than the server that is measured.
"""

import asyncio
import gzip
import json
import re
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

import uvloop

from ground.pictures import marked

_ORDER = re.compile(rb'<get gen="(\d+)"[^>]* id="(\d+)"[^>]* job="(\d+)"')


@dataclass(frozen=True, slots=True)
class Orders:
    """What to do: where, over which wire, by which machines (a connection each), and for how many seconds."""

    port: int
    protocol: str
    machines: list[str]
    """Of each machine its session's token for REST, its UID for Electric Sheep."""
    seconds: float
    picture: str
    """The path of the picture that is uploaded, each time with another mark in it."""


@dataclass(slots=True)
class Measured:
    """What was measured: the seconds that each claim and each upload took, and how many cycles ended in time."""

    claims_s: list[float] = field(default_factory=list)
    uploads_s: list[float] = field(default_factory=list)
    cycles: int = 0
    processor_s: float = 0.0
    """The seconds of processor that this program used."""


class Refused(Exception):
    """The server answered something else than expected."""


class Connection:
    """One connection that asks and waits for its answer."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def ask(self, head: str, body: bytes, expected: int) -> bytes:
        """Send a request and return the body of its answer; raises Refused for another status than expected."""
        text = f"{head}\r\nHost: bench\r\nContent-Length: {len(body)}\r\n\r\n"
        self._writer.write(text.encode() + body)
        await self._writer.drain()
        answer = await self._reader.readuntil(b"\r\n\r\n")
        found = re.search(rb"\r\ncontent-length: *(\d+)", answer.lower())
        content = await self._reader.readexactly(int(found[1]) if found else 0)
        if int(answer[9:12]) != expected:
            raise Refused(f"{head.split(chr(13), maxsplit=1)[0]}: {answer.decode()}{content[:500]!r}")
        return content


Upload = tuple[str, int]
"""The head of an upload's request, and the status that it must get."""


def rest(token: str) -> tuple[Upload, Callable[[bytes, int], str]]:
    """Return a machine's claim over REST, and what makes the upload's head of its answer."""
    told = f"HTTP/1.1\r\nAuthorization: Bearer {token}"

    def upload(answer: bytes, _size: int) -> str:
        return f"PUT /api/v1/leases/{json.loads(answer)['lease']}/result {told}"

    return (f"POST /api/v1/leases {told}", 201), upload


def electricsheep(uid: str) -> tuple[Upload, Callable[[bytes, int], str]]:
    """Return a machine's claim over Electric Sheep's wire, and what makes the upload's head of its answer."""

    def upload(answer: bytes, size: int) -> str:
        found = _ORDER.search(gzip.decompress(answer))
        if found is None:
            raise Refused(f"No order: {gzip.decompress(answer)[:300]!r}")
        generation, sheep, job = (int(number) for number in found.groups())
        return f"PUT /cgi/put?j={job}&id={sheep}&s={size}&g={generation}&v=LNX_2.7b12&u={uid} HTTP/1.1"

    return (f"GET /cgi/get?n=&w=&v=LNX_2.7b12&u={uid}&r=1&c=1 HTTP/1.1", 200), upload


WIRES = {"rest": rest, "electricsheep": electricsheep}


async def drive(orders: Orders, picture: bytes) -> Measured:
    """Run all connections until the time is up."""
    measured = Measured()
    ends_at = time.monotonic() + orders.seconds

    async def machine(secret: str) -> None:
        (claim, expected), upload = WIRES[orders.protocol](secret)
        connection = Connection(*await asyncio.open_connection("127.0.0.1", orders.port))
        while (started := time.monotonic()) < ends_at:
            answer = await connection.ask(claim, b"", expected)
            claimed = time.monotonic()
            body = marked(picture, f"{secret} {started}")
            await connection.ask(upload(answer, len(body)), body, 200)
            ended = time.monotonic()
            measured.claims_s.append(claimed - started)
            measured.uploads_s.append(ended - claimed)
            measured.cycles += ended <= ends_at

    await asyncio.gather(*(machine(secret) for secret in orders.machines))
    measured.processor_s = time.process_time()
    return measured


def main() -> None:
    """Do as the orders say, and print what was measured."""
    orders = Orders(**json.load(sys.stdin))
    picture = Path(orders.picture).read_bytes()
    print(json.dumps(asdict(uvloop.run(drive(orders, picture)))))


if __name__ == "__main__":
    main()
