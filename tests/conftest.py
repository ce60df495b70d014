"""What all tests share: a clock moved by hand, a fresh database of each sort for each test, and a farm on it."""

import io
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from PIL import Image
from tests.serving import free_port

from sheepfold.blobs.spool import Spool, Spooled
from sheepfold.config import Settings
from sheepfold.farm.accounts import add_account
from sheepfold.farm.browse import purses, story
from sheepfold.farm.checkup import check
from sheepfold.farm.chores import do_next_chore
from sheepfold.farm.dispatch import Assignment, Maker, claim_task, held_lease, maker_named
from sheepfold.farm.farm import Farm, open_farm
from sheepfold.farm.intake import Receipt, submit_result
from sheepfold.farm.orders import Order, order_job
from sheepfold.kinds.inspector import Inspector
from sheepfold.model.accounts import Account, Role
from sheepfold.model.jobs import Job, Terms
from sheepfold.model.matching import Abilities, Program
from sheepfold.model.tasks import Task, TaskId
from sheepfold.store.database import Database
from sheepfold.store.leases import Holding
from sheepfold.store.opening import open_database

# A busy machine is no failure. `make test` draws the same examples each time, and so fails only by what was changed;
# `make test-all` draws others each time, and more (pytest's --hypothesis-profile).
UNHURRIED = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
hypothesis_settings.register_profile("steady", derandomize=True, **UNHURRIED)
hypothesis_settings.register_profile("thorough", max_examples=300, print_blob=True, **UNHURRIED)
hypothesis_settings.load_profile("steady")

GENOMES = Path(__file__).parent / "genomes"
WIDTH, HEIGHT = 320, 240
"""The first view of an order of screenshots; each further one is a pixel wider."""
TERM_S = 600
ABLE = Abilities(
    kinds=frozenset({"screenshot", "flame"}),
    renderers=frozenset({Program("flam3", "3.1.1")}),
    browsers=frozenset({Program("Firefox", "128.0.3")}),
    memory_mib=8192,
)
DATABASES = ("sqlite", "postgresql")
PAGE = "http://127.0.0.1/"
ANY_SITE: dict[str, Any] = {
    "screenshot_allowed_ranges": ("127.0.0.0/8",), "screenshot_obey_robots": False, "screenshot_site_limit": 0,
    "screenshot_domain_limit": 0, "screenshot_account_limit": 0,
}  # fmt: skip
"""Settings under which PAGE may be ordered as often as one likes, and nothing is asked of any network."""


@dataclass
class Clock:
    """A farm's clock, moved by hand."""

    now: int = 2_100_000_000  # in 2036: the files that tests write are older

    def __call__(self) -> int:
        return self.now

    def advance(self, seconds: int) -> int:
        """Let time pass; returns what time it is then."""
        self.now += seconds
        return self.now


@dataclass
class PostgresServer:
    """A PostgreSQL of these tests' own, with a database in it that is migrated already."""

    port: int
    folder: Path = Path()
    """Where its socket lies, if it has one."""
    numbers: Iterator[int] = field(default_factory=count)

    def url(self, database: str) -> str:
        """Return the address of a database."""
        return f"postgresql://sheepfold@127.0.0.1:{self.port}/{database}"

    def execute(self, statement: str) -> list[tuple[object, ...]]:
        """Run a statement of administration outside of any transaction; returns what it answers."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def create(self, template: str = "migrated") -> str:
        """Make a new database and return its name."""
        name = f"test_{next(self.numbers)}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")  # four times as fast here
        return name

    def drop(self, name: str) -> None:
        """Remove a database, whoever still looks into it."""
        self.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


@pytest.fixture(scope="module", autouse=True)
def environment_is_left() -> Iterator[None]:
    """See that the tests of a module leave the process's environment as they found it: others run in it after them."""
    found = environment()
    yield
    assert environment() == found


