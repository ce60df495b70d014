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
    """What to do: where, over which wire, by which machines (a connection each), and for how long."""

    port: int
    protocol: str
    machines: list[str]
    """Of each machine its session's token for REST, its UID for Electric Sheep."""
    warm_up_s: float
    seconds: float
    picture: str
    """The path of the picture that is uploaded, each time with another mark in it."""


@dataclass(slots=True)
class Measured:
    """What was measured: the seconds that claims and uploads took, and how many cycles ended a second."""

    claims_s: list[float] = field(default_factory=list)
    uploads_s: list[float] = field(default_factory=list)
    cycles_per_s: float = 0.0
    cycles: int = 0
    """All of them, those of the warm-up too."""
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
        if int(answer.split(b" ", 2)[1]) != expected:
            raise Refused(f"{head.split(chr(13))[0]}: {answer.decode()}{content[:500]!r}")
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


async def drive(orders: Orders) -> Measured:
    """Run all connections until the time is up, and count what falls between warm-up and end."""
    measured = Measured()
    begins_at = time.monotonic() + orders.warm_up_s
    ends_at = begins_at + orders.seconds
    picture = Path(orders.picture).read_bytes()

    async def machine(secret: str) -> None:
        (claim, expected), upload = WIRES[orders.protocol](secret)
        connection = Connection(*await asyncio.open_connection("127.0.0.1", orders.port))
        cycles = 0
        while (started := time.monotonic()) < ends_at:
            answer = await connection.ask(claim, b"", expected)
            claimed = time.monotonic()
            body = marked(picture, f"{secret} {cycles}")
            head = upload(answer, len(body))
            await connection.ask(head, body, 200)
            cycles += 1
            measured.cycles += 1
            ended = time.monotonic()
            if started >= begins_at and ended <= ends_at:
                measured.claims_s.append(claimed - started)
                measured.uploads_s.append(ended - claimed)

    await asyncio.gather(*(machine(secret) for secret in orders.machines))
    measured.cycles_per_s = len(measured.claims_s) / orders.seconds
    measured.processor_s = time.process_time()
    return measured


if __name__ == "__main__":
    print(json.dumps(asdict(uvloop.run(drive(Orders(**json.load(sys.stdin)))))))
