"""The stage of demo and dev: a farm with people and machines of its own, its server and workers as real processes."""

import os
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from sheepfold.cli.options import farm_in
from sheepfold.farm import accounts
from sheepfold.model.accounts import Role
from sheepfold.model.errors import Conflict, Unavailable

MARK = ".staged-by-sheepfold"
START_LIMIT_S = 60
END_LIMIT_S = 15


Wrap = Callable[[list[str]], list[str]]
"""Makes a whole command line of the words of a `sheepfold` command."""


def _plainly(words: list[str]) -> list[str]:
    return [sys.executable, "-m", "sheepfold", *words]


@dataclass(frozen=True, slots=True)
class Stage:
    """A running farm: its folder and address, the keys by machine name, and the processes that were started for it.

    All its people have one password, made for this stage.
    """

    folder: Path
    url: str
    keys: dict[str, str]
    password: str = field(repr=False)
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self, name: str, words: Sequence[str], wrap: Wrap = _plainly) -> None:
        """Start a `sheepfold` command of its own, its log going to logs/NAME.log."""
        log = self.folder / "logs" / f"{name}.log"
        log.parent.mkdir(exist_ok=True)
        with log.open("ab") as file:
            command = wrap(list(words))
            self.processes[name] = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=file, stderr=file,
                                                    env=os.environ | ALL_HERE)

    def stop(self, name: str) -> None:
        """Ask a process to end, and wait until it has."""
        _end([self.processes.pop(name)])

    def dead(self) -> list[str]:
        """Return the names of processes that ended by themselves."""
        return [name for name, process in self.processes.items() if process.poll() is not None]


PEOPLE = {"shepherd": Role.OWNER, "spot": Role.VOLUNTEER, "bella": Role.VOLUNTEER}
MACHINES = {"studio": "shepherd", "screensaver": "spot", "workshop": "bella", "tower": "bella", "factory": "spot",
            "laptop": "bella"}
ALL_HERE = {"SHEEPFOLD_SCREENSHOT_ALLOWED_RANGES": "127.0.0.0/8", "SHEEPFOLD_BROWSERSHOTS_LOAD_LIMIT": "0"}
"""What a stage's farm and workers are told besides: pages to be photographed, and all the load, are on this machine."""


@contextmanager
def staged(folder: Path, port: int, wrap: Wrap = _plainly) -> Iterator[Stage]:
    """Make a fresh farm in a folder, serve it, and end all that was started at the end.

    Raises Conflict where the folder holds something else, and Unavailable where the server does not come up.
    """
    _clear(folder)
    password = secrets.token_urlsafe(9)
    stage = Stage(folder, f"http://127.0.0.1:{port}", _populate(folder / "farm", password), password)
    try:
        stage.start("server", ["serve", "--data", str(folder / "farm"), "--port", str(port)], wrap)
        _await_server(stage)
        yield stage
    finally:
        _end(list(stage.processes.values()))


def welcome(stage: Stage) -> str:
    """Say where the pages are, and as whom one may sign in to them."""
    owner = next(name for name, role in PEOPLE.items() if role is Role.OWNER)
    return f"{stage.url} (sign in as {owner}, password {stage.password})"


def _clear(folder: Path) -> None:
    """Remove what an earlier stage left; never anything else."""
    if folder.exists() and any(folder.iterdir()):
        if not (folder / MARK).exists():
            raise Conflict(f"{folder} holds something that no demo made; give another folder with --data.")
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MARK).touch()


def _populate(data: Path, password: str) -> dict[str, str]:
    with farm_in(data, may_be_new=True) as farm:
        for name, role in PEOPLE.items():
            accounts.add_account(farm, name, role, password)
        return {machine: accounts.add_key(farm, owner, machine).key for machine, owner in MACHINES.items()}


def _await_server(stage: Stage) -> None:
    """Wait until our server answers with the farm that was just made, and not some other one on the same port."""
    ends_at = time.monotonic() + START_LIMIT_S
    while time.monotonic() < ends_at and not stage.dead():
        try:
            headers = {"Authorization": f"Bearer {stage.keys['studio']}"}
            if httpx.get(f"{stage.url}/api/v1/whoami", headers=headers, timeout=2, trust_env=False).status_code == 200:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.1)
    last_words = (stage.folder / "logs" / "server.log").read_text("utf-8", "replace")[-800:]
    raise Unavailable(f"The server at {stage.url} did not come up. Its last words:\n{last_words}")


def _end(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    """Ask processes to end, the last first, and end by force what does not."""
    for process in reversed(processes):
        if process.poll() is None:
            process.terminate()
    for process in reversed(processes):
        try:
            process.wait(END_LIMIT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
