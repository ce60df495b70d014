"""A farm under load whose servers are killed (SIGKILL) again and again, and then the reckoning.

Machines of all four wires claim and send small pictures through our own links, artists order over REST, readers follow
the events and load the pages; each keeps a ledger of what the farm told it. Servers are killed at random moments, also
while they start, and some of their children alone: inspections, chores, processes of a server that has several. In the
end all is finished and compared: every picture that a machine was thanked for is there byte for byte and was paid once,
every order was taken once, every open task has ended, every event was heard, and `sheepfold check` finds nothing. It
ends with 1 where something is amiss, and names the seed.
"""

import argparse
import contextlib
import hashlib
import io
import json
import os
import random
import re
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import httpx
import psutil
from ground.databases import add_option, on_each
from ground.figures import machine
from ground.machines import USER_AGENT
from ground.outfit import ENVIRONMENT
from ground.serving import opened
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from sqlalchemy import text

from sheepfold.blobs.spool import Digest
from sheepfold.farm.accounts import NewKey, add_account, add_key
from sheepfold.farm.browsers import add_browser
from sheepfold.farm.checkup import check
from sheepfold.farm.farm import Farm
from sheepfold.farm.renderers import Target, add_local
from sheepfold.model.accounts import Role
from sheepfold.model.browsers import BrowserProgram, Screen
from sheepfold.model.matching import Abilities, Program
from sheepfold.protocols.link import FarmUnreachable, Figures, Link, Receipt, Work
from sheepfold.protocols.registry import load, row_of
from sheepfold.protocols.rest.client import FarmClient
from sheepfold.protocols.rest.wire import BASE

WIRES = ("rest", "electricsheep", "sheepit", "browsershots")
WIDTH, HEIGHT = 400, 300
TERM_S = 20
"""How long a lease lasts that was granted in an answer which got lost."""
FINISH_S = 600
TELL_S = 30
DEATHS_IN_BIRTH = 0.2
"""So many of the kills do not wait until the server listens."""
DEATHS_OF_CHILDREN = 0.4
"""So many of the kills hit one of the server's children alone."""
SETTINGS = ENVIRONMENT | {
    "SHEEPFOLD_LEASE_TERM_S": str(TERM_S), "SHEEPFOLD_SILENT_LEASE_TERM_S": str(TERM_S),
    "SHEEPFOLD_SHEEPIT_LEASE_TERM_S": str(TERM_S), "SHEEPFOLD_SHEEPIT_MAX_PERIOD_S": str(TERM_S),
    "SHEEPFOLD_BROWSERSHOTS_LOCK_S": str(TERM_S),
    "SHEEPFOLD_CHORE_TERM_S": str(TERM_S), "SHEEPFOLD_RETRY_S": "1", "SHEEPFOLD_SCREENSHOT_SITE_LIMIT": "1000000",
    "SHEEPFOLD_SCREENSHOT_DOMAIN_LIMIT": "1000000", "SHEEPFOLD_SCREENSHOT_ACCOUNT_LIMIT": "1000000",
}
GENOME = (b'<flame name="mayhem" size="160 120" center="0 0" scale="20" quality="1">'
          b'<xform weight="0.5" color="0" linear="1" coefs="0.5 0 0 0.5 0.5 0"/>'
          b'<xform weight="0.5" color="1" spherical="1" coefs="0.7 0.3 -0.3 0.7 0 0.2"/></flame>')
FRAMES = 30
"""How many frames an ordered job has; a screenshot has one."""
ABILITIES = Abilities(kinds=frozenset({"flame"}), renderers=frozenset({Program("flam3", "3.1.1")}), memory_mib=8192,
                      platform="linux")
T = TypeVar("T")
PAGES = ("/", "/jobs", "/flock", "/machines", "/jobs/1000", "/tasks/1", "/previews/1.jpg", "/pictures/1", "/healthz")
_ORPHANED = re.compile(r'Traceback .*\n  File "<string>", line 1, in <module>\n(?:  .*\n)+'
                       r"(?:EOFError: Ran out of input|_pickle.UnpicklingError: pickle data was truncated)")
"""What Python says in a process that was just begun, whose server was killed before it said what to do."""


@dataclass(slots=True)
class Ledger:
    """What the clients were told, and remember: digests of pictures with their wires, ids of orders and of events."""

    accepted: dict[str, str] = field(default_factory=dict)
    ordered: list[int] = field(default_factory=list)
    heard: list[set[int]] = field(default_factory=list)
    told: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    kills: int = 0


