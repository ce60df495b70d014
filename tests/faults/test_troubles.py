"""What goes wrong around the server: its database, its blobs, its disk, its clock, the network."""

import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import httpx
import psutil
import psycopg
import pytest
from tests import disks
from tests.conftest import PostgresServer, picture, swept_folder
from tests.faults.ground import (
    KIND_OF,
    PATIENCE_S,
    SIZE,
    Crew,
    NotNow,
    assert_check_is_content,
    chores_waiting,
    furnish,
    insisted,
    reckon,
)
from tests.faults.proxy import TRICKS, Gate, Proxy
from tests.serving import free_port

FRAMES = 4
pytestmark = pytest.mark.timeout(900)


def settled(house, crew, frames=FRAMES, limit_s=2 * PATIENCE_S):
    crew.finish(limit_s)
    house.stop()
    reckon(house, crew.sent, frames)
    assert_check_is_content(house)


# --- the database


class Cluster:
    """A PostgreSQL of a test's own that keeps what it said it keeps, to be stopped and started."""

    def __init__(self, folder, *words):
        self._programs = max(Path("/usr/lib/postgresql").glob("*/bin/initdb")).parent
        self._user = "postgres" if os.getuid() == 0 else None
        self._data, self.port, self._process = folder / "data", free_port(), None
        if self._user:
            shutil.chown(folder, self._user)
        self._run("initdb", "-D", self._data, "-U", "sheepfold", "-A", "trust", "-E", "UTF8", "--no-sync", *words)

    def _run(self, program, *words):
        subprocess.run([self._programs / program, *words], user=self._user, cwd="/", check=True, capture_output=True)

    def start(self):
        argv = ["setpriv", "--pdeathsig", "INT", self._programs / "postgres", "-D", self._data, f"--port={self.port}",
                "--listen_addresses=127.0.0.1", "--unix_socket_directories="]
        self._process = subprocess.Popen(argv, user=self._user, cwd="/", start_new_session=True,
                                         stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until = time.monotonic() + PATIENCE_S
        while True:
            try:
                return psycopg.connect(PostgresServer(self.port).url("postgres"), connect_timeout=5).close()
            except psycopg.OperationalError:
                assert time.monotonic() < until
                time.sleep(0.05)

    def start_again(self):
        """Start it if it has ended, as its supervisor does."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(5)
            self.start()

    def stop(self, sign=signal.SIGQUIT):
        """Stop at once, as a crash does: with SIGQUIT nothing is written any more."""
        if self._process is not None:
            self._process.send_signal(sign)
            self._process.wait(60)
            self._process = None


@pytest.fixture
def cluster():
    if not list(Path("/usr/lib/postgresql").glob("*/bin/initdb")):
        pytest.skip("There is no PostgreSQL here; Debian has it in the package postgresql.")
    with swept_folder("sheepfold-cluster-") as folder:  # where PostgreSQL's own user can go
        made = Cluster(folder)
        made.start()
        PostgresServer(made.port).execute("CREATE DATABASE farm")
        yield made
        made.stop()


@pytest.mark.parametrize("protocol", ["rest", *(pytest.param(other, marks=pytest.mark.slow) for other in KIND_OF
                                                if other != "rest")])
def test_a_database_that_crashes_and_comes_back_has_lost_nothing(build, cluster, protocol):
    house = build()
    house.database_url = PostgresServer(cluster.port).url("farm")
    house.environment["DATABASE_URL"] = house.database_url
    people = furnish(house, FRAMES, KIND_OF[protocol])
    house.start()
    crew = Crew(house, people, protocol)
    crew.make_one()
    order = crew.machine.claim()
    assert crew.machine.lead(order)
    body = crew.painted(order)
    cluster.stop()
    for deed in (crew.machine.claim, lambda: crew.machine.send(order, body)):
        with pytest.raises(NotNow):
            deed()
    cluster.start()
    crew.insist(crew.machine.send, order, body)
    settled(house, crew)


# --- blobs


@contextlib.contextmanager
def s3(port):
    argv = [str(Path(sys.prefix) / "bin" / "moto_server"), "-H", "127.0.0.1", "-p", str(port)]
    process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(300):
            with contextlib.suppress(OSError), socket_to(port):
                break
            time.sleep(0.1)
        yield process
    finally:
        process.send_signal(signal.SIGCONT)
        process.terminate()
        process.wait(30)


def socket_to(port):
    import socket
    return socket.create_connection(("127.0.0.1", port), timeout=1)


@pytest.mark.slow
def test_a_store_of_blobs_that_goes_away_and_comes_back_has_lost_nothing(build, monkeypatch):
    port = free_port()
    keys = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}
    for name, value in keys.items():
        monkeypatch.setenv(name, value)
    with s3(port):
        httpx.put(f"http://127.0.0.1:{port}/farm", trust_env=False).raise_for_status()
        house = build(environment=keys | {"BLOBS_URL": f"s3://farm/x?endpoint=http://127.0.0.1:{port}&region=us-east-1"})
        people = furnish(house, FRAMES)
        house.start()
        crew = Crew(house, people, "rest")
        crew.make_one()
        order = crew.machine.claim()
        body = picture(77, SIZE)
        crew.machine.http.timeout = 5
        with silenced(port), pytest.raises((NotNow, httpx.ReadTimeout)):
            crew.machine.send(order, body)
        crew.machine.http.timeout = 60
        crew.sent.append(body)
        crew.insist(crew.machine.send, order, body)
        settled(house, crew)


@pytest.mark.slow
@pytest.mark.parametrize("protocol", KIND_OF)
def test_a_store_of_blobs_that_refuses_connections_is_waited_for(build, monkeypatch, protocol):
    port, keys = free_port(), {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}
    for name, value in keys.items():
        monkeypatch.setenv(name, value)
    with s3(port), Gate(port).used() as gate:
        httpx.put(f"http://127.0.0.1:{port}/farm", trust_env=False).raise_for_status()
        house = build(words=("--no-house",), environment=keys | {
            "BLOBS_URL": f"s3://farm/x?endpoint=http://127.0.0.1:{gate.port}&region=us-east-1"})
        people = furnish(house, FRAMES, KIND_OF[protocol])
        house.start()
        crew = Crew(house, people, protocol)
        while len(crew.sent) < FRAMES - 1:
            crew.make_one()
        order = insisted(crew.machine.claim)
        assert insisted(crew.machine.lead, order)
        body = crew.painted(order)
        gate.shut()
        for deed in (lambda: crew.machine.send(order, body), crew.picture):
            with pytest.raises(NotNow):
                deed()
        gate.open()
        crew.insist(crew.machine.send, order, body)
        house.stop()
        gate.shut()
        house.words = ()
        house.start()
        until = time.monotonic() + PATIENCE_S
        while house.log.read_text().count("chores=waiting") < 2:
            assert time.monotonic() < until, house.log.read_text()[-3000:]
            time.sleep(0.1)
        assert [chore.split()[0] for chore in chores_waiting(house)] == [*["preview"] * FRAMES, "assemble"]
        gate.open()
        settled(house, crew)


@contextlib.contextmanager
def silenced(port):
    """Stop the store's process for a while: it takes connections and says nothing."""
    listening = subprocess.run(["ss", "-ltnpH", f"sport = :{port}"], capture_output=True, text=True, check=True).stdout
    pid = int(listening.split("pid=")[1].split(",")[0])
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


# --- the disk


def test_a_full_disk_is_an_answer_to_try_again_and_loses_nothing(build):
    house = build()
    people = furnish(house, FRAMES)
    house.start()
    crew = Crew(house, people, "rest")
    crew.make_one()
    crew.wait_for_chores()  # a process that chores start on a full disk would never see it emptied
    order = crew.machine.claim()
    body = picture(5, SIZE)
    for limit_bytes in (0, len(body) // 2, len(body) + 100):  # the spool, its middle, then the database's log
        house.limit_files(limit_bytes)
        with pytest.raises(NotNow):
            crew.machine.send(order, body)
    with pytest.raises(NotNow):
        crew.machine.claim()
    house.limit_files(None)
    crew.sent.append(body)
    crew.insist(crew.machine.send, order, body)
    settled(house, crew)
    assert [path for path in (house.data / "spool").iterdir() if path.is_file()] == []


@pytest.fixture
def small_disk():
    """A disk of PostgreSQL's own, so small that a test can fill it."""
    with tempfile.TemporaryDirectory(prefix="sheepfold-disk-") as name, disks.small_disk(Path(name), "160m") as folder:
        yield folder


@contextlib.contextmanager
def refused(crew, folder, frames):
    """Have a machine make pictures on a full disk until it is told to try again; it does so when the block has ended,
    in which there is room again. What still fits into pages that there are is taken before.
    """
    order, taken, before = None, 0, len(crew.sent)
    with filled(folder), contextlib.suppress(NotNow):
        while taken < frames:
            order = crew.machine.claim()
            assert crew.machine.lead(order)
            crew.machine.send(order, crew.painted(order))
            taken += 1
    assert taken < frames
    yield
    if len(crew.sent) > before + taken:
        crew.insist(crew.machine.send, order, crew.sent[-1])


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("protocol", KIND_OF)
def test_a_full_disk_of_postgresql_is_an_answer_to_try_again_and_loses_nothing(build, small_disk, protocol):
    frames, house, cluster = 60, build(), Cluster(small_disk, "--wal-segsize=1")
    cluster.start()
    try:
        PostgresServer(cluster.port).execute("CREATE DATABASE farm")
        house.database_url = house.environment["DATABASE_URL"] = PostgresServer(cluster.port).url("farm")
        people = furnish(house, frames, KIND_OF[protocol])
        house.start()
        crew = Crew(house, people, protocol)
        crew.make_one()
        crew.wait_for_chores()
        with refused(crew, small_disk, frames):
            cluster.start_again()
        settled(house, crew, frames)
    finally:
        cluster.stop()


@pytest.mark.slow
@pytest.mark.parametrize("protocol", KIND_OF)
@pytest.mark.parametrize("place", ["spool", "blobs", "."])
def test_a_disk_without_room_is_an_answer_to_try_again_and_loses_nothing(build, place, protocol):
    frames, house = 40, build()
    with contextlib.ExitStack() as mounted:
        for folder in (house.data, house.data / "spool", house.data / "blobs"):  # each on a disk of its own
            folder.mkdir(exist_ok=True)
            mounted.enter_context(disks.small_disk(folder, "64m"))
        people = furnish(house, frames, KIND_OF[protocol])
        house.start()
        crew = Crew(house, people, protocol)
        crew.make_one()
        crew.wait_for_chores()
        with refused(crew, house.data / place, frames):
            pass
        settled(house, crew, frames)
        assert [path for path in (house.data / "spool").iterdir() if path.is_file()] == []


@contextlib.contextmanager
def filled(folder):
    """Leave no room on a disk."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(65536))
    try:
        yield
    finally:
        ballast.unlink()


# --- the end


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_server_that_is_to_end_leaves_a_long_chore_to_the_next(build):
    frames, size = 24, (1920, 1080)
    house = build()
    people = furnish(house, frames, size=size)
    house.start()
    crew = Crew(house, people, "rest")
    for _ in range(frames):
        order = crew.machine.claim()
        crew.sent.append(picture(len(crew.sent), size))
        crew.machine.send(order, crew.sent[-1])
    while chores_waiting(house) != ["assemble 1"]:  # noise of this size is a film of some seconds' work at least
        time.sleep(0.3)
    house.stop()
    assert chores_waiting(house) == ["assemble 0"]
    assert "Traceback" not in house.logs()
    house.start()
    settled(house, crew, frames, 800)


# --- the clock


@pytest.mark.slow
@pytest.mark.parametrize("jump_s", [86_400, -86_400])
@pytest.mark.parametrize("dialect", ["sqlite", "postgresql"])
@pytest.mark.parametrize("protocol", KIND_OF)
def test_a_clock_that_jumps_by_a_day_loses_nothing(build, tmp_path, protocol, dialect, jump_s):
    clock = tmp_path / "clock"
    house = build(dialect, environment={"FAULTS_CLOCK": str(clock)})
    people = furnish(house, FRAMES, KIND_OF[protocol])
    house.start()
    crew = Crew(house, people, protocol)
    crew.make_one()
    order = crew.machine.claim()
    assert crew.machine.lead(order)
    clock.write_text(str(jump_s))
    time.sleep(2.5)
    crew.insist(crew.machine.send, order, crew.painted(order))
    crew.make_one()
    clock.write_text("0")
    settled(house, crew)


# --- the network


def through_tricks(build, protocol, tricks, frames=FRAMES, dialect="sqlite"):
    house = build(dialect)
    people = furnish(house, frames, KIND_OF[protocol])
    house.start()
    with Proxy(house.port, ["pass", *tricks]).running() as proxy:
        crew = Crew(house, people, protocol)
        crew.machine.reroute(proxy.url)
        while not crew.is_done():
            crew.make_one_by(insisted)
        assert set(proxy.done) >= set(tricks)
    time.sleep(0.6)  # what was held back arrives
    house.stop()
    reckon(house, crew.sent, frames)
    assert_check_is_content(house)


def test_requests_that_are_doubled_cut_lost_or_late_change_nothing(build):
    through_tricks(build, "rest", [*TRICKS, *TRICKS])


@pytest.mark.slow
@pytest.mark.parametrize("dialect", ["sqlite", "postgresql"])
@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("protocol", KIND_OF)
def test_a_network_that_does_its_worst_changes_nothing(build, protocol, seed, dialect):
    chance = random.Random(seed)
    through_tricks(build, protocol, [*TRICKS, *chance.choices(TRICKS, k=60)], 20, dialect)


# --- a server of several processes


@pytest.mark.slow
@pytest.mark.parametrize("protocol", KIND_OF)
def test_of_a_server_any_child_may_be_killed_while_the_others_go_on(build, protocol):
    frames, chance = 12, random.Random(protocol)
    house = build(words=("--processes", "2"))
    people = furnish(house, frames, KIND_OF[protocol])
    house.start()
    crew = Crew(house, people, protocol)
    while not crew.is_done():
        murder = threading.Timer(chance.uniform(0, 0.1), kill_some_child_of, [house, chance])
        murder.start()
        crew.make_one_by(insisted)
        murder.join()
    house.stop()
    reckon(house, crew.sent, frames)
    assert_check_is_content(house)


def kill_some_child_of(house, chance):
    """Kill a process of the server's, or one of that one's own: an inspection, a chore."""
    with contextlib.suppress(psutil.NoSuchProcess, IndexError):
        chance.choice(psutil.Process(house.process.pid).children(recursive=True)).kill()
