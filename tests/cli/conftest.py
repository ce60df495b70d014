"""The command line as people use it: what it reads and writes, a real farm in a folder, and a real server for it."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.commands import Ended, run_apart, run_here
from tests.serving import CLEAN, Server, serving

from sheepfold.config import settings_for
from sheepfold.farm.farm import open_farm
from sheepfold.model.matching import Abilities, Program
from sheepfold.protocols.electricsheep.client import ElectricSheepLink
from sheepfold.protocols.link import Figures
from sheepfold.protocols.registry import verifiers

SIDE = 32
FLAMES = Abilities(kinds=frozenset({"flame"}), renderers=frozenset({Program("flam3", "3.1.1")}))
GENOMES = Path(__file__).parents[1] / "genomes"
ENVIRONMENT = CLEAN | {"SHEEPFOLD_SCREENSHOT_ALLOWED_RANGES": "127.0.0.0/8", "SHEEPFOLD_SCREENSHOT_OBEY_ROBOTS": "0"}
WIDE = {"COLUMNS": "120", "NO_COLOR": "1"}


def sheepfold(*words: object, said: str = "", **environment: str) -> Ended:
    """Run a command of the command line to its end."""
    return run_here(*words, said=said, environment=ENVIRONMENT | WIDE | environment)


def sheepfold_apart(*words: object, said: str = "", **environment: str) -> Ended:
    """Run a command in a process of its own, for tests of what only a process shows."""
    return run_apart(*words, said=said, environment=ENVIRONMENT | WIDE | environment)


@dataclass
class Fold:
    """A farm in a folder, and the words of its people."""

    data: Path
    folder: Path
    served: list[Server] = field(default_factory=list)
    closing: ExitStack = field(default_factory=ExitStack)

    def do(self, *words: object, said: str = "") -> Ended:
        """Run a command on the farm's folder."""
        return sheepfold(*words, "--data", self.data, said=said)

    def done(self, *words: object, said: str = "") -> str:
        """Run a command that must succeed; returns what it printed."""
        ended = self.do(*words, said=said)
        assert (ended.status, "Traceback" in ended.err) == (0, False), ended
        return ended.out

    def genome(self, name: str = "r1.flam3") -> Path:
        """Return a genome's file."""
        return GENOMES / name

    def key(self, account: str, machine: str, role: str = "artist") -> str:
        """Return a new key of a new account's machine."""
        self.done("account", "add", account, "--role", role, "--password-stdin", said="correct horse\n")
        return self.done("key", "add", account, machine, "--bare").strip()

    def paint_all(self, url: str, nick: str, key: str) -> int:
        """Be a screensaver that paints every frame that the farm has, instead of rendering; returns how many."""
        painted = 0
        picture = self.folder / "picture.png"
        with ElectricSheepLink(url, nick, key, self.folder / "screensaver", "test/1") as link:
            link.open(FLAMES)
            while work := link.claim(FLAMES):
                pixels = np.random.default_rng(work.frame).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(picture)
                link.submit(work, picture, Figures())
                painted += 1
        return painted

    def serve_here(self) -> str:
        """Serve the farm from this process, without keeping house; returns its address.

        What it logs stands in what commands say meanwhile."""
        farm = self.closing.enter_context(open_farm(settings_for(self.data, ENVIRONMENT), verifiers))
        url = self.closing.enter_context(serving(farm))
        self.closing.callback(farm.closing.set)
        return url

    def serve(self, *words: str) -> Server:
        """Start a server of the farm, a process of its own, on a free port."""
        self.served.append(Server(self.data, *words, environment=ENVIRONMENT))
        return self.served[-1]

    def end(self) -> None:
        """End the servers that were started."""
        self.closing.close()
        for server in self.served:
            server.end()


@pytest.fixture
def run():
    return sheepfold


@pytest.fixture
def apart():
    return sheepfold_apart


@pytest.fixture
def fold(tmp_path: Path, new_folder: Callable[[Path], Path]) -> Iterator[Fold]:
    made = Fold(new_folder(tmp_path / "farm"), tmp_path)
    yield made
    made.end()