@dataclass(frozen=True, slots=True)
class Life:
    """What all clients share: where the servers are, the seed, the ledger, and when to order and to live no more."""

    urls: list[str]
    folder: Path
    database_url: str
    seed: int
    ledger: Ledger
    enough: threading.Event = field(default_factory=threading.Event)
    over: threading.Event = field(default_factory=threading.Event)

    def chance(self, *words: object) -> random.Random:
        """Return a source of chance of one's own."""
        return random.Random(f"{self.seed} {words}")


def main() -> None:
    """Wreak mayhem on each database."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_option(parser)
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--mean-s", type=float, default=6.0, help="how long a server lives, in the mean")
    parser.add_argument("--machines", type=int, default=16, help="shared by the four wires")
    parser.add_argument("--servers", type=int, default=1, help="on one database, which then must be postgresql")
    parser.add_argument("--processes", type=int, default=1, help="of each server")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    print(f"{asked.machines} machines, {asked.seconds:g} s, seed {asked.seed}; {machine()}", flush=True)
    os.environ.update(SETTINGS)
    on_each(asked.database, lambda kind, folder, url: _wreak(kind, folder, url, asked))


def _wreak(kind: str, folder: Path, url: str, asked: argparse.Namespace) -> None:
    count = asked.servers if kind == "postgresql" else 1
    servers = [Server(folder, url, number, asked.processes) for number in range(count)]
    life = Life([one.url for one in servers], folder, url, asked.seed, Ledger())
    with opened(life.folder, life.database_url) as farm:
        deeds = list(_clients(farm, life, asked.machines))
    threads = [threading.Thread(target=_careful, args=(life, deed), daemon=True) for deed in deeds]
    for server in servers:
        server.start()
    for thread in threads:
        thread.start()
    began_at = time.monotonic()
    try:
        _kill_for(life, servers, asked)
        _finish(life)
    finally:
        life.over.set()
        for server in servers:
            server.end(life)
        for thread in threads:
            thread.join(120)
    with opened(life.folder, life.database_url) as farm:
        life.ledger.wrong += _reckoned(farm, life)
    _report(kind, life.ledger, time.monotonic() - began_at, asked.seed)


# --- servers


class Server:
    """A server that is killed and started again, always at the same port."""

    def __init__(self, folder: Path, database_url: str, number: int, processes: int) -> None:
        self._folder = folder
        self._processes = processes
        self._environment = os.environ | {"DATABASE_URL": database_url}
        self._name = f"serve-{number}"
        self._starts = 0
        self._port = _free_port()
        self.url = f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        """Start it, and wait for nothing."""
        self._starts += 1
        argv = [sys.executable, "-m", "sheepfold", "serve", "--data", str(self._folder), "--port", str(self._port),
                "--processes", str(self._processes)]
        with (self._folder / f"{self._name}-{self._starts}.log").open("wb") as log:
            self._process = psutil.Popen(argv, env=self._environment, stderr=log, stdout=subprocess.DEVNULL)

    def kill(self, life: Life, chance: random.Random) -> None:
        """Kill it, see that none of its children outlives it for long, and start it again; or kill one of these."""
        with contextlib.suppress(psutil.NoSuchProcess):
            children = [child for child in self._process.children(recursive=True) if not _is_python_s(child)]
            if children and chance.random() < DEATHS_OF_CHILDREN:
                chance.choice(children).kill()
                life.ledger.kills += 1
                return
            if self._process.poll() is not None:
                life.ledger.wrong.append(f"{self._name} ended by itself: {self.log()[-1500:]}")
            self._process.kill()
            self._process.wait(30)
            left = psutil.wait_procs(children, timeout=20)[1]
            life.ledger.wrong += [f"a child outlived its server: {one}" for one in left]
        life.ledger.kills += 1
        self.start()

    def end(self, life: Life) -> None:
        """End it as a person does, and look into its logs."""
        self._process.terminate()
        if (status := self._process.wait(120)) != 0:
            life.ledger.wrong.append(f"{self._name} ended with {status}")
        for log in self._folder.glob(f"{self._name}-*.log"):
            told = _ORPHANED.sub("", log.read_text(errors="replace"))
            found = re.search(r"(?m)^.*( ERROR |Traceback|inspection_failed).*(?:\n.*){0,60}", told)
            life.ledger.wrong += [f"{log.name}: {found[0]}"] if found else []

    def wait(self) -> None:
        """Wait until it listens, or has ended."""
        while "listening=" not in self.log() and self._process.poll() is None:
            time.sleep(0.05)

    def log(self) -> str:
        """Return what it has logged since it was started."""
        return (self._folder / f"{self._name}-{self._starts}.log").read_text(errors="replace")


def _is_python_s(process: psutil.Process) -> bool:
    """Say whether a process is multiprocessing's own, which Python starts anew with a traceback."""
    with contextlib.suppress(psutil.NoSuchProcess):  # it has ended just now
        return any("resource_tracker" in word for word in process.cmdline())
    return False


