"""What the tests of faults stand on: a server that dies and is started again, machines that insist, and a reckoning.

Machines do what real clients do: they hold what they were told over the server's death, and send again until they are
answered. The reckoning looks into the farm itself: each picture whose bytes were sent is there, paid once.
"""

import contextlib
import hashlib
import resource
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from sqlalchemy import text
from tests.conftest import GENOMES, picture
from tests.protocols.sheepit.conftest import Client as SheepItClient
from tests.serving import CLEAN, free_port

from sheepfold.blobs.spool import Digest
from sheepfold.config import Settings
from sheepfold.farm.accounts import add_account, add_key
from sheepfold.farm.browsers import add_browser
from sheepfold.farm.checkup import check
from sheepfold.farm.farm import open_farm
from sheepfold.farm.orders import Order, order_job
from sheepfold.farm.renderers import Target, add_local
from sheepfold.kinds.screenshot.spec import NARROWEST
from sheepfold.model.accounts import Role
from sheepfold.model.browsers import BrowserProgram, Screen
from sheepfold.model.matching import Abilities, Program
from sheepfold.protocols.browsershots import wire as browsershots
from sheepfold.protocols.browsershots.client import BrowsershotsLink
from sheepfold.protocols.electricsheep import wire as electricsheep
from sheepfold.protocols.link import FarmUnreachable, Figures, Receipt
from sheepfold.protocols.registry import verifiers
from sheepfold.protocols.rest import wire as rest
from sheepfold.protocols.sheepit import statuses as sheepit

LAUNCHER = Path(__file__).with_name("launcher.py")
SIZE = (64, 48)
ENOUGH = 5
"""So many pictures bring a server to each of its borders; chores may take their time."""
PATIENCE_S = 180
"""How long one waits for what comes within a second: these tests tell a hang from a busy machine."""
TERM_S = 3
"""How long leases last here: what was granted in an answer that got lost must come back soon."""
FLAMES = Abilities(kinds=frozenset({"flame"}), renderers=frozenset({Program("flam3", "3.1.1")}))
NOWHERE = "/nonexistent/python"
"""Where no Blender is."""
FIREFOX = BrowserProgram("Firefox", "3.0", "Mozilla/5.0 (X11; U; Linux i686; en-US; rv:1.9) Gecko/2008 Firefox/3.0",
                         "firefox")


class NotNow(Exception):
    """The farm asked to try again."""


@dataclass
class House:
    """A farm in a folder and the server that serves it, now and then."""

    folder: Path
    database_url: str = ""
    environment: dict = field(default_factory=dict)
    words: tuple = ()
    port: int = field(default_factory=free_port)
    deaths: int = 0
    process: "subprocess.Popen[bytes] | None" = None
    starts: int = 0

    def __post_init__(self):
        self.data = self.folder / "farm"
        self.data.mkdir(exist_ok=True)
        self.environment = {
            "SHEEPFOLD_LEASE_TERM_S": str(TERM_S), "SHEEPFOLD_SILENT_LEASE_TERM_S": str(TERM_S),
            "SHEEPFOLD_SHEEPIT_LEASE_TERM_S": str(TERM_S), "SHEEPFOLD_SHEEPIT_MAX_PERIOD_S": str(TERM_S),
            "SHEEPFOLD_BROWSERSHOTS_LOCK_S": str(TERM_S), "SHEEPFOLD_BROWSERSHOTS_LOAD_LIMIT": "0",
            "SHEEPFOLD_SCREENSHOT_ALLOWED_RANGES": "127.0.0.0/8", "SHEEPFOLD_SCREENSHOT_OBEY_ROBOTS": "0",
            "SHEEPFOLD_INSPECTION_PROCESSES": "1",
            "SHEEPFOLD_RETRY_S": "1", "SHEEPFOLD_BPY_PYTHON": NOWHERE,
        } | ({"DATABASE_URL": self.database_url} if self.database_url else {}) | self.environment
        self.blobs_url = self.environment.get("BLOBS_URL", "")

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    @contextlib.contextmanager
    def farm(self):
        """Open the farm from here; as the command line does, also beside a server."""
        settings = Settings(data=self.data, database_url=self.database_url, blobs_url=self.blobs_url,
                            screenshot_allowed_ranges=("127.0.0.0/8",), screenshot_obey_robots=False)
        with open_farm(settings, verifiers) as opened:
            yield opened

    def start(self, *borders):
        """Start the server, armed to die at some borders."""
        self.starts += 1
        self.log = self.folder / f"serve-{self.port}-{self.starts}.log"
        argv = [sys.executable, LAUNCHER, *borders, "--", "serve", "--data", self.data, "--port", str(self.port)]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen([*map(str, argv), *self.words], env=CLEAN | self.environment, stderr=log)
        until = time.monotonic() + PATIENCE_S
        while b"listening=" not in self.log.read_bytes():
            status = self.process.poll()
            if status == -signal.SIGKILL:
                self.deaths += 1
                return self.start()
            assert status is None, self.log.read_text()
            assert time.monotonic() < until, self.log.read_text()
            time.sleep(0.02)
        return None

    def revive(self):
        """Start the server again if it has died of its border."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            status = self.process.wait(5)
            assert status == -signal.SIGKILL, self.log.read_text()
            self.deaths += 1
            self.start()

    def stop(self):
        """End the server as a person does."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            assert self.process.wait(PATIENCE_S) == 0, self.log.read_text()
        self.process = None

    def kill(self):
        self.process.kill()
        self.process.wait(30)

    def limit_files(self, size_bytes):
        """Let no file of the server grow beyond a size, as on a full disk; None lifts that."""
        limit = resource.RLIM_INFINITY if size_bytes is None else size_bytes
        resource.prlimit(self.process.pid, resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))

    def logs(self):
        return "".join(path.read_text() for path in sorted(self.folder.glob("serve-*.log")))

    def command(self, *words):
        """Run a command of the command line on the farm's folder."""
        argv = [sys.executable, "-m", "sheepfold", *map(str, words), "--data", str(self.data)]
        return subprocess.run(argv, env=CLEAN | self.environment, capture_output=True, text=True, timeout=120,
                              check=False)


