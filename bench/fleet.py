"""A fleet of pretend machines of REST and Electric Sheep at work; then the server is killed, and all return at once.

Machines ask, "render" for a time of their own and send a small picture, each over a connection opened for it, as old
clients do. Printed are the claims' times in calm and in the storm after the restart, how long that storm lasts, and
what the check-up says at the end: no lost or double lease, no double credit.
"""

import argparse
import asyncio
import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import uvloop
from ground.databases import KINDS, NoPostgres, database
from ground.figures import latencies, machine
from ground.filling import ABILITIES, Filling, fill
from ground.load import WIRES, Connection, Refused
from ground.pictures import HEIGHT, WIDTH, marked, painted

from sheepfold.config import Settings
from sheepfold.farm.accounts import add_account, add_key, key_verifier
from sheepfold.farm.checkup import check
from sheepfold.farm.dispatch import Maker, open_session
from sheepfold.farm.farm import Farm, open_farm
from sheepfold.kinds.flame.spec import parse
from sheepfold.model.accounts import Role
from sheepfold.protocols.rest import wire

CALM_S = 0.1
"""A claim that is answered within this is calm."""


@dataclass(slots=True)
class Log:
    """What the fleet lived through: when each claim began and how long it took, and what it was refused."""

    claims: list[tuple[float, float]] = field(default_factory=list)
    sent: int = 0
    lost: int = 0


def main() -> None:
    """Let a fleet loose on each database."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", choices=(*KINDS, "both"), default="both")
    parser.add_argument("--machines", type=int, default=15_000)
    parser.add_argument("--render-s", type=float, default=180.0, help="how long a machine renders, in the mean")
    parser.add_argument("--seconds", type=float, default=900.0, help="before the restart, and again after it")
    asked = parser.parse_args()
    print(f"{asked.machines} machines that render for {asked.render_s:g} s; {machine()}")
    for kind in KINDS if asked.database == "both" else (asked.database,):
        try:
            _live(kind, asked)
        except NoPostgres as reason:
            print(f"{kind}: not measured. {reason}")


def _live(kind: str, asked: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory(prefix="sheepfold-bench-") as name, database(kind, Path(name)) as url:
        folder = Path(name)
        secrets = _furnish(folder, url, asked)
        server, port = _start(folder, url, 0)
        try:
            log, killed_at = uvloop.run(_sail(folder, url, port, secrets, asked, server))
        finally:
            for pid in map(int, (folder / "pids").read_text().split()):
                if pid == server.pid and server.poll() is not None:
                    continue
                os.kill(pid, signal.SIGTERM)
        time.sleep(4)  # what is under way ends
        with open_farm(Settings(data=folder, database_url=url), lambda key, account: ()) as farm:
            findings = list(check(farm))
    _report(kind, log, killed_at, len(findings))
    if findings:
        sys.exit(f"The farm is broken: {findings[:5]}")


def _report(kind: str, log: Log, killed_at: float, findings: int) -> None:
    slow = [at for at, took in log.claims if at >= killed_at and took > CALM_S]
    storm_ends = max(slow, default=killed_at) if len(slow) > len(log.claims) // 1000 else killed_at
    calm = [took for at, took in log.claims if at < killed_at]
    storm = [took for at, took in log.claims if at >= killed_at]
    print(f"{kind}: {log.sent} pictures, {log.lost} requests to a dead server, {findings} findings\n"
          f"    claim before the restart  {latencies(calm)}\n"
          f"    claim after the restart   {latencies(storm)}\n"
          f"    calm again after          {storm_ends - killed_at:.1f} s", flush=True)


def _furnish(folder: Path, url: str, asked: argparse.Namespace) -> list[tuple[str, str]]:
    """Make a farm with work enough, and for each machine its wire and its secret."""
    tasks = int(asked.machines * (3 + 3 * asked.seconds / asked.render_s))
    with open_farm(Settings(data=folder, database_url=url), lambda key, account: ()) as farm:
        add_account(farm, "volunteer", Role.VOLUNTEER, "")
        spec = parse({"frames": 160, "width": WIDTH, "height": HEIGHT})
        blob = farm.blobs.keep_bytes(b"<flame/>" * 3)
        fill(url, Filling(tasks, 10, 10, json.dumps(spec), blob.digest, blob.size_bytes))
        abilities = wire.Abilities.of(ABILITIES).model_dump_json()
        with ThreadPoolExecutor(32) as pool:
            half = list(pool.map(lambda number: ("rest", _session(farm, number, abilities)),
                                 range(asked.machines // 2)))
    return half + [("electricsheep", uuid.uuid4().hex) for _ in range(asked.machines - len(half))]


def _session(farm: Farm, number: int, abilities: str) -> str:
    key = add_key(farm, "volunteer", f"box{number}")
    return open_session(farm, Maker(key.machine.id, key.account.id, "rest"), abilities, key_verifier(key.key))


def _start(folder: Path, url: str, port: int) -> tuple["subprocess.Popen[bytes]", int]:
    log = folder / f"serve-{time.monotonic_ns()}.log"
    argv = [sys.executable, "-m", "sheepfold", "serve", "--data", str(folder), "--port", str(port)]
    with log.open("wb") as errors:
        server = subprocess.Popen(argv, stderr=errors, env=os.environ | {"DATABASE_URL": url})
    (folder / "pids").write_text(str(server.pid))
    while (found := re.search(r"listening=http://[\d.]+:(\d+)", log.read_text())) is None:
        if server.poll() is not None:
            raise SystemExit(f"The server ended:\n{log.read_text()}")
        time.sleep(0.05)
    return server, int(found[1])


async def _sail(folder: Path, url: str, port: int, secrets: list[tuple[str, str]], asked: argparse.Namespace,
                server: "subprocess.Popen[bytes]") -> tuple[Log, float]:
    log, picture, ends_at = Log(), painted(), time.monotonic() + 2 * asked.seconds
    fleet = [asyncio.create_task(_machine(log, port, secret, asked.render_s, picture, ends_at)) for secret in secrets]
    await asyncio.sleep(asked.seconds)
    server.kill()
    server.wait()
    killed_at = time.monotonic()
    await asyncio.get_running_loop().run_in_executor(None, _start, folder, url, port)
    await asyncio.gather(*fleet)
    return log, killed_at


async def _machine(log: Log, port: int, secret: tuple[str, str], render_s: float, picture: bytes, ends_at: float
                   ) -> None:
    (claim, expected), upload = WIRES[secret[0]](secret[1])
    chance = random.Random(secret[1])
    await asyncio.sleep(chance.uniform(0, render_s))
    while time.monotonic() < ends_at:
        began = time.monotonic()
        answer = await _insisted(log, port, claim, b"", expected, ends_at)
        if answer is None:
            return
        log.claims.append((began, time.monotonic() - began))
        await asyncio.sleep(chance.uniform(0.5, 1.5) * render_s)
        body = marked(picture, f"{secret[1]} {began}")
        if await _insisted(log, port, upload(answer, len(body)), body, 200, ends_at) is None:
            return
        log.sent += 1


async def _insisted(log: Log, port: int, head: str, body: bytes, expected: int, ends_at: float) -> bytes | None:
    """Ask until there is an answer, on a new connection each time; None where the time is up."""
    while time.monotonic() < ends_at:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                return await Connection(reader, writer).ask(head, body, expected)
            finally:
                writer.close()
        except (OSError, EOFError):
            log.lost += 1
        except Refused as refusal:
            if " 503 " not in str(refusal):
                raise
        await asyncio.sleep(1.0)
    return None


if __name__ == "__main__":
    main()