def _free_port() -> int:
    """Return a port below those that the system gives away, so that nobody takes it while the server is dead."""
    while True:
        port = random.randrange(20_000, 32_000)
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


def _kill_for(life: Life, servers: list[Server], asked: argparse.Namespace) -> None:
    chance, until, told_at = life.chance("kills"), time.monotonic() + asked.seconds, asked.seconds
    while (left := until - time.monotonic()) > 0:
        doomed = chance.choice(servers)
        if chance.random() > DEATHS_IN_BIRTH:
            doomed.wait()
        time.sleep(min(left, chance.expovariate(len(servers) / asked.mean_s)))
        doomed.kill(life, chance)
        if left < told_at - TELL_S:
            told_at = left
            print(f"    {left:.0f} s left, {life.ledger.kills} kills, {len(life.ledger.accepted)} pictures", flush=True)


def _finish(life: Life) -> None:
    """Wait until nothing is open any more, and has been so for a moment."""
    life.enough.set()
    until = time.monotonic() + FINISH_S
    with opened(life.folder, life.database_url) as farm:
        while left := farm.db.read(lambda tx: tx.execute(text(
                "SELECT (SELECT count(*) FROM tasks WHERE state = 'open')"
                " + (SELECT count(*) FROM chores WHERE state = 'queued')")).scalar_one()):
            if time.monotonic() > until:
                life.ledger.wrong.append(f"{left} tasks and chores did not end")
                return
            time.sleep(0.5)
        newest = farm.db.read(lambda tx: tx.execute(text("SELECT max(id) FROM events")).scalar_one())
    until = time.monotonic() + 60
    while any(newest not in heard for heard in life.ledger.heard) and time.monotonic() < until:
        time.sleep(0.2)


# --- clients


def _clients(farm: Farm, life: Life, machines: int) -> Iterator[Callable[[], None]]:
    """Furnish a farm; gives what each client does until life is over."""
    add_account(farm, "artist", Role.OWNER, "")
    add_account(farm, "volunteer", Role.VOLUNTEER, "")
    add_local(farm, Target("4.5"))
    desk = add_key(farm, "artist", "desk").key
    for number in range(machines):
        wire = WIRES[number % len(WIRES)]
        made = add_key(farm, "volunteer", f"{wire}{number}")
        if wire == "browsershots":
            program = BrowserProgram("Firefox", "3.0", USER_AGENT, "firefox")
            add_browser(farm, None, made.machine.name, program, "linux", Screen(WIDTH, HEIGHT, 24))
        yield Machine(life, wire, made, number).live
    for number, kind in enumerate(("flame", "blender", "screenshot")):
        yield partial(_order, life, kind, desk, number)
    for number in range(3):
        heard: set[int] = set()
        life.ledger.heard.append(heard)
        yield partial(_listen, life, desk, number, heard)
    for number in range(2):
        yield partial(_browse, life, number)


def _careful(life: Life, deed: Callable[[], None]) -> None:
    try:
        deed()
    except Exception as error:  # noqa: BLE001 -- a client that breaks down is a finding
        life.ledger.wrong.append(f"a client broke down: {error!r}")


