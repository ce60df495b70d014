"""The promise to screensavers: a flock is ordered, rendered by a machine with real flam3, and played, come what may.

The server is a real process, killed without warning in the middle of the work, and started again on the same folder.
"""

import re
import signal
import subprocess
import time
from pathlib import Path

import av
import pytest
from tests.commands import run_here
from tests.serving import Server, free_port

from sheepfold.kinds.flame.flam3 import find
from sheepfold.model.matching import Abilities, Program
from sheepfold.protocols.electricsheep.client import ElectricSheepLink
from sheepfold.protocols.link import FarmUnreachable, Figures, Receipt

GENOMES = Path(__file__).parents[1] / "genomes"
FLAMES = Abilities(kinds=frozenset({"flame"}), renderers=frozenset({Program("flam3", "3.1.1")}))
FRAMES, WIDTH, HEIGHT = 4, 64, 48
SMALL = ("--frames", str(FRAMES), "--size", f"{WIDTH}x{HEIGHT}", "--quality", "1")
PATIENCE_S = 120


class Fold:
    """A farm's folder, and the server that runs on it, or does not."""

    def __init__(self, data, port):
        self.data = data
        self.url = f"http://127.0.0.1:{port}"
        self.log = []
        self._port = port
        self._server = None

    def run(self, *words, said=""):
        """Run a command on the folder; returns what it printed."""
        ended = run_here(*words, "--data", self.data, said=said)
        assert ended.status == 0, ended
        return ended.out

    def start(self, *words):
        """Start the server, and wait until it listens."""
        self._server = Server(self.data, *words, port=self._port)

    def stop(self, sign):
        """End the server by a signal; returns its exit status."""
        if self._server is None:
            return 0
        status = self._server.end(sign)
        self.log += self._server.log
        self._server = None
        return status


class Renderer:
    """A screensaver's generator: it renders each order with the real flam3-animate, as the real client does."""

    def __init__(self, fold, key, folder):
        self.link = ElectricSheepLink(fold.url, "spot", key, folder / "state", "journey/1")
        self.made = {}
        self._folder = folder

    def claim(self):
        """Ask for an order, waiting for a server that is away."""
        return patiently(lambda: self.link.claim(FLAMES))

    def render(self, work):
        """Run flam3-animate on an order with nothing but its arguments in the environment; returns the picture."""
        genome, picture = self._folder / "genome.xml", self._folder / f"{work.handle}.png"
        assert self.link.fetch_task_input(work, genome)
        told = {"in": str(genome), "out": str(picture), "verbose": "0", "nthreads": "1", "time": str(work.frame),
                "format": work.spec["format"], "bits": str(work.spec["bits"]), "isaac_seed": work.spec["seed"]}
        subprocess.run([str(find("flam3-animate"))], env=told, check=True, timeout=60, capture_output=True)
        return picture

    def deliver(self, work, picture):
        """Upload a picture, and keep in mind what was made."""
        assert patiently(lambda: self.link.submit(work, picture, Figures())) is Receipt.ACCEPTED
        self.made[work.handle] = picture.read_bytes()

    def work(self, count=1000):
        """Render until there is no work, or so many frames are made; returns how many were."""
        for done in range(count):
            work = self.claim()
            if work is None:
                return done
            self.deliver(work, self.render(work))
        return count


def patiently(ask):
    """Ask until the farm answers, while it is being started again."""
    ends_at = time.monotonic() + PATIENCE_S
    while True:
        try:
            return ask()
        except FarmUnreachable:
            if time.monotonic() > ends_at:
                raise
            time.sleep(0.1)


def played(path):
    """Decode a film to its end; returns how many pictures it has, and their sizes."""
    with av.open(str(path)) as film:
        sizes = [(frame.width, frame.height) for frame in film.decode(video=0)]
    return len(sizes), set(sizes)


def probed(path):
    words = ["ffprobe", "-v", "error", "-count_frames", "-select_streams", "v:0", "-show_entries",
             "stream=codec_name,nb_read_frames", "-of", "csv=p=0", str(path)]
    run = subprocess.run(words, capture_output=True, text=True, check=True, timeout=60)
    assert run.stderr == ""
    return run.stdout.strip()


