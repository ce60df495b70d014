"""A volunteer's journey: `sheepfold work` against a real farm behind a real server, with real flam3."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.serving import serving

from sheepfold.client import FarmClient
from sheepfold.config import Settings
from sheepfold.farm.accounts import add_account, add_key
from sheepfold.farm.farm import Farm, open_farm
from sheepfold.model.accounts import Role
from sheepfold.protocols.registry import verifiers

GENOME = Path(__file__).parents[1] / "genomes" / "r2.flam3"
FLAME = {"width": 64, "height": 48, "quality": 2, "temporal_samples": 1}
LONG = FLAME | {"width": 320, "height": 240, "quality": 300}  # seconds a frame


@pytest.fixture
def farm(tmp_path: Path) -> Iterator[Farm]:
    with open_farm(Settings(data=tmp_path / "farm", claim_wait_limit_s=1), verifiers) as farm:
        add_account(farm, "ann", Role.ARTIST, "")
        add_account(farm, "vera", Role.VOLUNTEER, "")
        yield farm


@pytest.fixture
def work(tmp_path: Path) -> Iterator[Callable[..., "subprocess.Popen[bytes]"]]:
    """Return a function that starts `sheepfold work`; the processes' log is `worker.log`."""
    started: list[subprocess.Popen[bytes]] = []

    def run(url: str, key: str, *words: str) -> "subprocess.Popen[bytes]":
        program = "from sheepfold.cli.main import main; main()"
        argv = [sys.executable, "-c", program, "work", "--server", url, "--folder", str(tmp_path / "work"), *words]
        with (tmp_path / "worker.log").open("ab") as log:
            started.append(subprocess.Popen(argv, stderr=log, env=os.environ | {"SHEEPFOLD_KEY": key}))
        return started[-1]

    yield run
    for process in started:
        process.kill()
        process.wait()


Work = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def order(farm: Farm) -> Callable[..., int]:
    """Return a function that orders flames over REST; returns the job's id."""

    def place(url: str, frames: int, flame: dict[str, float]) -> int:
        key = add_key(farm, "ann", "anns-desk").key
        with FarmClient(url, key) as client:
            return client.order("flame", flame | {"frames": frames}, {"genome": GENOME}, "a journey").id

    return place


def tasks_done(farm: Farm, url: str, job_id: int) -> int:
    with FarmClient(url, add_key(farm, "ann", "anns-desk").key) as client:
        return client.job(job_id).tasks_done


def test_a_worker_renders_a_job_over_rest(farm: Farm, work: Work, order: Callable[..., int], tmp_path: Path) -> None:
    key = add_key(farm, "vera", "veras-box").key
    with serving(farm) as url:
        job_id = order(url, 3, FLAME)
        assert work(url, key, "--once").wait() == 0
        assert tasks_done(farm, url, job_id) == 3
    log = (tmp_path / "worker.log").read_text()
    assert log.count("receipt=accepted") == 3
    assert key not in log


def test_a_worker_renders_a_job_over_electric_sheep(
    farm: Farm, work: Work, order: Callable[..., int], tmp_path: Path
) -> None:
    key = add_key(farm, "vera", "veras-box").key
    with serving(farm) as url:
        job_id = order(url, 2, FLAME | {"format": "jpg"})
        words = ("--once", "--protocol", "electricsheep", "--account", "vera")
        assert work(url, key, *words).wait() == 0
        assert tasks_done(farm, url, job_id) == 2
    assert key not in (tmp_path / "worker.log").read_text()


def test_a_wrong_key_ends_the_worker_in_one_line(farm: Farm, work: Work, tmp_path: Path) -> None:
    with serving(farm) as url:
        assert work(url, "0" * 32).wait() == 1
    log = (tmp_path / "worker.log").read_text()
    assert "ended problem=The farm answered 401" in log
    assert "Traceback" not in log


def test_a_farm_that_goes_away_gets_the_picture_when_it_is_back(
    farm: Farm, work: Work, order: Callable[..., int], tmp_path: Path
) -> None:
    key = add_key(farm, "vera", "veras-box").key
    log = tmp_path / "worker.log"
    with serving(farm) as url:
        job_id = order(url, 1, LONG)
        process = work(url, key, "--once")
        while not log.exists() or "claimed" not in log.read_text():
            time.sleep(0.02)
    while "undelivered" not in log.read_text():
        time.sleep(0.02)
    with serving(farm, int(url.rpartition(":")[2])) as url:
        assert process.wait() == 0
        assert tasks_done(farm, url, job_id) == 1


def test_a_worker_that_is_told_twice_to_stop_gives_its_lease_back_at_once(
    farm: Farm, work: Work, order: Callable[..., int], tmp_path: Path
) -> None:
    key = add_key(farm, "vera", "veras-box").key
    log = tmp_path / "worker.log"
    with serving(farm) as url:
        job_id = order(url, 1, LONG | {"quality": 10_000, "width": 2000, "height": 2000})
        process = work(url, key)
        while not log.exists() or "chain=opened" not in log.read_text():  # one not yet begun goes back at once
            time.sleep(0.02)
        process.send_signal(signal.SIGTERM)
        while "stop_asked" not in log.read_text():
            time.sleep(0.02)
        process.send_signal(signal.SIGTERM)
        assert process.wait() == 0
        with FarmClient(url, add_key(farm, "ann", "anns-desk").key) as client:
            (task,) = client.job(job_id).tasks
            story = str(client.story(task.id))
    assert "The worker was stopped." in story