def environment() -> dict[str, str]:
    """Return the environment without what pytest keeps there, and OpenImageIO as soon as it is imported."""
    own = ("PYTEST_", "OpenImageIO_")
    return {name: value for name, value in os.environ.items() if not name.startswith(own)}


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """Start Debian's PostgreSQL in a folder of its own, unsafe and fast; end it with the tests."""
    with new_postgres() as server:
        yield server


@contextmanager
def new_postgres(*flags: str, **options: str) -> Iterator[PostgresServer]:
    """Run a PostgreSQL of its own until the block ends: flags are those of `initdb`, options the server's."""
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not programs:
        pytest.skip("There is no PostgreSQL here; Debian has it in the package postgresql.")
    user = "postgres" if os.getuid() == 0 else None  # PostgreSQL refuses to run as root
    with swept_folder("sheepfold-postgres-") as folder:
        if user:
            os.chown(folder, pwd.getpwnam(user).pw_uid, -1)
        with _running(programs[-1].parent, folder, user, flags, options) as server:
            yield server


BROOM = """
cat
while [ -e "$0/data/postmaster.pid" ] && [ "${n:=0}" -lt 300 ]; do sleep 0.1; n=$((n + 1)); done
rm -rf "$0"
"""


@contextmanager
def swept_folder(prefix: str) -> Iterator[Path]:
    """Make a folder that goes with the block, and where the tests are killed within it, too: a broom hears of that."""
    folder = Path(tempfile.mkdtemp(prefix=prefix))
    broom = subprocess.Popen(["sh", "-c", BROOM, folder], stdin=subprocess.PIPE, start_new_session=True)
    try:
        yield folder
    finally:
        broom.communicate()


class _running:  # noqa: N801 - reads as a verb
    """Run a new PostgreSQL server until the block ends."""

    def __init__(self, programs: Path, folder: Path, user: str | None, flags: Sequence[str],
                 options: Mapping[str, str]) -> None:  # fmt: skip
        subprocess.run(
            [programs / "initdb", "-D", folder / "data", "-U", "sheepfold", "-A", "trust", "-E", "UTF8", "--no-sync",
             *flags],
            user=user, cwd=folder, env={"LC_ALL": "C.UTF-8"}, check=True, capture_output=True,
        )  # fmt: skip
        port = free_port()
        usual = {
            "listen_addresses": "127.0.0.1", "port": port, "unix_socket_directories": str(folder), "fsync": "off",
            "synchronous_commit": "off", "full_page_writes": "off", "shared_buffers": "32MB", "max_connections": 100,
            "deadlock_timeout": "50ms", "autovacuum": "off",
        }  # fmt: skip
        argv = ["setpriv", "--pdeathsig", "INT"]  # so that it ends with the tests even when they are killed
        argv += [programs / "postgres", "-D", folder / "data"]
        argv += [f"--{name}={value}" for name, value in (usual | options).items()]
        with (folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                argv, user=user, cwd=folder, env={"LC_ALL": "C.UTF-8"}, stdout=log, stderr=log, start_new_session=True
            )
        self._log = folder / "log"
        self.server = PostgresServer(port, folder)

    def __enter__(self) -> PostgresServer:
        try:
            self._await()
            self.server.execute("CREATE DATABASE migrated")
            open_database(self.server.url("migrated"), Path()).close()
        except BaseException:
            self.__exit__()
            raise
        return self.server

    def __exit__(self, *_: object) -> None:
        self._process.send_signal(signal.SIGINT)  # "fast": it does not wait for clients to leave
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _await(self) -> None:
        while self._process.poll() is None:
            try:
                psycopg.connect(self.server.url("postgres"), connect_timeout=5).close()
            except psycopg.OperationalError:
                time.sleep(0.02)
            else:
                return
        raise RuntimeError(f"PostgreSQL ended: {self._log.read_text('utf-8')}")


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a SQLite file that is migrated already, to be copied."""
    folder = tmp_path_factory.mktemp("migrated")
    open_database("", folder).close()
    assert not (folder / "farm.sqlite-wal").exists()
    return folder / "farm.sqlite"


@pytest.fixture(scope="session")
def new_folder(migrated_sqlite: Path) -> Callable[[Path], Path]:
    """Make a farm's folder with its database in it: to migrate one takes ten times as long as to copy it."""

    def made(folder: Path) -> Path:
        folder.mkdir(mode=0o700, parents=True)
        shutil.copy(migrated_sqlite, folder / "farm.sqlite")
        return folder

    return made


