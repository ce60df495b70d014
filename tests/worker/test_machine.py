"""A worker whole, with a farm in a folder and real flam3: in this process, and as processes that are killed."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
from folder_farm import FolderFarm, FolderLink

from sheepfold.kinds.flame import render
from sheepfold.kinds.seam import RenderOrder, Workbench
from sheepfold.model.errors import BadInput, NoRenderer
from sheepfold.model.matching import Abilities
from sheepfold.protocols.link import Work
from sheepfold.protocols.registry import PROTOCOLS
from sheepfold.worker import deliveries, hardware, pulse, steps
from sheepfold.worker.machine import Options, default_folder, link_opener, run_worker
from sheepfold.worker.steps import End

Waiting = Callable[[Callable[[], object]], None]
Running = Callable[[str], list[psutil.Process]]
Start = Callable[..., "subprocess.Popen[str]"]
linux = pytest.mark.skipif(sys.platform != "linux", reason="Only Linux has a file that is always full.")
ENDLESS = {"width": 8000, "quality": 10_000}  # any renderer is at it for minutes


@pytest.fixture
def farm_goes(farm: FolderFarm) -> Iterator[Callable[..., None]]:
    """Return a function that does things to the farm from another thread, each when its condition is so."""
    threads: list[threading.Thread] = []

    def go(*deeds: tuple[Callable[[], object], Callable[[], object]]) -> None:
        def run() -> None:
            for is_so, deed in deeds:
                while not is_so():
                    threading.Event().wait(0.01)
                deed()

        threads.append(threading.Thread(target=run, daemon=True))
        threads[-1].start()

    yield go
    for thread in threads:
        thread.join(30)


def rendering(running: Running, tmp_path: Path) -> list[psutil.Process]:
    """Return the processes of this test's worker that render, not what is about to become one: flam3 or our engine."""
    engine = ["-I", "-m", "sheepfold.kinds.flame.engine.program"]
    found = []
    for one in running(str(tmp_path / "work")):
        with suppress(psutil.NoSuchProcess):  # it has just ended
            found += [one] if one.name() == "flam3-animate" or one.cmdline()[1:4] == engine else []
    return found


def finished(worker: Any) -> list[Path]:
    """Return what was rendered and waits for the farm."""
    return list((worker.folder / "tasks").glob("*/outcome.json"))


def test_once_renders_all_and_ends(worker: Any, farm: FolderFarm) -> None:
    farm.order(3)
    assert worker.run() == End()
    assert farm.names("taken") == ["000", "001", "002"]
    assert (farm.path / "taken" / "001.png").read_bytes().startswith(b"\x89PNG")
    assert farm.read("taken", "001")["memory_kib"] > 0
    assert farm.read("taken", "001")["cores"] == 1
    assert worker.desks() == []
    assert worker.link.is_closed


@pytest.mark.usefixtures("impatient")
def test_a_render_that_fails_is_told_with_its_log(worker: Any, farm: FolderFarm) -> None:
    farm.order(2)
    (farm.path / "files" / "000").write_text("<flame nonsense")
    assert worker.run() == End()
    assert farm.names("taken") == ["001"]
    told = farm.read("given", "000")
    assert told["failed"]
    assert "flam3-animate" in told["reason"]
    assert told["log"]


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("change", [{"kind": "flame", "spec": {"bits": "x"}}, {"inputs": {"genome": "../x"}}])
def test_orders_that_make_no_sense_fail_and_the_worker_goes_on(
    worker: Any, farm: FolderFarm, change: dict[str, Any]
) -> None:
    farm.put(Work(**({"handle": "0", "kind": "flame", "spec": {}, "frame": 0, "part": 0, "term_s": 60, "inputs": {}}
                     | change)))
    farm.order(1)
    assert worker.run() == End()
    assert farm.read("given", "0")["failed"]
    assert farm.names("taken") == ["000"]


@pytest.mark.usefixtures("impatient")
def test_an_input_with_other_bytes_gives_the_lease_back_unfailed(worker: Any, farm: FolderFarm) -> None:
    (farm.path / "files" / "genome").write_text("other bytes")
    farm.put(Work("0", "flame", {}, 0, 0, 60, {"genome": "0" * 64}))
    assert worker.run() == End()
    assert not farm.read("given", "0")["failed"]
    assert "inputs could not be fetched" in farm.read("given", "0")["reason"]


def test_a_refusal_ends_with_the_farms_sentence(worker: Any, farm: FolderFarm) -> None:
    farm.set("refuse")
    assert worker.run() == End("The farm knows no such key.")


