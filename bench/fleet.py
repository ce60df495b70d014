"""A fleet of pretend machines of all four wires at work; then the server is killed, and all return at once.

Machines ask, "render" for a time of their own and send a small picture, each request over a connection opened for it,
as old clients do. When the server is killed nobody renders on: all have their picture ready, and send it as soon as the
server is there again; who is turned away tries again, ever more seldom. Printed are the claims' times in calm, in that
storm and after it, how long it lasts, what was accepted and paid, and whether the claims outside of the storm are as
quick as they ought to be, which says as much of the machine. It ends with 1 where a picture that a machine was thanked
for is not there or was not paid just once, where a task was lent twice, or where the check-up finds anything.

The fleet's clock may go faster than ours: with `--scale 10` its machines live ten hours while we wait for one.
"""

import argparse
import asyncio
import hashlib
import os
import random
import re
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import psutil
import uvloop
from ground.databases import add_option, on_each
from ground.figures import latencies, machine, percentile_ms
from ground.load import Connection, Refused
from ground.machines import Machine
from ground.outfit import ENVIRONMENT, fit_out
from ground.pictures import marked, painted
from ground.serving import opened
from sqlalchemy import text

from sheepfold.farm.checkup import check
from sheepfold.store.database import Tx

CALM_S = 0.1
"""A claim that is answered within this is calm, as 99 of 100 outside of the storm ought to be."""
WINDOW_S = 5.0
"""The storm is over with the first stretch of this length in which 99 of 100 claims are calm."""
TRY_AGAIN_S = 1.0
TRY_AGAIN_AT_MOST_S = 30.0
TELL_PERIOD_S = 60.0


@dataclass(slots=True)
class Log:
    """What the fleet lived through: when each claim began, how long it took, by which wire; what was sent, or lost."""

    claims: list[tuple[float, float, str]] = field(default_factory=list)
    sent: list[str] = field(default_factory=list)
    """The digests of the pictures that a machine was thanked for."""
    lost: int = 0
    away: int = 0
    """Requests that the server answered with 503."""
    killed_at: float = 0.0


@dataclass(frozen=True, slots=True)
class Life:
    """What all machines share: where the server is, how long they render, its death, and when all ends."""

    port: int
    render_s: float
    ends_at: float
    picture: bytes
    killed: asyncio.Event
    log: Log


_TERMS = ("SHEEPFOLD_LEASE_TERM_S", "SHEEPFOLD_SILENT_LEASE_TERM_S", "SHEEPFOLD_SHEEPIT_LEASE_TERM_S",
          "SHEEPFOLD_BROWSERSHOTS_LOCK_S")


class _TimeIsUp(Exception):
    """The fleet's life has ended."""


def main() -> None:
    """Let a fleet loose on each database."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_option(parser)
    parser.add_argument("--machines", type=int, default=15_000)
    parser.add_argument("--render-s", type=float, default=180.0, help="how long a machine renders, in the mean")
    parser.add_argument("--seconds", type=float, default=900.0, help="before the restart")
    parser.add_argument("--seconds-after", type=float, help="after it; the same by default")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1, help="of the server; one for each core")
    parser.add_argument("--scale", type=float, default=1.0, help="how many of these seconds pass in one of ours")
    asked = parser.parse_args()
    asked.seconds_after = asked.seconds if asked.seconds_after is None else asked.seconds_after
    print(f"{asked.machines} machines that render for {asked.render_s:g} s, for {asked.seconds:g} s and "
          f"{asked.seconds_after:g} s, {asked.scale:g} of which pass in a second; server of {asked.processes}; "
          f"{machine()}", flush=True)
    asked.render_s /= asked.scale
    asked.seconds /= asked.scale
    asked.seconds_after /= asked.scale
    # these machines give no sign of life while they render
    os.environ.update(ENVIRONMENT | dict.fromkeys(_TERMS, str(int(max(3600, 10 * asked.render_s)))))
    on_each(asked.database, lambda kind, folder, url: _live(kind, folder, url, asked))


def _live(kind: str, folder: Path, url: str, asked: argparse.Namespace) -> None:
    with opened(folder, url) as farm:
        fleet = fit_out(farm, url, asked.machines, 3 + 1.5 * _length_s(asked) / asked.render_s, folder)
    log = uvloop.run(_sail(folder, url, fleet, asked))
    with opened(folder, url) as farm:
        findings = list(check(farm))
        paid = farm.db.read(_paid)
        amiss = farm.db.read(lambda tx: list(reckoned(tx, log.sent)))
    _report(kind, log, paid, len(findings))
    _judge(log, amiss)
    if findings or amiss:
        sys.exit(f"The farm is broken: {[*findings, *amiss][:5]}")


def _length_s(asked: argparse.Namespace) -> float:
    return float(asked.seconds + asked.seconds_after)


def _paid(tx: Tx) -> tuple[int, int]:
    """Return how many pictures were paid, and on how many tasks; they differ where a task was paid twice."""
    row = tx.execute(text("SELECT count(*) AS paid, count(DISTINCT r.task_id) AS tasks "
                          "FROM ledger g JOIN results r ON r.id = g.result_id")).one()
    return row.paid, row.tasks


_PAYMENTS = text("""
    SELECT r.digest, r.task_id AS task, count(g.id) AS payments
    FROM results r LEFT JOIN ledger g ON g.result_id = r.id GROUP BY r.id, r.digest, r.task_id
