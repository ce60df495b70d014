"""A real server in a process of its own, and what it uses of the machine."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psutil

from sheepfold.config import settings_for
from sheepfold.farm.farm import Farm, open_farm
from sheepfold.protocols.registry import verifiers


@contextmanager
def opened(folder: Path, url: str) -> Iterator[Farm]:
    """Open the farm in a folder, as the environment says."""
    with open_farm(settings_for(folder, os.environ | {"DATABASE_URL": url}), verifiers) as farm:
        yield farm


@contextmanager
def served(folder: Path, url: str, *, with_house: bool, processes: int = 1,
           settings: Mapping[str, str] | None = None) -> Iterator[tuple[psutil.Process, int]]:
    """Run `sheepfold serve` until the block ends; gives its process and the port that it chose."""
    argv = [sys.executable, "-m", "sheepfold", "serve", "--data", str(folder), "--port", "0",
            "--processes", str(processes)]
    log = folder / "serve.log"
    with log.open("wb") as errors:
        process = subprocess.Popen(argv + ([] if with_house else ["--no-house"]), stderr=errors,
                                   env=os.environ | {"DATABASE_URL": url} | dict(settings or {}))
    try:
        yield psutil.Process(process.pid), _port(process, log)
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)


def _port(process: "subprocess.Popen[bytes]", log: Path) -> int:
    while (found := re.search(r"listening=http://[\d.]+:(\d+)", log.read_text())) is None:
        try:
            process.wait(0.1)
        except subprocess.TimeoutExpired:
            continue
        raise SystemExit(f"The server ended:\n{log.read_text()}")
    return int(found[1])


def spent_by(server: psutil.Process, processes: int = 1) -> dict[str, float]:
    """Return the seconds of processor that the server, of so many processes, and its children have used so far."""
    servers = server.children() if processes > 1 else [server]
    own = [process.cpu_times() for process in servers]
    others = [process.cpu_times() for process in server.children(recursive=True) if process not in servers]
    return {"server": sum(time.user + time.system for time in own),
            "its children": sum(time.user + time.system for time in others)
            + sum(time.children_user + time.children_system for time in own)}