@dataclass
class People:
    """Who is known on a farm: keys of two machines and of the one who ordered, and the jobs."""

    keys: list
    artist: str
    job: int


def furnish(house, frames, kind="flame", size=SIZE):
    """Make accounts, keys and a job."""
    return furnish_each(house, {kind: frames}, size)[kind]


def furnish_each(house, frames_of, size=SIZE):
    """Make accounts, keys, and a job of each of some kinds; returns by kind who is known and which job is theirs."""
    with house.farm() as farm, pytest.MonkeyPatch.context() as patch:
        patch.setenv("SHEEPFOLD_BPY_PYTHON", NOWHERE)  # projects are looked into here, not opened
        ann = add_account(farm, "ann", Role.ARTIST, "")
        add_account(farm, "vera", Role.VOLUNTEER, "")
        keys = [add_key(farm, "vera", f"box{number}").key for number in range(4)]
        artist = add_key(farm, "ann", "desk").key
        return {kind: People(keys, artist, order_job(farm, ann, order_of(farm, house.folder, kind, frames, size)).id)
                for kind, frames in frames_of.items()}


def order_of(farm, folder, kind, frames, size):
    """Return an order of some frames, after what the farm must have for it."""
    if kind == "flame":
        spec = {"frames": frames, "width": size[0], "height": size[1], "quality": 1, "temporal_samples": 1}
        return Order("flame", spec, {"genome": GENOMES / "r2.flam3"})
    if kind == "screenshot":
        widths = [NARROWEST + number for number in range(frames)]
        for width in widths:
            add_browser(farm, None, "box0", FIREFOX, "linux", Screen(width, NARROWEST, 24))
        return Order(kind, {"url": "http://127.0.0.1/page.html", "browsers": ["Firefox"], "widths": widths})
    add_local(farm, Target("4.5"))
    scene = folder / "scene.blend"
    scene.write_bytes(b"BLENDER-v402")
    return Order("blender", {"frames": f"1-{frames}", "width": size[0], "height": size[1]}, {"project": scene})


def checked(answer, *statuses):
    if answer.status_code == 503:
        raise NotNow(answer.text)
    assert answer.status_code in statuses, (answer.status_code, answer.text)
    return answer


class OverHttp:
    """A machine whose requests all go over one HTTP client."""

    http: httpx.Client

    def lead(self, order):
        """Do what must be done between the order and its picture; False where the order is lost."""
        return True

    def reroute(self, url):
        """Send what comes next to another address, each request on a connection of its own."""
        self.http.base_url = url + self.http.base_url.path
        self.http.headers["Connection"] = "close"