@pytest.mark.usefixtures("impatient")
def test_once_ends_when_the_farm_stays_away(worker: Any, farm: FolderFarm) -> None:
    farm.set("away")
    assert worker.run() == End("The farm is away.")


@pytest.mark.usefixtures("impatient")
def test_nothing_is_lost_while_the_farm_is_away(
    worker: Any, farm: FolderFarm, farm_goes: Callable[..., None], monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(deliveries, "_PATIENCE_TRIES", 10**6)  # as pauses are so short, it comes back late
    monkeypatch.setattr(steps, "TRIES_ONCE", 10**6)
    farm.order(2)
    farm.set("hold")
    farm_goes(
        (lambda: len(finished(worker)) == 2, lambda: (farm.set("away"), farm.clear("hold"))),
        (lambda: "undelivered" in caplog.text, lambda: farm.clear("away")),
    )
    assert worker.run(once=True) == End()
    assert farm.names("taken") == ["000", "001"]
    assert len(farm.names("opened")) > 1


def test_the_next_task_is_rendered_while_a_picture_is_uploaded_and_at_most_three_wait(
    worker: Any, farm: FolderFarm, farm_goes: Callable[..., None]
) -> None:
    farm.order(5)
    farm.set("hold")
    seen: list[int] = []
    farm_goes(
        (lambda: len(finished(worker)) == deliveries.MOST_WAITING, lambda: threading.Event().wait(0.5)),
        (lambda: True, lambda: (seen.append(len(farm.names("open"))), farm.clear("hold"))),
    )
    assert worker.run() == End()
    assert seen == [2]
    assert len(farm.names("taken")) == 5


def test_a_task_that_is_wanted_no_more_is_dropped_at_once(
    worker: Any, farm: FolderFarm, running: Running, tmp_path: Path
) -> None:
    farm.order(1, **ENDLESS, term_s=0)
    farm.set("unwanted/000")
    assert worker.run() == End()
    assert farm.names("given") == []
    assert farm.names("taken") == []
    assert worker.desks() == []
    assert rendering(running, tmp_path) == []


def test_a_busy_machine_waits(
    worker: Any, farm: FolderFarm, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    farm.order(1)
    loads = iter([9.0])
    monkeypatch.setattr(hardware, "load_average", lambda: next(loads, 0.5))
    monkeypatch.setattr("sheepfold.worker.steps.BUSY_PAUSE_S", 0.01)
    with caplog.at_level("INFO"):
        assert worker.run(load_limit=1.0) == End()
    assert "why=load 9.00" in caplog.text
    assert farm.names("taken") == ["000"]


def test_a_worker_killed_in_the_midst_of_a_render_gives_its_lease_back_when_it_is_back(
    start: Start, farm: FolderFarm, running: Running, wait_for: Waiting, tmp_path: Path
) -> None:
    farm.order(1, **ENDLESS)
    process = start()
    wait_for(lambda: rendering(running, tmp_path))
    process.kill()
    process.wait()
    wait_for(lambda: not rendering(running, tmp_path))
    assert farm.names("leased") == ["000"]
    assert start("--once").wait() == 0
    told = farm.read("given", "000")
    assert not told["failed"]
    assert "ended before the render did" in told["reason"]
    assert list((tmp_path / "work" / "tasks").iterdir()) == []


def test_a_worker_killed_in_the_midst_of_an_upload_sends_its_picture_when_it_is_back(
    start: Start, farm: FolderFarm, wait_for: Waiting
) -> None:
    farm.order(1)
    farm.set("hold")
    process = start()
    wait_for(lambda: farm.is_set("uploading"))
    process.kill()
    process.wait()
    farm.clear("hold")
    assert start("--once").wait() == 0
    assert farm.names("taken") == ["000"]


def test_a_first_signal_lets_the_current_task_be_finished_and_sent(
    start: Start, farm: FolderFarm, running: Running, wait_for: Waiting, tmp_path: Path
) -> None:
    farm.order(3, quality=4000)
    process = start()
    wait_for(lambda: rendering(running, tmp_path))
    process.send_signal(signal.SIGTERM)
    assert process.wait() == 0
    assert len(farm.names("taken")) == 1
    assert len(farm.names("open")) == 2


def test_a_second_signal_gives_the_lease_back_at_once(
    start: Start, farm: FolderFarm, running: Running, wait_for: Waiting, tmp_path: Path
) -> None:
    farm.order(1, **ENDLESS)
    process = start()
    wait_for(lambda: rendering(running, tmp_path))
    process.send_signal(signal.SIGINT)
    wait_for(lambda: "stop_asked" in (tmp_path / "worker.log").read_text())
    process.send_signal(signal.SIGINT)
    assert process.wait() == 0
    assert farm.read("given", "000") == {"reason": "The worker was stopped.", "failed": False, "log": ""}
    assert rendering(running, tmp_path) == []


def test_a_worker_that_stops_while_the_farm_is_away_keeps_its_picture_for_the_next_start(
    start: Start, farm: FolderFarm, wait_for: Waiting, tmp_path: Path
) -> None:
    farm.order(1)
    farm.set("hold")
    process = start()
    wait_for(lambda: farm.is_set("uploading"))
    farm.set("away")
    farm.clear("hold")
    process.send_signal(signal.SIGTERM)
    assert process.wait() == 0
    assert farm.names("taken") == []
    farm.clear("away")
    assert start("--once").wait() == 0
    assert farm.names("taken") == ["000"]


def test_every_protocol_has_a_worker_and_no_other() -> None:
    for name in PROTOCOLS:
        assert callable(link_opener(name))
    with pytest.raises(BadInput, match="no protocol 'gopher'"):
        link_opener("gopher")


def test_a_machine_without_a_renderer_is_told_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHEEPFOLD_BPY_PYTHON", "/nowhere/python")
    with pytest.raises(NoRenderer, match="flam3 for flame"):
        run_worker(Options("http://127.0.0.1:9", "key", kind="blender", folder=tmp_path))


def test_farms_and_names_have_folders_of_their_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    options = [Options(url, "key", name=name) for url in ("https://a.org", "http://a.org") for name in ("", "two")]
    assert len({default_folder(one) for one in options}) == 4
    assert default_folder(options[0]) == default_folder(Options("https://a.org/", "other key"))


def test_a_key_is_not_shown() -> None:
    assert "secret" not in repr(Options("https://a.org", "secret"))


@pytest.mark.parametrize("module", ["sheepfold.worker.loop", "sheepfold.worker.machine", "sheepfold.cli.work"])
def test_a_worker_brings_no_server_along(module: str) -> None:
    program = f"import json, sys, {module}; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=os.environ)
    server = ("sqlalchemy", "starlette", "fastapi", "obstore", "uvicorn", "sheepfold.farm", "sheepfold.store",
              "sheepfold.blobs", "sheepfold.web")  # fmt: skip
    assert module in done.stdout
    assert [name for name in server if f'"{name}' in done.stdout] == []


def test_heartbeats_come_during_a_render(
    worker: Any, farm: FolderFarm, farm_goes: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pulse, "SHORTEST_INTERVAL_S", 0.05)
    farm.order(1, **ENDLESS, term_s=0)
    beats = farm.path / "beats" / "000.json"
    farm_goes(
        (lambda: beats.exists() and len(beats.read_text().splitlines()) > 3, lambda: farm.set("unwanted/000")),
    )
    assert worker.run() == End()


# --- a full disk, and an odd farm


@pytest.fixture
def unattended(worker: Any) -> Iterator[Callable[[], None]]:
    """Return a function that lets the worker work until the test ends."""
    threads: list[threading.Thread] = []

    def go() -> None:
        threads.append(threading.Thread(target=lambda: worker.run(once=False), daemon=True))
        threads[-1].start()

    yield go
    worker.stop.ask()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()


class FullLink(FolderLink):
    """A line whose inputs, where tasks share some, find the disk full."""

    def fetch_input(self, work: Work, name: str, target: Path) -> None:
        Path("/dev/full").write_bytes(b"some of it")


class NotingLink(FolderLink):
    """A line on whose desks no outcome can be written."""

    def fetch_task_input(self, work: Work, target: Path) -> bool:
        (target.parent / "outcome.json.part").symlink_to("/dev/full")
        return super().fetch_task_input(work, target)


class OddLink(FolderLink):
    """A line to a farm whose first answers to each of several questions are beyond us."""

    def __init__(self, farm: FolderFarm, *questions: str) -> None:
        super().__init__(farm)
        self.odd = list(questions)

    def open(self, abilities: Abilities) -> None:
        self._wonder("open")
        super().open(abilities)

    def claim(self, abilities: Abilities, *, may_wait: bool = True) -> Work | None:
        self._wonder("claim")
        return super().claim(abilities, may_wait=may_wait)

    def _wonder(self, question: str) -> None:
        if question in self.odd:
            self.odd.remove(question)
            raise ValueError(f"an odd answer to {question}")


@linux
@pytest.mark.usefixtures("impatient")
def test_an_input_that_finds_the_disk_full_is_no_failed_render_and_the_worker_goes_on(
    worker: Any, farm: FolderFarm, unattended: Callable[[], None], wait_for: Waiting, caplog: pytest.LogCaptureFixture
) -> None:
    worker.link = FullLink(farm)
    farm.put(Work("0", "flame", {}, 0, 0, 60, {"genome": "0" * 64}))
    farm.order(1)
    with caplog.at_level("INFO"):
        unattended()
        wait_for(lambda: farm.names("taken") == ["000"])
    told = farm.read("given", "0")
    assert not told["failed"]
    assert told["reason"] == "The machine's disk is full: No space left on device."
    assert "why=The machine's disk is full" in caplog.text


@linux
def test_once_says_that_the_disk_is_full(worker: Any, farm: FolderFarm) -> None:
    worker.link = FullLink(farm)
    farm.put(Work("0", "flame", {}, 0, 0, 60, {"genome": "0" * 64}))
    assert worker.run() == End("The machine's disk is full: No space left on device.")
    assert farm.names("given") == ["0"]


@linux
@pytest.mark.usefixtures("impatient")
def test_what_cannot_be_written_down_is_delivered_all_the_same(
    worker: Any, farm: FolderFarm, caplog: pytest.LogCaptureFixture
) -> None:
    worker.link = NotingLink(farm)
    farm.order(2)
    (farm.path / "files" / "000").write_text("<flame nonsense")
    assert worker.run() == End()
    assert farm.names("taken") == ["001"]
    assert farm.read("given", "000")["failed"]
    assert caplog.text.count("outcome_unwritten") == 2
    assert worker.desks() == []


@pytest.mark.usefixtures("impatient")
def test_a_renderer_that_fills_the_disk_costs_no_attempt_and_not_the_worker(
    worker: Any, farm: FolderFarm, small_disk: Path, unattended: Callable[[], None], wait_for: Waiting,
    monkeypatch: pytest.MonkeyPatch
) -> None:
    real = render.open_chain

    class Greedy:
        def __init__(self, workbench: Workbench) -> None:
            self._workbench = workbench

        def render(self, _: RenderOrder) -> Path:
            self._workbench.run(["/bin/dd", "if=/dev/zero", "bs=64k", f"of={self._workbench.folder}/x"], {})
            raise AssertionError("A disk has an end.")

        def close(self) -> None:
            pass

    monkeypatch.setattr(render, "open_chain", lambda order, bench: real(order, bench) if order.frame else Greedy(bench))
    worker.folder = small_disk / "work"
    farm.order(2)
    unattended()
    wait_for(lambda: farm.names("taken") == ["001"])
    told = farm.read("given", "000")
    assert not told["failed"]
    assert told["reason"].startswith("The machine's disk is full: dd ended with status 1")


@pytest.mark.usefixtures("impatient")
def test_no_task_is_claimed_while_the_disk_is_full(
    worker: Any, small_disk: Path, unattended: Callable[[], None], wait_for: Waiting, fill: Callable[[Path], Path],
    caplog: pytest.LogCaptureFixture
) -> None:
    farm, worker.folder = worker.link.farm, small_disk / "work"
    with caplog.at_level("INFO"):
        unattended()
        wait_for(lambda: "why=no work" in caplog.text)
        ballast = small_disk / "ballast"
        # Filled again and again, since what the worker's own try holds for a moment is room after it.
        wait_for(lambda: fill(ballast) and "why=the machine's disk is full" in caplog.text)
        farm.order(1)
        threading.Event().wait(0.3)
        assert farm.names("open") == ["000"]
        ballast.unlink()
        wait_for(lambda: farm.names("taken") == ["000"])


@pytest.mark.usefixtures("impatient")
def test_an_odd_answer_is_logged_and_the_farm_asked_again(
    worker: Any, farm: FolderFarm, caplog: pytest.LogCaptureFixture
) -> None:
    worker.link = OddLink(farm, "open", "claim", "claim")
    farm.order(1)
    assert worker.run() == End()
    assert farm.names("taken") == ["000"]
    assert caplog.text.count("step_broken step=Claim") == 2
    assert "in _wonder" in caplog.text


@pytest.mark.usefixtures("impatient")
def test_once_gives_up_a_farm_that_stays_odd(worker: Any, farm: FolderFarm) -> None:
    worker.link = OddLink(farm, *["claim"] * 100)
    assert worker.run() == End("Claim broke down: ValueError('an odd answer to claim')")