""")
_LENT = text("""
    SELECT task_id AS task, count(*) AS leases FROM leases
    WHERE state IN ('active', 'submitted') GROUP BY task_id HAVING count(*) > 1
""")


def reckoned(tx: Tx, sent: list[str]) -> Iterator[str]:
    """Say which pictures are lost or not paid once though a machine was thanked, and what was lent or paid twice.

    Here each frame is ordered of one machine, no lease runs out, no picture is bad, and no machine gives up.
    """
    payments, paid = Counter[str](), Counter[int]()
    for row in tx.execute(_PAYMENTS):
        payments[row.digest] += row.payments
        paid[row.task] += row.payments
    for digest in sent:
        if digest not in payments:
            yield f"picture {digest} is lost"
        elif payments[digest] != 1:
            yield f"picture {digest} was paid {payments[digest]} times"
    yield from (f"task {task} was paid {times} times" for task, times in paid.items() if times > 1)
    yield from (f"task {row.task} was lent {row.leases} times" for row in tx.execute(_LENT))


def _judge(log: Log, amiss: list[str]) -> None:
    """Print the verdicts: on what was kept and paid, and on how quick claims are outside of the storm."""
    wrong = f"{len(amiss)} things are WRONG, such as: {'; '.join(amiss[:5])}"
    print(f"    reckoning                  {wrong if amiss else 'nothing lost, nothing paid or lent twice'}")
    calm_at = _calm_at(log)
    times = [took for at, took, _ in log.claims if at < log.killed_at or at >= calm_at]
    p99_ms = percentile_ms(times, 0.99) if times else float("inf")
    verdict = "under" if p99_ms < CALM_S * 1000 else "NOT under"
    print(f"    claims outside the storm   p99 {p99_ms:.2f} ms, {verdict} {CALM_S * 1000:.0f} ms", flush=True)


def _report(kind: str, log: Log, paid: tuple[int, int], findings: int) -> None:
    calm_at = _calm_at(log)
    stretches = {"before the restart": (0.0, log.killed_at), "in the storm": (log.killed_at, calm_at),
                 "after the storm": (calm_at, float("inf"))}
    print(f"{kind}: {len(log.sent)} pictures answered, {paid[0]} paid on {paid[1]} tasks, {log.lost} requests to a "
          f"dead server, {log.away} turned away, {findings} findings; {machine()}")
    for name, (begin, end) in stretches.items():
        times = [took for at, took, _ in log.claims if begin <= at < end]
        print(f"    claim {name:20} {latencies(times) if times else 'none'}   ({len(times)} claims)")
        for wire in sorted({wire for _, _, wire in log.claims}):
            times = [took for at, took, by in log.claims if begin <= at < end and by == wire]
            print(f"        {wire:22} {latencies(times) if times else 'none'}")
    print(f"    calm again after           {calm_at - log.killed_at:.1f} s", flush=True)


def _calm_at(log: Log) -> float:
    """Return when the storm after the restart was over."""
    ended_at = max(log.killed_at, *(at for at, *_ in log.claims))
    began_at = log.killed_at
    while began_at < ended_at:
        times = [took for at, took, _ in log.claims if began_at <= at < began_at + WINDOW_S]
        if times and sum(took > CALM_S for took in times) <= len(times) / 100:
            return began_at
        began_at += WINDOW_S
    return ended_at


def _start(folder: Path, url: str, processes: int, port: int) -> tuple[psutil.Popen, int]:
    log = folder / f"serve-{time.monotonic_ns()}.log"
    argv = [sys.executable, "-m", "sheepfold", "serve", "--data", str(folder), "--port", str(port),
            "--processes", str(processes)]
    with log.open("wb") as errors:
        server = psutil.Popen(argv, stderr=errors, env=os.environ | {"DATABASE_URL": url})
    while (found := re.search(r"listening=http://[\d.]+:(\d+)", log.read_text())) is None:
        if server.poll() is not None:
            raise SystemExit(f"The server ended:\n{log.read_text()}")
        time.sleep(0.05)
    return server, int(found[1])


def _kill(server: psutil.Popen) -> None:
    """Kill a server, and see its children end."""
    children = server.children(recursive=True)
    server.kill()
    server.wait()
    psutil.wait_procs(children)


async def _sail(folder: Path, url: str, fleet: list[Machine], asked: argparse.Namespace) -> Log:
    loop = asyncio.get_running_loop()
    start = partial(_start, folder, url, asked.processes)
    server, port = await loop.run_in_executor(None, start, 0)
    try:
        life = Life(port, asked.render_s, time.monotonic() + _length_s(asked), painted(), asyncio.Event(), Log())
        lives = [asyncio.create_task(_live_one(life, number, one)) for number, one in enumerate(fleet)]
        lives.append(asyncio.create_task(_tell(life)))
        await asyncio.wait(lives, timeout=asked.seconds, return_when=asyncio.FIRST_EXCEPTION)
        _kill(server)
        life.log.killed_at = time.monotonic()
        life.killed.set()
        server, _ = await loop.run_in_executor(None, start, port)
        await asyncio.gather(*lives)
    finally:
        server.send_signal(signal.SIGTERM)
        await loop.run_in_executor(None, server.wait)
    return life.log


async def _live_one(life: Life, number: int, one: Machine) -> None:
    """Let a machine ask, render and send until the time is up."""
    chance = random.Random(number)
    ask = partial(_insisted, life)
    with suppress(_TimeIsUp):
        await _pause(life, chance.uniform(0, life.render_s))
        while True:
            await one.prepare(ask)
            began_at = time.monotonic()
            answer = await one.claim(ask)
            life.log.claims.append((began_at, time.monotonic() - began_at, one.wire))
            if answer is None:
                await _pause(life, TRY_AGAIN_S)
                continue
            await _pause(life, chance.uniform(0.5, 1.5) * life.render_s)
            picture = marked(life.picture, f"{number} {began_at}")
            await one.deliver(ask, answer, picture)
            life.log.sent.append(hashlib.sha256(picture).hexdigest())


async def _pause(life: Life, pause_s: float) -> None:
    """Wait, until the server is killed at most; afterwards in full, or until the time is up."""
    pause_s = min(pause_s, max(0.0, life.ends_at - time.monotonic()))
    if life.killed.is_set():
        await asyncio.sleep(pause_s)
        return
    with suppress(TimeoutError):
        async with asyncio.timeout(pause_s):
            await life.killed.wait()


async def _tell(life: Life) -> None:
    """Say from time to time how it goes."""
    began_at = time.monotonic()
    while (now := time.monotonic()) < life.ends_at:
        await asyncio.sleep(min(TELL_PERIOD_S, life.ends_at - now))
        times = [took for at, took, _ in life.log.claims if at >= now]
        print(f"    {time.monotonic() - began_at:6.0f} s: {len(life.log.sent)} pictures; {len(times)} claims answered "
              f"{latencies(times) if times else ''}; {machine()}", flush=True)


async def _insisted(life: Life, head: str, body: bytes, expected: int) -> bytes:
    """Ask until there is an answer, on a new connection each time."""
    pause_s = TRY_AGAIN_S
    while time.monotonic() < life.ends_at:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", life.port)
            try:
                return await Connection(reader, writer).ask(head, body, expected)
            finally:
                writer.close()
        except (OSError, EOFError):
            life.log.lost += 1
        except Refused as refusal:
            if " 503 " not in str(refusal):
                raise
            life.log.away += 1
        await asyncio.sleep(pause_s * random.uniform(0.5, 1.0))
        pause_s = min(2 * pause_s, TRY_AGAIN_AT_MOST_S)
    raise _TimeIsUp


if __name__ == "__main__":
    main()
