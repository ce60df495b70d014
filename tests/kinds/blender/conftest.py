"""A real bpy, made by scripts/setup-bpy where it is not there yet, and small scenes made with it."""

import socket
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from sheepfold.kinds.blender import home
from sheepfold.worker.bench import Bench
from sheepfold.worker.sandbox import Limits

ROOT = Path(__file__).parents[3]


@dataclass(frozen=True, slots=True)
class Ear:
    """A socket that listens, and says whether anybody called."""

    listener: socket.socket

    @property
    def port(self) -> int:
        return int(self.listener.getsockname()[1])

    def heard(self) -> bool:
        self.listener.settimeout(0.2)
        try:
            self.listener.accept()[0].close()
        except TimeoutError:
            return False
        return True


@pytest.fixture(scope="session")
def made_python() -> Path:
    """Return the Python with bpy."""
    made = subprocess.run([ROOT / "scripts" / "setup-bpy"], capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr
    return Path(made.stdout.strip().splitlines()[-1])


@pytest.fixture
def bpy_python(made_python: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the Python with bpy, and have everything else find it."""
    monkeypatch.setenv(home.VARIABLE, str(made_python))
    return made_python


@pytest.fixture(scope="session")
def ear() -> Iterator[Ear]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield Ear(listener)


@pytest.fixture(scope="session")
def made_scenes(made_python: Path, ear: Ear, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the test's scenes."""
    folder = tmp_path_factory.mktemp("scenes")
    argv = [made_python, "-I", Path(__file__).with_name("scenes.py"), folder, str(ear.port)]
    made = subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False)
    assert made.returncode == 0, made.stdout + made.stderr
    assert ear.heard()  # the attack's own proof
    return folder


@pytest.fixture
def scenes(made_scenes: Path, bpy_python: Path) -> Path:
    """Return the folder of the test's scenes, with a bpy to be found."""
    return made_scenes


@pytest.fixture
def no_bpy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(home.VARIABLE, "/nowhere/python")


@pytest.fixture(scope="session")
def runner(made_python: Path) -> Callable[..., "subprocess.CompletedProcess[str]"]:
    """Return a function that runs the runner with Blender's words."""

    def run(*words: object) -> "subprocess.CompletedProcess[str]":
        argv = home.command(made_python, *map(str, words))
        return subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False)

    return run


def bench_in(folder: Path) -> Bench:
    (folder / "room").mkdir(parents=True)
    return Bench(folder / "room", folder / "log.txt", Limits(time_s=300))


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """Return a worker's own bench, with walls where they stand."""
    return bench_in(tmp_path / "desk")


@pytest.fixture
def other_bench(tmp_path: Path) -> Bench:
    return bench_in(tmp_path / "other")
