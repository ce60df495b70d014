"""The command line as people use it: real processes, a real farm in a folder, and a real server for it."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.serving import CLEAN, Server

from sheepfold.model.matching import Abilities, Program
from sheepfold.protocols.electricsheep.client import ElectricSheepLink
from sheepfold.protocols.link import Figures

SIDE = 32
FLAMES = Abilities(kinds=frozenset({"flame"}), renderers=frozenset({Program("flam3", "3.1.1")}))
GENOMES = Path(__file__).parents[1] / "genomes"
ENVIRONMENT = CLEAN | {"SHEEPFOLD_SCREENSHOT_ALLOWED_RANGES": "127.0.0.0/8", "SHEEPFOLD_SCREENSHOT_OBEY_ROBOTS": "0"}


@dataclass(frozen=True)
class Ended:
    """How a command ended, and what it said."""

    status: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        """Return what it printed, line by line."""
        return self.out.splitlines()


def sheepfold(*words: object, said: str = "", **environment: str) -> Ended:
    """Run a command of the command line to its end."""
    command = [sys.executable, "-m", "sheepfold", *map(str, words)]
    wide = ENVIRONMENT | {"COLUMNS": "120", "NO_COLOR": "1"} | environment
    ended = subprocess.run(command, input=said, env=wide, capture_output=True, text=True, timeout=120, check=False)
    return Ended(ended.returncode, ended.stdout, ended.stderr)


@dataclass
class Fold:
    """A farm in a folder, and the words of its people."""

    data: Path
    folder: Path
    served: list[Server] = field(default_factory=list)

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

    def serve(self, *words: str) -> Server:
        """Start a server of the farm on a free port."""
        self.served.append(Server(self.data, *words, environment=ENVIRONMENT))
        return self.served[-1]

    def end(self) -> None:
        """End the servers that were started."""
        for server in self.served:
            server.end()


@pytest.fixture
def run():
    return sheepfold


@pytest.fixture
def fold(tmp_path: Path) -> Iterator[Fold]:
    made = Fold(tmp_path / "farm", tmp_path)
    yield made
    made.end()