class Rest(OverHttp):
    """A machine with a session over REST."""

    def __init__(self, url, key):
        self.http = httpx.Client(base_url=url + rest.BASE, timeout=30, trust_env=False)
        asked = rest.SessionAsked(abilities=rest.Abilities.of(FLAMES))
        opened = checked(self.http.post("/sessions", json=asked.model_dump(mode="json"),
                                        headers={"Authorization": f"Bearer {key}"}), 201)
        self.http.headers["Authorization"] = f"Bearer {opened.json()['session']}"

    def claim(self):
        answer = checked(self.http.post("/leases"), 201, 204)
        return answer.json()["lease"] if answer.status_code == 201 else None

    def send(self, order, body):
        checked(self.http.put(f"/leases/{order}/result", content=body), 200)


class ElectricSheep(OverHttp):
    """A screensaver: all that it holds is its UID."""

    def __init__(self, url, key):
        self.http = httpx.Client(base_url=url, timeout=30, trust_env=False)
        self.uid = key[:16].upper()

    def claim(self):
        answer = checked(self.http.get(f"/cgi/get?n=&w=&v=LNX_2.7b12&u={self.uid}&r=1&c=1"), 200)
        order = electricsheep.decode_get_answer(answer.content)
        return order if isinstance(order, electricsheep.FrameOrder) else None

    def send(self, order, body):
        told = {"j": order.put_job, "id": order.sheep, "s": len(body), "g": order.generation, "v": "LNX_2.7b12",
                "u": self.uid}
        checked(self.http.put("/cgi/put", params=told, content=body), 200)


class SheepIt(OverHttp):
    """A SheepIt client of 2020, with a session."""

    def __init__(self, url, key):
        self.http = httpx.Client(base_url=url, timeout=30, trust_env=False)
        self.client = SheepItClient(self.http, "b", "vera", key)
        assert self.client.log_in().status == 0

    def claim(self):
        answer = self.client.ask()
        if answer.status == sheepit.JobStatus.OVERLOADED:
            raise NotNow
        return answer.job

    def send(self, order, body):
        status = self.client.send(order, body)
        if status == sheepit.ValidationStatus.UPLOAD_FAILED:
            raise NotNow
        assert status == 0


class Browsershots:
    """A screenshot factory: all that it holds is its name and its key; each call has a nonce of its own."""

    def __init__(self, url, key):
        self.url, self.link = url, BrowsershotsLink(url, "box0", key, "faults")

    def claim(self):
        return answered(self.link.claim, FLAMES)

    def lead(self, order):
        """Let the browser load the page through the redirect; False where the order has ended meanwhile."""
        redirect = browsershots.Redirect("box0", answered(self.link._encrypted), int(order.handle))
        asked = {"User-Agent": FIREFOX.user_agent, "Connection": "close"}
        answer = httpx.get(self.url + redirect.encode(), headers=asked, trust_env=False, timeout=30)
        return checked(answer, 302, 404, 409, 423).status_code == 302

    def reroute(self, url):
        self.url = self.link._url = url
        self.link._http.headers["Connection"] = "close"

    def send(self, order, body):
        with tempfile.NamedTemporaryFile() as file:
            file.write(body)
            file.flush()
            assert answered(self.link.submit, order, Path(file.name), Figures()) is Receipt.ACCEPTED


def answered(deed, *args):
    """Ask over our own worker's line; a broken one is told apart from a farm that says later."""
    try:
        return deed(*args)
    except FarmUnreachable as error:
        raise error.__cause__ if isinstance(error.__cause__, httpx.TransportError) else NotNow(str(error)) from None


def insisted(deed, *args):
    """Ask until there is an answer, as of a server that comes back by itself, or another in its place."""
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        try:
            return deed(*args)
        except (httpx.TransportError, NotNow):
            time.sleep(0.1)
    raise AssertionError("No answer, ever.")


MACHINES = {"rest": Rest, "electricsheep": ElectricSheep, "sheepit": SheepIt, "browsershots": Browsershots}
KIND_OF = {"rest": "flame", "electricsheep": "flame", "sheepit": "blender", "browsershots": "screenshot"}