class Machine:
    """A machine of some wire: what it was told it holds over its server's deaths, and it sends until it is answered."""

    def __init__(self, life: Life, wire: str, made: NewKey, number: int) -> None:
        self._life, self._wire, self._number = life, wire, number
        self._chance = life.chance("machine", number)
        self._folder = life.folder / "machines" / str(number)
        self._folder.mkdir(parents=True)
        account = made.machine.name if wire == "browsershots" else made.account.name
        open_link = load(row_of(wire).link)
        url = life.urls[number % len(life.urls)]
        self._link: Link = open_link(url, made.key, self._folder, "mayhem/1", account)
        kind = {"sheepit": "blender", "browsershots": "screenshot"}.get(wire, "flame")
        self._abilities = Abilities(frozenset({kind}), ABILITIES.renderers, memory_mib=8192, platform="linux")

    def live(self) -> None:
        """Open a line, then claim and send, until life is over."""
        self._insisted(lambda: self._link.open(self._abilities))
        while not self._life.over.is_set():
            work = self._insisted(lambda: self._link.claim(self._abilities, may_wait=False))
            if work is None:
                self._life.over.wait(self._chance.uniform(0.2, 1))
                continue
            self._make(work)
        self._link.close()

    def _make(self, work: Work) -> None:
        path = self._folder / "picture.png"
        path.write_bytes(_painted(self._chance))
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        if self._wire == "browsershots" and not self._is_led(work):
            self._life.ledger.told["browsershots not led"] += 1
            return
        if self._wire == "rest" and self._chance.random() < 0.05:
            self._insisted(lambda: self._link.give_up(work, "mayhem", None, failed=False))
            return
        self._life.over.wait(self._chance.uniform(0, 0.5))
        receipt = self._insisted(lambda: self._link.submit(work, path, Figures(1, 1000, 1)))
        self._life.ledger.told[f"{self._wire} {receipt}"] += 1
        if receipt is Receipt.REFUSED:
            self._life.ledger.wrong.append(f"{self._wire} {work.handle}: a sound picture was refused")
        if receipt is Receipt.ACCEPTED:
            self._life.ledger.accepted[digest] = f"{self._wire} {work.handle}"

    def _is_led(self, work: Work) -> bool:
        """Load the page through the redirect, as the factory's browser does."""
        def load_page() -> bool:
            try:
                answer = httpx.get(work.spec["url"], headers={"User-Agent": USER_AGENT}, trust_env=False, timeout=60)
            except httpx.TransportError as error:
                raise FarmUnreachable(str(error)) from error
            if answer.status_code == 503:
                raise FarmUnreachable(answer.text)
            return answer.status_code == 302

        return bool(self._insisted(load_page))

    def _insisted(self, deed: Callable[[], T]) -> T | None:
        return _insisted(self._life, self._chance, deed)


def _insisted(life: Life, chance: random.Random, deed: Callable[[], T]) -> T | None:
    """Do a thing until the farm answers; None where life ends before."""
    while True:
        try:
            return deed()
        except FarmUnreachable:
            if life.over.is_set():
                return None
            life.over.wait(chance.uniform(0.1, 1))


def _painted(chance: random.Random) -> bytes:
    """Paint what all machines paint, since a late picture is held against that of another, in bytes of its own."""
    patches = Image.frombytes("RGB", (16, 12), random.Random("patches").randbytes(16 * 12 * 3))
    mark, target = PngInfo(), io.BytesIO()
    mark.add_text("Comment", f"{chance.getrandbits(128):x}")
    patches.resize((WIDTH, HEIGHT), Image.Resampling.NEAREST).save(target, "PNG", pnginfo=mark)
    return target.getvalue()


def _order(life: Life, kind: str, key: str, number: int) -> None:
    """Order one job after the other, while less than two of this kind are open."""
    chance = life.chance("order", kind)
    files = {"genome": (life.folder / "genome.flam3", GENOME),
             "project": (life.folder / "scene.blend", b"BLENDER-v402")}
    for path, content in files.values():
        path.write_bytes(content)
    size = {"width": WIDTH, "height": HEIGHT}
    spec, inputs = {
        "flame": ({"frames": FRAMES, "quality": 1, "temporal_samples": 1, **size}, ["genome"]),
        "blender": ({"frames": f"1-{FRAMES}", **size}, ["project"]),
        "screenshot": ({"url": "http://127.0.0.1/page.html", "browsers": ["Firefox"], "widths": [WIDTH]}, []),
    }[kind]
    open_jobs: list[int] = []
    client_url = life.urls[number % len(life.urls)]
    with FarmClient(client_url, key) as client:
        while not life.enough.is_set():
            open_jobs = [job for job in open_jobs
                         if (seen := _insisted(life, chance, partial(client.job, job))) and seen.state == "running"]
            if len(open_jobs) >= (8 if kind == "screenshot" else 2):
                life.enough.wait(0.3)
                continue
            asked = {"kind": kind, "spec": spec, "title": f"{kind} {chance.getrandbits(64):x}"}
            paths = {name: files[name][0] for name in inputs}
            made = _insisted(life, chance, partial(_ordered, client_url, key, asked, paths))
            if made is not None:
                open_jobs.append(made)
                life.ledger.ordered.append(made)


