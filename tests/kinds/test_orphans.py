"""A pool's children end with their parent."""

import os
import signal
import subprocess
import sys
import time

from sheepfold.kinds.orphans import HUMBLE_NICE

PARENT = """
import os, time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from sheepfold.kinds.orphans import begin_humbly

if __name__ == "__main__":
    pool = ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=begin_humbly)
    print(pool.submit(os.getpid).result(), pool.submit(os.nice, 0).result(), flush=True)
    time.sleep(600)
"""


def is_running(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_child_of_a_pool_ends_when_its_parent_is_killed(tmp_path):
    program = tmp_path / "parent.py"
    program.write_text(PARENT)
    parent = subprocess.Popen([sys.executable, str(program)], stdout=subprocess.PIPE, text=True)
    child, nice = map(int, parent.stdout.readline().split())
    assert nice >= min(19, os.nice(0) + HUMBLE_NICE)
    assert is_running(child)
    parent.send_signal(signal.SIGKILL)
    parent.wait(30)
    ends_at = time.monotonic() + 60
    while is_running(child) and time.monotonic() < ends_at:
        time.sleep(0.05)
    assert not is_running(child)
    parent.stdout.close()
