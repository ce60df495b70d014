"""The command line, armed: `launcher.py BORDER … -- WORD …` kills itself (SIGKILL) at the borders of named functions.

A border is `before MODULE:NAME` or `after MODULE:NAME`, where the name is the one by which the function is called: that
of the module that imported it. A number behind it says at which call, the first by default. At a border that begins
with `hold` nobody dies: whoever comes there says so in a line, HELD, and stays. The file that FAULTS_CLOCK names holds
seconds by which this process's clock is wrong.
"""

import functools
import importlib
import itertools
import os
import signal
import sys
import threading
import time
from pathlib import Path

HELD = "held at the border"


def arm(border):
    is_held = border.startswith("hold ")
    when, place, *number = border.removeprefix("hold ").split()
    module, _, path = place.partition(":")
    owner = importlib.import_module(module)
    *owners, name = path.split(".")
    for one in owners:
        owner = getattr(owner, one)
    deed, calls, fatal = getattr(owner, name), itertools.count(1), int(number[0]) if number else 1

    def cross(side, call):
        if side != when:
            return
        if is_held:
            os.write(2, f"{HELD}\n".encode())
            threading.Event().wait()
        if call == fatal:
            os.kill(os.getpid(), signal.SIGKILL)

    @functools.wraps(deed)
    def deadly(*args, **kwargs):
        call = next(calls)
        cross("before", call)
        answer = deed(*args, **kwargs)
        cross("after", call)
        return answer

    setattr(owner, name, deadly)


def bend_clock(file):
    true_time = time.time

    def bent():
        try:
            return true_time() + float(file.read_text() or 0)
        except FileNotFoundError:
            return true_time()

    time.time = bent


if __name__ == "__main__":
    cut = sys.argv.index("--")
    borders, sys.argv = sys.argv[1:cut], ["sheepfold", *sys.argv[cut + 1:]]
    if "FAULTS_CLOCK" in os.environ:
        bend_clock(Path(os.environ["FAULTS_CLOCK"]))
    for one in borders:
        arm(one)
    from sheepfold.cli.main import main
    main()
