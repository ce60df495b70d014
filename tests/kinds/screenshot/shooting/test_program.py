"""That a browser which hangs, crashes or is not there costs its one shot, in time, and leaves nothing behind."""

import os
from pathlib import Path

import psutil
import pytest

from sheepfold.kinds.screenshot import render
from sheepfold.kinds.screenshot.shooting.browsers import Engine
from sheepfold.kinds.screenshot.shooting.shot import Shot
from sheepfold.kinds.seam import RenderFailed
from sheepfold.worker.bench import Bench
from sheepfold.worker.sandbox import Limits


def fake(folder: Path, script: str) -> Shot:
    """Return a shot by a browser that is a shell's script."""
    program = folder / "browser"
    program.write_text(f"#!/bin/sh\n{script}\n", "utf-8")
    program.chmod(0o755)
    return Shot("http://127.0.0.1/", Engine.FIREFOX, str(program), wait_s=1)


def shoot(tmp_path: Path, shot: Shot, limits: Limits) -> None:
    room = tmp_path / "room"
    room.mkdir()
    (room / "order.json").write_text(shot.to_json(), "utf-8")
    bench = Bench(room, tmp_path / "log", limits)
    readable = [*render.readable(shot), Path(shot.program).parent]
    bench.run(render.command("program", "order.json", "picture.png"), render.environment(room), readable=readable)


def test_a_browser_that_ends_at_its_start_fails_with_its_status(tmp_path: Path):
    with pytest.raises(RenderFailed, match="ended as it started, with status 7"):
        shoot(tmp_path, fake(tmp_path, "exit 7"), Limits(time_s=60))


def test_a_browser_that_hangs_is_ended_with_what_it_started(tmp_path: Path):
    mark = f"86{os.getpid()}"
    with pytest.raises(RenderFailed, match="seconds"):
        shoot(tmp_path, fake(tmp_path, f"setsid sleep {mark} & sleep {mark}"), Limits(time_s=3))
    assert not [one for one in psutil.process_iter(["cmdline"]) if mark in (one.info["cmdline"] or [])]