@pytest.fixture
def fold(tmp_path):
    fold = Fold(tmp_path / "farm", free_port())
    fold.run("account", "add", "shepherd", "--role", "owner", "--password-stdin", said="correct horse\n")
    fold.run("account", "add", "spot", "--role", "volunteer", "--password-stdin", said="correct horse\n")
    yield fold
    fold.stop(signal.SIGKILL)


@pytest.fixture
def renderer(fold, tmp_path):
    key = fold.run("key", "add", "spot", "bedroom", "--bare").strip()
    renderer = Renderer(fold, key, tmp_path)
    yield renderer
    renderer.link.close()


def order_flock(fold):
    coral, ember = GENOMES / "r1.flam3", GENOMES / "r2.flam3"
    return [fold.run("order", "flame", *genomes, *SMALL).strip()
            for genomes in ((coral,), (ember,), (coral, ember))]


def balance(fold):
    return float(re.search(r"^\W*spot\s+([0-9.,]+)", fold.run("account", "list"), re.MULTILINE)[1])


@pytest.mark.timeout(240)
def test_a_flock_is_rendered_and_played_although_the_server_is_killed(fold, renderer, tmp_path):
    jobs = order_flock(fold)
    fold.start()
    renderer.link.open(FLAMES)
    assert renderer.work(5) == 5
    held = renderer.claim()
    picture = renderer.render(held)

    fold.stop(signal.SIGKILL)
    with pytest.raises(FarmUnreachable):
        renderer.link.fetch_list()
    assert fold.run("check", "--read-blobs").splitlines()[-1] == "All is well."
    fold.start()

    renderer.deliver(held, picture)
    assert renderer.work() == 6
    for job in jobs:
        assert f"Job {job} is done." in fold.run("job", "wait", job, "--timeout", PATIENCE_S)

    flock = renderer.link.fetch_list()
    assert {(one.id, one.first, one.last) for one in flock.sheep} == {(1, 1, 1), (2, 2, 2), (3, 1, 2)}
    assert (flock.width, flock.height) == (WIDTH, HEIGHT)
    for one in flock.sheep:
        film = renderer.link.download_sheep(one, tmp_path)
        assert film.name == f"00001={one.id:05d}={one.first:05d}={one.last:05d}.avi"
        assert film.stat().st_size == one.size_bytes
        assert played(film) == (FRAMES, {(WIDTH, HEIGHT)})
        assert probed(film) == f"h264,{FRAMES}"

    renderer.link.vote(2, 1)
    assert {one.id: one.rating for one in renderer.link.fetch_list().sheep} == {1: 0, 2: 1, 3: 0}

    assert fold.stop(signal.SIGTERM) == 0
    assert fold.run("check", "--read-blobs").splitlines()[-1] == "All is well."
    assert balance(fold) > 0
    assert "Traceback" not in "".join(fold.log)


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_a_server_that_is_killed_between_any_two_uploads_pays_each_frame_once(fold, renderer):
    job = fold.run("order", "flame", GENOMES / "r1.flam3", *SMALL).strip()
    for _ in range(FRAMES):
        fold.start("--no-house")
        work = renderer.claim()
        picture = renderer.render(work)
        renderer.deliver(work, picture)
        fold.stop(signal.SIGKILL)
        fold.start("--no-house")
        renderer.deliver(work, picture)  # the answer was lost, so it comes again
        fold.stop(signal.SIGKILL)
    fold.start()
    assert f"Job {job} is done." in fold.run("job", "wait", job, "--timeout", PATIENCE_S)
    earned = balance(fold)
    fold.stop(signal.SIGTERM)
    assert fold.run("check").splitlines()[-1] == "All is well."
    assert len(renderer.made) == FRAMES
    story = fold.run("story", "task", 1)
    assert story.count("credit earned") == 1
    paid = [int(text) for number in range(1, FRAMES + 1)
            for text in re.findall(r"millipoints (\d+)", fold.run("story", "task", number))]
    assert len(paid) == FRAMES
    assert earned == pytest.approx(sum(paid) / 1000, abs=0.0001)
