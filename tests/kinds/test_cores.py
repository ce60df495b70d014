"""A server keeps to some cores; the programs that it starts do not."""

import os
import sys
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest

from sheepfold.kinds import confine, cores
from sheepfold.kinds.inspector import Inspector

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere threads run where they like")


@pytest.fixture
def thread(monkeypatch):
    """Give a thread of its own, since what keeps to some cores does so for good."""
    monkeypatch.setattr(cores, "_given", set())
    with ThreadPoolExecutor(1) as pool:
        yield pool


def test_servers_share_out_all_cores():
    every = os.sched_getaffinity(0)

    def share(number: int, of: int) -> set[int]:
        cores.keep_to_share(number, of)
        return os.sched_getaffinity(0)

    for of in range(1, len(every) + 1):
        shares = []
        for number in range(of):
            with ThreadPoolExecutor(1) as pool:
                shares.append(pool.submit(share, number, of).result())
        assert sorted(core for share in shares for core in share) == sorted(every)


def test_more_servers_than_cores_run_on_all_of_them(thread):
    every = os.sched_getaffinity(0)
    thread.submit(cores.keep_to_share, 0, len(every) + 1).result()
    assert thread.submit(os.sched_getaffinity, 0).result() == every


def test_programs_that_a_server_starts_run_on_all_cores(thread, tmp_path):
    every = os.sched_getaffinity(0)
    if len(every) < 2:
        pytest.skip("there is one core for all")
    thread.submit(cores.keep_to_share, 0, len(every)).result()
    with Inspector(1) as inspector:
        thread.submit(inspector.start).result()
        child = next(child for child in psutil.Process().children() if "sheepfold.kinds.inspecting" in child.cmdline())
        assert os.sched_getaffinity(child.pid) == every
    outcome = thread.submit(confine.run, ["nproc"], {}, tmp_path, ()).result()
    assert outcome.output.decode().strip() == str(len(every)), outcome
    assert thread.submit(os.sched_getaffinity, 0).result() == {min(every)}
