"""What the worker's tests share: a farm that is a folder, worker processes, and a way to wait."""

import contextlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from folder_farm import ABILITIES, FolderFarm, FolderLink

from sheepfold.worker import backoff, machine, steps
from sheepfold.worker.folder import WorkFolder
from sheepfold.worker.stopping import Stop


@pytest.fixture
def farm(tmp_path: Path) -> FolderFarm:
    return FolderFarm(tmp_path / "farm")


@pytest.fixture
def wait_for() -> Callable[[Callable[[], object]], None]:
    """Return a function that waits until something is so; the test's own time limit ends it."""

    def wait(is_so: Callable[[], object]) -> None:
        while not is_so():
            time.sleep(0.01)

    return wait


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make all pauses short; the rules stay."""
    monkeypatch.setattr(backoff, "FIRST_PAUSE_S", 0.01)
    monkeypatch.setattr(backoff, "LONGEST_PAUSE_S", 0.05)
    monkeypatch.setattr(steps, "BUSY_PAUSE_S", 0.02)


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """Return the folder of a disk of 64 MiB."""
    with tempfile.TemporaryDirectory(prefix="sheepfold-disk-") as folder:
        argv = ["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", folder]
        if sys.platform != "linux" or subprocess.run(argv, capture_output=True, check=False).returncode:
            pytest.skip("Only Linux, and its root, may mount a small disk.")
        try:
            yield Path(folder)
        finally:
            subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.fixture
def fill() -> Callable[[Path], Path]:
    """Return a function that lets a file grow until the disk is full, and returns it."""

    def fill(ballast: Path) -> Path:
        with ballast.open("ab", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(bytes(65536))
        return ballast

    return fill


class Worker:
    """A worker in this process, run to its end."""

    def __init__(self, folder: Path, link: FolderLink) -> None:
        self.folder = folder
        self.link = link
        self.stop = Stop()

    def run(self, *, once: bool = True, load_limit: float | None = None) -> steps.End:
        options = machine.Options("folder://", "", folder=self.folder, rules=steps.Rules(once, load_limit))
        with WorkFolder(self.folder, "a farm") as desks:
            return machine.work(self.link, ABILITIES, desks, self.stop, options)

    def desks(self) -> list[Path]:
        return list((self.folder / "tasks").iterdir())


@pytest.fixture
def worker(farm: FolderFarm, tmp_path: Path) -> Worker:
    return Worker(tmp_path / "work", FolderLink(farm))


@pytest.fixture
def start(farm: FolderFarm, tmp_path: Path) -> Iterator[Callable[..., "subprocess.Popen[str]"]]:
    """Return a function that starts a worker's process for the farm, in the same folder each time."""
    started: list[subprocess.Popen[str]] = []

    def run(*words: str) -> "subprocess.Popen[str]":
        program = str(Path(__file__).parent / "folder_farm.py")
        argv = [sys.executable, program, str(farm.path), str(tmp_path / "work"), *words]
        with (tmp_path / "worker.log").open("a") as log:
            started.append(subprocess.Popen(argv, stderr=log, text=True))
        return started[-1]

    yield run
    for process in started:
        process.kill()
        process.wait()


@pytest.fixture
def running() -> Callable[[str], list[psutil.Process]]:
    """Return a function that finds living processes by what stands in their command line or environment."""

    def find(mark: str) -> list[psutil.Process]:
        found = []
        for pid in psutil.pids():
            with contextlib.suppress(OSError, psutil.Error):  # it has ended, or is another's
                told = b"".join(Path(f"/proc/{pid}/{name}").read_bytes() for name in ("cmdline", "environ"))
                if mark.encode() in told and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
                    found.append(psutil.Process(pid))
        return found

    return find