@dataclass
class Crew:
    """A machine at work on a house that dies: what it was told it keeps, and what it sent it remembers."""

    house: House
    people: People
    protocol: str
    number: int = 0
    sent: list = field(default_factory=list)

    def __post_init__(self):
        self.machine = MACHINES[self.protocol](self.house.url, self.people.keys[self.number])

    def insist(self, deed, *args):
        """Ask until there is an answer, and start the server again where it has died."""
        for _ in range(60):
            try:
                return deed(*args)
            except httpx.TransportError:
                self.house.revive()
            except NotNow:
                time.sleep(0.2)
        raise AssertionError(f"No answer, ever. {self.house.log.read_text()[-3000:]}")

    def make_one(self):
        """Claim a task and send its picture; False where there was none."""
        return self.make_one_by(self.insist)

    def make_one_by(self, insist):
        """Do it by a way to insist."""
        order = insist(self.machine.claim)
        if order is None or not insist(self.machine.lead, order):
            time.sleep(0.2)
            return False
        insist(self.machine.send, order, self.painted(order))
        return True

    def painted(self, order):
        """Return a picture as an order wants it, and remember that it was sent."""
        size = (order.spec["widths"][0], NARROWEST) if self.protocol == "browsershots" else SIZE
        self.sent.append(picture(1000 * self.number + len(self.sent), size))
        return self.sent[-1]

    def work_until_it_dies(self):
        """Make pictures, and wait for all that is made of them; chores give way to others, however long that takes."""
        deaths = self.house.deaths
        for _ in range(ENOUGH):
            if self.house.deaths == deaths:
                self.make_one()
        while self.house.deaths == deaths:
            waiting = self.insist(self.look)["chores_waiting"]
            assert waiting or self.house.deaths > deaths, f"It did not die. {self.house.log.read_text()[-3000:]}"
            time.sleep(0.05)

    def finish(self, limit_s=2 * PATIENCE_S):
        """Work until the job is done and all that is made of it is made."""
        until = time.monotonic() + limit_s
        while (job := self.insist(self.look))["state"] != "done" or job["chores_waiting"]:
            assert time.monotonic() < until, self.house.log.read_text()[-3000:]
            if job["state"] == "done":  # who asked for work now might be held until there is some
                time.sleep(0.1)
            else:
                self.make_one()

    def is_done(self):
        return self.insist(self._is_done)

    def _is_done(self):
        job = self.look()
        return job["state"] == "done" and job["chores_waiting"] == 0

    def wait_for_chores(self):
        """Wait until nothing is left to be made of what was sent so far."""
        while self.insist(self.look)["chores_waiting"]:
            time.sleep(0.1)

    def look(self):
        """Return the job as its artist sees it."""
        return self._asked(f"/jobs/{self.people.job}").json()

    def fetch(self, product):
        """Fetch one of the things that the job was made into."""
        return self._asked(f"/jobs/{self.people.job}/products/{product}").content

    def picture(self):
        """Fetch the picture of the first task that is done."""
        tasks = self._asked(f"/jobs/{self.people.job}/tasks").json()["tasks"]
        done = next(task["id"] for task in tasks if task["state"] == "done")
        return self._asked(f"/tasks/{done}/picture").content

    def _asked(self, path):
        return checked(httpx.get(self.house.url + rest.BASE + path, trust_env=False, timeout=30,
                                 headers={"Authorization": f"Bearer {self.people.artist}"}), 200)


def reckon(house, sent, tasks):
    """Hold the farm to its laws: nothing that was accepted is lost, nothing is paid twice, and all agrees."""
    with house.farm() as farm:
        found = farm.db.read(lambda tx: [tuple(row) for row in tx.execute(text(
            "SELECT r.id, r.task_id, r.digest, r.verdict, (SELECT count(*) FROM ledger g WHERE g.result_id = r.id)"
            " FROM results r ORDER BY r.id"))])
        by_digest = {digest: (result, verdict, paid) for result, _, digest, verdict, paid in found}
        for body in sent:
            digest = hashlib.sha256(body).hexdigest()
            assert by_digest[digest][1:] == ("valid", 1), found
            assert b"".join(farm.blobs.open_stream(Digest(digest))) == body
        assert len(found) == len(sent), found
        assert len({task for _, task, *_ in found}) == tasks
        assert list(check(farm, read_blobs=True)) == []
    assert " ERROR " not in house.logs(), house.logs()[-5000:]


def assert_check_is_content(house):
    ended = house.command("check", "--read-blobs")
    assert (ended.returncode, ended.stdout.splitlines()[-1]) == (0, "All is well."), ended.stdout + ended.stderr


def chores_waiting(house):
    """Return the chores that are not done, with how often each was begun."""
    query = "SELECT what || ' ' || attempts FROM chores WHERE state = 'queued' ORDER BY id"
    with house.farm() as farm:
        return [row[0] for row in farm.db.look(lambda tx: tx.execute(text(query)).all())]
