"""An upgrade of a farm at work: the code before the newest migration goes on when today's code has migrated."""

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil
import pytest
from sqlalchemy import create_engine, text
from tests.commands import run_apart
from tests.conftest import GENOMES, in_threads
from tests.faults.ground import PATIENCE_S, Crew, House, People, assert_check_is_content, reckon
from tests.serving import CLEAN

from sheepfold.store.migrations.revisions import newest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

ROOT = Path(__file__).parents[2]
VERSIONS = Path("src/sheepfold/store/migrations/versions")
FRAMES = 12
AT_EASE = {"SHEEPFOLD_LEASE_TERM_S": "7200", "SHEEPFOLD_SILENT_LEASE_TERM_S": "7200", "SHEEPFOLD_SIGN_UP": "open"}
"""Settings under which no lease expires, however long a machine stalls, and everybody may have an account."""


def git(*words: object) -> str:
    """Ask git about this clone; skips the test where there is none."""
    if shutil.which("git") is None:
        pytest.skip("There is no git here.")
    asked = subprocess.run(["git", "-C", ROOT, *map(str, words)], capture_output=True, text=True, check=False)
    if asked.returncode:
        pytest.skip(f"This is no clone that git reads: {asked.stderr.strip()}")
    return asked.stdout.strip()


@pytest.fixture(scope="session")
def older(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the sources as they were before the newest migration was added, from this clone's history."""
    if Path(git("rev-parse", "--show-toplevel")) != ROOT:
        pytest.skip("This is no clone of its own.")
    if git("rev-parse", "--is-shallow-repository") == "true":
        pytest.skip("This clone is shallow: it lacks what was before the newest migration.")
    [migration] = (ROOT / VERSIONS).glob(f"{newest()}_*.py")
    added = git("log", "-1", "--diff-filter=A", "--format=%H", "--", migration)
    folder = tmp_path_factory.mktemp("older")
    git("archive", f"--output={folder / 'src.tar'}", f"{added}^1" if added else "HEAD", "src")
    subprocess.run(["tar", "-xf", folder / "src.tar", "-C", folder], check=True)
    return folder / "src"


@pytest.fixture
def address(dialect: str, request: pytest.FixtureRequest) -> Iterator[str]:
    """Return the address of an empty database; none for SQLite, which makes its own in the farm's folder."""
    if dialect == "sqlite":
        yield ""
        return
    server = request.getfixturevalue("postgres_server")
    name = server.create("template1")
    yield server.url(name)
    server.drop(name)


@dataclass
class Site:
    """A farm with a server of the older code and one of today's, of which any number may be at work."""

    older: House
    newer: House
    people: People = field(init=False)

    def told(self, house: House, *words: object, said: str = "") -> str:
        """Return what a command of a house's code prints."""
        ended = run_apart(*words, "--data", house.data, said=said, environment=CLEAN | house.environment)
        assert ended.status == 0, ended.err
        return ended.out

    def furnish(self) -> None:
        """Have the older code make accounts, keys and an order."""
        for name, role in (("ann", "artist"), ("vera", "volunteer")):
            self.told(self.older, "account", "add", name, "--role", role, "--password-stdin", said="eleven sheep\n")
        keys = [self.told(self.older, "key", "add", "vera", f"box{number}", "--bare").strip() for number in range(3)]
        artist = self.told(self.older, "key", "add", "ann", "desk", "--bare").strip()
        self.people = People(keys, artist, self.order())

    def order(self) -> int:
        """Order a loop by the older code; returns the job's number."""
        told = self.told(self.older, "order", "flame", GENOMES / "r2.flam3", "--frames", FRAMES, "--size", "64x48",
                         "--quality", 1, "--account", "ann", "--json")
        return json.loads(told)["id"]

    def revision(self) -> str:
        """Return the revision of the schema, whatever code knows it."""
        url = self.older.database_url.replace("postgresql://", "postgresql+psycopg://")
        engine = create_engine(url or f"sqlite:///{self.older.data / 'farm.sqlite'}")
        with engine.connect() as connection:
            found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one()
        engine.dispose()
        return found


@pytest.fixture
def site(older: Path, address: str, tmp_path: Path) -> Iterator[Site]:
    """Give a farm that the older code has made, and its servers, none of which serves yet."""
    houses = [House(tmp_path, address, AT_EASE | more, words=("--processes", "2"))
              for more in ({"PYTHONPATH": str(older)}, {})]
    made = Site(*houses)
    found = subprocess.run([sys.executable, "-c", "import sheepfold.app; print(sheepfold.app.__file__)"], text=True,
                           env=CLEAN | made.older.environment, capture_output=True, check=True)
    assert Path(found.stdout.strip()).is_relative_to(older)
    made.furnish()
    yield made
    for house in houses:
        if house.process is not None and house.process.poll() is None:
            house.kill()


def until(is_so: Callable[[], bool], house: House) -> None:
    ends_at = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < ends_at, house.log.read_text()
        time.sleep(0.05)


def begun(house: House) -> int:
    return house.log.read_text().count("Started server process")


def start(house: House) -> None:
    house.start()
    until(lambda: begun(house) == 2, house)


def make(crew: Crew, count: int) -> None:
    """Have a machine make so many pictures."""
    wanted = len(crew.sent) + count
    until(lambda: bool(crew.make_one()) and len(crew.sent) == wanted, crew.house)


def lose_a_process(house: House) -> None:
    """Kill one of a server's processes, and wait until another is there for it."""
    count = begun(house)
    children = psutil.Process(house.process.pid).children()
    [*_, victim] = [child for child in children if not any("resource_tracker" in word for word in child.cmdline())]
    victim.kill()
    until(lambda: begun(house) == count + 1, house)


def sign_up_and_vote(site: Site, house: House, name: str, sheep: int) -> None:
    """Make an account on a server's pages and vote with it there, over REST, and as a screensaver."""
    with httpx.Client(base_url=house.url, headers={"Origin": house.url}, timeout=60, trust_env=False) as http:
        made = http.post("/sign-up", data={"name": name, "password": "twelve sheep"})
        assert (made.status_code, "sheepfold_web" in http.cookies) == (303, True), made.text
        assert http.post(f"/flock/1/{sheep}/vote", data={"value": "1"}).status_code == 303
        key = {"Authorization": f"Bearer {site.people.artist}"}
        assert http.post(f"/api/v1/flock/{sheep}/votes", headers=key, json={"value": 1}).status_code == 204
        assert http.get(f"/cgi/vote.cgi?id={sheep}&vote=1&u={name.upper().encode().hex().upper()}").status_code == 200


def rating(site: Site, house: House, sheep: int) -> int:
    found = httpx.get(f"{house.url}/api/v1/flock/1/{sheep}", timeout=60, trust_env=False,
                      headers={"Authorization": f"Bearer {site.people.artist}"})
    assert found.status_code == 200, found.text
    return found.json()["sheep"]["rating"]


def test_older_code_works_on_while_the_schema_is_upgraded_and_starts_anew_and_beside_today_s(site: Site, older: Path):
    before = max(path.name[:4] for path in (older.parent / VERSIONS).glob("[0-9]*.py"))
    assert site.revision() == before < newest()
    start(site.older)
    crews = [Crew(site.older, site.people, "rest", 0), Crew(site.older, site.people, "electricsheep", 1)]
    for crew in crews:
        make(crew, 2)
    sign_up_and_vote(site, site.older, "abe", 1)

    site.told(site.newer, "account", "list")  # migrates
    assert site.revision() == newest()
    for crew in crews:
        make(crew, 1)
    sign_up_and_vote(site, site.older, "bea", 1)
    assert rating(site, site.older, 1) == 5  # ann is one and the same
    lose_a_process(site.older)
    site.older.stop()
    assert_check_is_content(site.older)
    start(site.older)
    assert "brought up to date by a newer release" in site.older.log.read_text()
    for crew in crews:
        make(crew, 1)
    jobs = [site.people.job, site.order()]

    start(site.newer)
    crews += [Crew(site.newer, People(site.people.keys, site.people.artist, jobs[1]), "electricsheep", 2)]
    for crew in crews:
        make(crew, 1)
    sign_up_and_vote(site, site.newer, "cid", 1)
    sign_up_and_vote(site, site.older, "dot", 2)
    assert [rating(site, house, sheep) for house in (site.older, site.newer) for sheep in (1, 2)] == [7, 3] * 2
    in_threads(len(crews), lambda number: crews[number].finish())
    for crew in crews[:2]:
        crew.people = crews[2].people
        crew.finish()
    assert_check_is_content(site.older)
    site.older.stop()
    site.newer.stop()
    assert_check_is_content(site.newer)
    reckon(site.newer, [body for crew in crews for body in crew.sent], len(jobs) * FRAMES)
    assert "brought up to date" not in site.newer.log.read_text()
