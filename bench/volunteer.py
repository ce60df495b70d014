"""What a volunteer's worker spends on loops of flames: the real server, the real worker, over REST and Electric Sheep.

For each wire the worker starts with an empty folder, renders one loop, and then, started again over the same folder,
another loop of the same sheep. Printed are its seconds of processor time, of all programs that it ran, sandboxes too,
and the wall's, which tell of other load as well.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from ground.figures import machine
from ground.serving import served

from sheepfold.client import FarmClient
from sheepfold.config import Settings
from sheepfold.farm.accounts import add_account, add_key
from sheepfold.farm.farm import open_farm
from sheepfold.model.accounts import Role
from sheepfold.protocols.registry import verifiers

WIRES = ("rest", "electricsheep")
GENOMES = Path(__file__).parents[1] / "tests" / "genomes"

COUNTED = """
import ctypes, json, os, resource, subprocess, sys, time
ctypes.CDLL(None).prctl(36, 1)  # PR_SET_CHILD_SUBREAPER: what bubblewrap leaves is waited for here, and counted
began = time.monotonic()
worker = subprocess.Popen(sys.argv[1:])
status = worker.wait()
try:
    while True:
        os.wait()
except ChildProcessError:
    pass
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(json.dumps([status, used.ru_utime + used.ru_stime, time.monotonic() - began]))
"""


@dataclass(frozen=True, slots=True)
class Run:
    """What one worker used: seconds of processor, and of wall."""

    cpu_s: float
    wall_s: float
    log: str

    @property
    def line(self) -> str:
        """Return the run in a line."""
        frames = self.log.count("receipt=accepted")
        return (f"{frames} frames, {self.cpu_s:6.1f} s of processor, {self.wall_s:6.1f} s of wall, "
                f"{self.cpu_s / max(1, frames):.2f} s a frame")


def main() -> None:
    """Measure every wire."""
    asked = _asked()
    print(f"Loops of {asked.frames} frames, {asked.width}x{asked.height}, quality {asked.quality:g}, "
          f"of {asked.genome}; {machine()}")
    for wire in asked.wires:
        _measure(wire, asked)


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--wires", nargs="+", choices=WIRES, default=WIRES)
    parser.add_argument("--genome", default="s11", help="one of tests/genomes")
    parser.add_argument("--frames", type=int, default=60)
    parser.add_argument("--width", type=int, default=400)
    parser.add_argument("--height", type=int, default=296)
    parser.add_argument("--quality", type=float, default=30)
    parser.add_argument("--loops", type=int, default=2, help="how many, one worker each, over one folder")
    return parser.parse_args()


def _measure(wire: str, asked: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        artist, volunteer = _keys(folder / "farm")
        with served(folder / "farm", "", with_house=False) as (_, port):
            url = f"http://127.0.0.1:{port}"
            for number in range(asked.loops):
                _order(url, artist, asked)
                run = _work(url, volunteer, wire, folder)
                print(f"{wire:14} loop {number + 1}: {run.line}", flush=True)


def _keys(data: Path) -> tuple[str, str]:
    with open_farm(Settings(data=data), verifiers) as farm:
        add_account(farm, "ann", Role.ARTIST, "")
        add_account(farm, "vera", Role.VOLUNTEER, "")
        return add_key(farm, "ann", "desk").key, add_key(farm, "vera", "box").key


def _order(url: str, key: str, asked: argparse.Namespace) -> None:
    spec = {"frames": asked.frames, "width": asked.width, "height": asked.height, "quality": asked.quality}
    with FarmClient(url, key) as client:
        client.order("flame", spec, {"genome": GENOMES / f"{asked.genome}.flam3"}, "a loop")


def _work(url: str, key: str, wire: str, folder: Path) -> Run:
    words = [sys.executable, "-m", "sheepfold", "work", "--server", url, "--folder", str(folder / "work"), "--once"]
    words += ["--protocol", wire, *(["--account", "vera"] if wire == "electricsheep" else [])]
    with (folder / "work.log").open("wb") as log:
        done = subprocess.run([sys.executable, "-c", COUNTED, *words], stdout=subprocess.PIPE, stderr=log, check=True,
                              env=os.environ | {"SHEEPFOLD_KEY": key})
    status, cpu_s, wall_s = json.loads(done.stdout)
    log_text = (folder / "work.log").read_text()
    if status:
        raise SystemExit(f"The worker ended:\n{log_text}")
    return Run(cpu_s, wall_s, log_text)


if __name__ == "__main__":
    main()