@pytest.fixture(params=DATABASES)
def dialect(request: pytest.FixtureRequest) -> str:
    """Name the database that a test runs on; each test that asks for one runs on both."""
    return str(request.param)


@pytest.fixture
def database_url(dialect: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Return the address of a migrated database that nobody has used yet."""
    with new_database(dialect, request, tmp_path) as url:
        yield url


class new_database:  # noqa: N801 - reads as a noun with a block
    """A migrated database until the block ends, for fixtures that live longer than a test."""

    def __init__(self, dialect: str, request: pytest.FixtureRequest, folder: Path) -> None:
        self._server: PostgresServer | None = None
        if dialect == "postgresql":
            self._server = request.getfixturevalue("postgres_server")
            self._name = self._server.create()
            self.url = self._server.url(self._name)
        else:
            shutil.copy(request.getfixturevalue("migrated_sqlite"), folder / "farm.sqlite")
            self.url = f"sqlite:///{folder / 'farm.sqlite'}"

    def __enter__(self) -> str:
        return self.url

    def __exit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.drop(self._name)


@pytest.fixture
def db(database_url: str, tmp_path: Path) -> Iterator[Database]:
    """Open a fresh database."""
    opened = open_database(database_url, tmp_path)
    yield opened
    opened.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="session")
def shared_inspector() -> Iterator[Inspector]:
    """Keep one inspection process for all farms, since a new one imports numpy for a second."""
    with Inspector(1, deadline_s=60) as inspector:
        yield inspector


def backwards(key: str, account: str) -> list[tuple[str, str]]:
    """Verify a key as no wire does, by account and key read backwards."""
    return [("backwards", account + key[::-1])]


@pytest.fixture
def farm(database_url: str, tmp_path: Path, clock: Clock, shared_inspector: Inspector) -> Iterator[Farm]:
    """Open a real farm on a fresh database, with its clock in our hands."""
    settings = Settings(data=tmp_path / "data", database_url=database_url, result_limit_bytes=2**20, **ANY_SITE)
    with open_farm(settings, backwards, clock, shared_inspector) as opened:
        yield opened


def balances(farm: Farm) -> dict[str, int]:
    """Return what each account has earned, by name."""
    return {name: purse.earned for name, purse in purses(farm).items()}


@dataclass
class World:
    """A farm with people and machines around it."""

    farm: Farm
    clock: Clock
    folder: Path

    def account(self, name: str, role: Role = Role.ARTIST) -> Account:
        """Return the account of a name, added where it is new."""
        known = next((account for account in self._accounts if account.name == name), None)
        if known is None:
            known = add_account(self.farm, name, role, "")
            self._accounts.append(known)
        return known

    def __post_init__(self) -> None:
        self._accounts: list[Account] = []

    def maker(self, machine: str, account: str = "", protocol: str = "rest") -> Maker:
        """Return a machine as a maker, of an account of its own unless one is named."""
        owner = self.account(account or f"{machine}-owner", Role.VOLUNTEER)
        return maker_named(self.farm, owner.id, machine, protocol)

    def order(self, frames: int = 1, account: str = "ann", terms: Terms | None = None, **spec: object) -> Job:
        """Order screenshots, whose split costs no process and whose pictures we paint."""
        widths = list(range(WIDTH, WIDTH + frames))
        views = {"url": PAGE, "browsers": ["Firefox"], "widths": widths} | spec
        order = Order("screenshot", views, title="a test", terms=terms or Terms())
        return order_job(self.farm, self.account(account), order)

    def flame(self, genome: str = "r2", account: str = "ann", second: str = "", **spec: object) -> Job:
        """Order real flame frames of a real genome."""
        tiny = {"frames": 2, "width": 64, "height": 48, "quality": 1, "temporal_samples": 1} | spec
        inputs = {"genome": GENOMES / f"{genome}.flam3"}
        if second:
            inputs["genome2"] = GENOMES / f"{second}.flam3"
        return order_job(self.farm, self.account(account), Order("flame", tiny, inputs))

    def claim(self, maker: Maker, abilities: Abilities = ABLE, term_s: int = TERM_S) -> Assignment | None:
        """Claim a task."""
        return claim_task(self.farm, maker, abilities, term_s)

    def held(self, maker: Maker, term_s: int = TERM_S) -> Holding:
        """Claim a task that must be there; returns its lease."""
        assignment = self.claim(maker, term_s=term_s)
        assert assignment is not None
        return held_lease(self.farm, maker, assignment.lease_id)

    def send(self, held: Holding, body: bytes) -> Receipt:
        """Upload a result."""
        with self.spooled(body) as spool:
            return submit_result(self.farm, held, spool.finish(), {"seconds": 1})

    def spooled(self, body: bytes) -> Spool:
        """Return an upload in its spool file, which is removed when the block ends."""
        spool = Spool(self.farm.spool_folder, len(body))
        spool.write(body)
        return spool

    def uploaded(self, body: bytes) -> Spooled:
        """Return an upload whose spool file stays."""
        return self.spooled(body).release()

    def make_all(self, maker: Maker, first: int = 0) -> int:
        """Have a machine make all that is open for it; returns how many pictures it sent, from number `first` on."""
        sent = 0
        while (assignment := self.claim(maker)) is not None:
            size = (assignment.job.spec.get("width", WIDTH + assignment.frame), assignment.job.spec["height"] or HEIGHT)
            self.send(held_lease(self.farm, maker, assignment.lease_id), picture(first + assignment.frame, size))
            sent += 1
        return sent

    def do_chores(self) -> int:
        """Have the house do its chores; returns how many."""
        with ThreadPoolExecutor(1) as executor:
            return sum(1 for _ in iter(lambda: do_next_chore(self.farm, executor), False))

    def task(self, task_id: TaskId) -> Task:
        """Return a task whole."""
        return story(self.farm, task_id).task

    def findings(self) -> list[str]:
        """Return what the check-up finds, a line each; none in a healthy farm."""
        return [f"{finding.invariant}: {finding.what}" for finding in check(self.farm, read_blobs=True)]


@pytest.fixture
def world(farm: Farm, clock: Clock, tmp_path: Path) -> World:
    return World(farm, clock, tmp_path)


def picture(seed: int = 0, size: tuple[int, int] = (WIDTH, HEIGHT)) -> bytes:
    """Paint noise in greys: a PNG that no two seeds share and that is not blank."""
    return encoded(Image.fromarray(np.random.default_rng(seed).integers(0, 256, size[::-1], dtype=np.uint8)))


def blank(shade: int = 0, size: tuple[int, int] = (WIDTH, HEIGHT)) -> bytes:
    """Paint a picture of a single shade."""
    return encoded(Image.new("L", size, shade))


def encoded(image: Image.Image, compression: int = 6) -> bytes:
    """Return a picture as PNG; other compressions are other bytes of the same pixels."""
    target = io.BytesIO()
    image.save(target, "PNG", compress_level=compression)
    return target.getvalue()


def anew(body: bytes) -> bytes:
    """Return the same pixels in other bytes."""
    again = encoded(Image.open(io.BytesIO(body)), compression=1)
    assert again != body
    return again


def in_threads(count_: int, deed: Callable[[int], object]) -> Sequence[object]:
    """Run a deed in some threads at once, each told its number; returns their answers or raises what one raised."""
    with ThreadPoolExecutor(count_) as pool:
        return list(pool.map(deed, range(count_)))