def _ordered(url: str, key: str, asked: dict[str, object], inputs: dict[str, Path]) -> int:
    """Order once; its title is the key by which the farm knows the order again."""
    parts = {"order": ("order.json", json.dumps(asked).encode(), "application/json")}
    parts |= {name: (path.name, path.read_bytes(), "application/octet-stream") for name, path in inputs.items()}
    headers = {"Authorization": f"Bearer {key}", "Idempotency-Key": str(asked["title"]).replace(" ", "-")}
    try:
        answer = httpx.post(f"{url}{BASE}/jobs", files=parts, headers=headers, trust_env=False, timeout=60)
    except httpx.TransportError as error:
        raise FarmUnreachable(str(error)) from error
    if answer.status_code == 503:
        raise FarmUnreachable(answer.text)
    if answer.status_code != 201:
        raise RuntimeError(f"The order {asked} is refused: {answer.text}")
    return int(answer.json()["id"])


def _listen(life: Life, key: str, number: int, heard: set[int]) -> None:
    """Follow the events, going on after the last one that was heard; none may be missing in the end."""
    last = 0
    with FarmClient(life.urls[number % len(life.urls)], key) as client:
        while not life.over.is_set():
            with contextlib.suppress(FarmUnreachable):
                for event in client.events(after=last):
                    heard.add(event.id)
                    last = event.id
                    if life.over.is_set():
                        return
            life.over.wait(0.2)


def _browse(life: Life, number: int) -> None:
    """Load pages; only a server that is dead or says 503 may fail."""
    chance = life.chance("browse", number)
    with httpx.Client(base_url=life.urls[number % len(life.urls)], trust_env=False, timeout=60) as http:
        while not life.over.wait(chance.uniform(0, 0.5)):
            page = chance.choice(PAGES)
            with contextlib.suppress(httpx.TransportError):
                status = http.get(page).status_code
                life.ledger.told[f"pages {status}"] += 1
                if status >= 500 and status != 503:
                    life.ledger.wrong.append(f"{page} answers {status}")


# --- the reckoning


def _reckoned(farm: Farm, life: Life) -> Iterator[str]:
    """Say what of the clients' ledger the farm's does not bear out, and what the check-up finds."""
    ledger = life.ledger

    def rows(query: str) -> list[tuple[Any, ...]]:
        return farm.db.read(lambda tx: [tuple(row) for row in tx.execute(text(query))])

    found = {str(digest): (count, verdict, paid, reason) for digest, count, verdict, reason, paid in rows(
        "SELECT digest, count(*), min(verdict), max(reason),"
        " sum((SELECT count(*) FROM ledger g WHERE g.result_id = r.id)) FROM results r GROUP BY digest")}
    for digest, whose in ledger.accepted.items():
        if found.get(digest, ())[:3] != (1, "valid", 1):
            yield f"{whose}: accepted {digest}, the farm has {found.get(digest)}"
        elif hashlib.sha256(b"".join(farm.blobs.open_stream(Digest(digest)))).hexdigest() != digest:
            yield f"{whose}: {digest} has other bytes"
    ledger.told["results nobody was thanked for"] += len(found.keys() - ledger.accepted.keys())
    jobs = Counter(str(title) for (title,) in rows("SELECT title FROM jobs"))
    yield from (f"{count} jobs {title}" for title, count in jobs.items() if count > 1)
    known = {number for (number,) in rows("SELECT id FROM jobs WHERE state = 'done'")}
    yield from (f"job {number} was ordered and is not done" for number in ledger.ordered if number not in known)
    events = {number for (number,) in rows("SELECT id FROM events")}
    for number, heard in enumerate(ledger.heard):
        if missing := sorted(events - heard)[:5]:
            yield f"listener {number} has not heard {len(events - heard)} events, such as {missing}"
    yield from (f"{one.invariant}: {one.what}" for one in check(farm, read_blobs=True))


def _report(kind: str, ledger: Ledger, seconds: float, seed: int) -> None:
    print(f"{kind}: {ledger.kills} kills in {seconds:.0f} s, {len(ledger.accepted)} pictures accepted, "
          f"{len(ledger.ordered)} jobs ordered")
    for what, count in sorted(ledger.told.items()):
        print(f"    {what:32} {count}")
    if ledger.wrong:
        for one in ledger.wrong[:30]:
            print(f"    WRONG: {one}")
        sys.exit(f"{len(ledger.wrong)} things are wrong on {kind} with seed {seed}.")
    print("    nothing lost, nothing paid twice", flush=True)


if __name__ == "__main__":
    main()
