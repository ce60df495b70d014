"""A worker is killed at every step of a task's way on its side; it is started again, and what lay ready arrives."""

import shutil
import signal
import subprocess
import sys
import time

import pytest
from sqlalchemy import text
from tests.faults.ground import LAUNCHER, PATIENCE_S, Crew, assert_check_is_content, furnish, reckon
from tests.serving import CLEAN

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(shutil.which("flam3-animate") is None, reason="This renders with Debian's flam3."),
]
LINK = "sheepfold.protocols.rest.client:RestLink"
IN_VAIN = (
    f"before {LINK}.open",
    f"after {LINK}.open",
)
AT_WORK = (
    "after sheepfold.worker.folder:WorkFolder.new_desk",
    f"before {LINK}.fetch_task_input",
    f"after {LINK}.fetch_task_input",
    "after sheepfold.worker.cache:Cache.fetch",
    "before sheepfold.worker.bench:Bench.run",
    "after sheepfold.worker.bench:Bench.run",
    "before sheepfold.worker.folder:Desk.take",
    "before sheepfold.worker.folder:Desk.close",
)
"""Where there is no picture yet of which the worker would know: its lease is given back when it is started again."""
READY = {
    "with the outcome": "after sheepfold.worker.folder:Desk.close",
    "before the picture is sent": f"before {LINK}.submit",
    "with the picture sent": f"after {LINK}.submit",
    "before the desk is cleared": "before sheepfold.worker.folder:Desk.clear",
}
BEATEN = {
    "at a heartbeat of the render": ("hold before sheepfold.worker.bench:Bench.run", f"after {LINK}.heartbeat"),
    "at a heartbeat of what is to be sent": (f"hold before {LINK}.submit", f"before {LINK}.heartbeat"),
}
LONG_S, BEAT_S, SHORT_S = 600, 30, 3
"""Terms of leases: one that does not end in a test, one of which a heartbeat comes each ten seconds, and one that ends
while a worker waits for a task."""


@pytest.fixture
def shop(build, tmp_path):
    """Make a farm with a frame to render, in a house whose leases last for so long."""

    def shop_(term_s):
        house = build(environment={"SHEEPFOLD_LEASE_TERM_S": str(term_s)})
        people = furnish(house, 1)
        house.start()
        return Shop(house, people, tmp_path / "work")

    return shop_


class Shop:
    """A worker of a house, and what it has rendered."""

    def __init__(self, house, people, folder):
        self.house, self.crew, self.folder, self.renders = house, Crew(house, people, "rest", 1), folder, 0
        self._argv = ["work", "--server", house.url, "--key", people.keys[0], "--kind", "flame", "--once", "--folder",
                      folder]

    def work(self, *borders):
        """Have the worker work until there is no more, or until it dies; returns its status."""
        argv = [sys.executable, LAUNCHER, *borders, "--", *self._argv]
        ended = subprocess.run([*map(str, argv)], env=CLEAN, capture_output=True, text=True, timeout=PATIENCE_S,
                               check=False)
        self.renders += ended.stderr.count(" rendered lease=")
        assert ended.returncode == (-signal.SIGKILL if borders else 0), ended.stderr[-3000:]

    def finish(self):
        """Start it again, and until the job is done; returns how many leases there were in all."""
        until = time.monotonic() + PATIENCE_S
        self.work()
        while self.crew.look()["state"] != "done":
            assert time.monotonic() < until, self.house.log.read_text()[-3000:]
            self.work()
        self.crew.wait_for_chores()
        self.house.stop()
        with self.house.farm() as farm:
            return farm.db.read(lambda tx: tx.execute(text("SELECT count(*) FROM leases")).scalar_one())

    def ready(self):
        """Return the picture that lies ready on the worker's disk."""
        (desk,) = (self.folder / "tasks").iterdir()
        assert (desk / "outcome.json").is_file()
        return (desk / "picture").read_bytes()

    def kept(self):
        """Return the pictures that the farm has."""
        with self.house.farm() as farm:
            rows = farm.db.read(lambda tx: tx.execute(text("SELECT digest FROM results")).all())
            return [b"".join(farm.blobs.open_stream(digest)) for digest, in rows]


def settled(shop, sent):
    reckon(shop.house, sent, 1)
    assert_check_is_content(shop.house)
    assert list((shop.folder / "tasks").iterdir()) == []


def test_a_worker_may_be_killed_at_any_step_of_its_work(shop):
    killed = shop(LONG_S)
    for border in (*IN_VAIN, *AT_WORK):
        killed.work(border)
    assert killed.finish() == len(AT_WORK) + 1
    settled(killed, killed.kept())


def test_a_lease_that_a_worker_was_killed_with_before_it_had_a_desk_comes_back_by_its_deadline(shop):
    killed = shop(SHORT_S)
    killed.work(f"after {LINK}.claim")
    killed.finish()
    settled(killed, killed.kept())


@pytest.mark.parametrize("step", READY)
def test_a_picture_that_lay_ready_when_its_worker_was_killed_arrives_as_it_is(shop, step):
    killed = shop(LONG_S)
    killed.work(READY[step])
    ready = killed.ready()
    assert (killed.finish(), killed.renders) == (1, 1)
    settled(killed, [ready])


@pytest.mark.parametrize("step", BEATEN)
def test_a_worker_may_be_killed_at_a_heartbeat(shop, step):
    killed = shop(BEAT_S)
    killed.work(*BEATEN[step])
    is_ready = step.endswith("sent")
    ready = killed.ready() if is_ready else None
    assert (killed.finish(), killed.renders) == ((1, 1) if is_ready else (2, 1))
    settled(killed, [ready] if is_ready else killed.kept())
