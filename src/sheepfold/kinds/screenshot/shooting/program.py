"""The program inside the walls: drive a browser through one shot, write the picture, and end with all it started.

Run as `python -m sheepfold.kinds.screenshot.shooting.program ORDER.json PICTURE.png` in the folder that holds the
gate's socket. It ends with status 0 and a picture, or with 1 and its reason as the last line that it prints.
"""

import functools
import os
import shutil
import sys
import tempfile
import threading
from contextlib import suppress
from pathlib import Path

import psutil

from sheepfold.kinds.screenshot.shooting.shot import Shot, ShotFailed

GRACE_S = 45.0
"""What start, scrolling and merging may take besides the wait for the page; then all is ended as hung."""


@functools.cache
def profiles() -> Path:
    """Return a folder for profiles: behind the walls it is memory, gone with them; for a disk each start would wait."""
    return Path(tempfile.mkdtemp(prefix="sheepfold-profiles-"))


def main(order: str, target: str) -> int:
    """Make the shot that a file orders."""
    shot = Shot.from_json(Path(order).read_text("utf-8"))
    timer = threading.Timer(shot.wait_s + GRACE_S, _end_as_hung)
    timer.daemon = True
    timer.start()
    try:
        from sheepfold.kinds.screenshot.shooting.making import make  # noqa: PLC0415 -- after the clock has started

        picture = make(shot, Path.cwd(), profiles() / "single")
        Path(target).write_bytes(picture)
    except ShotFailed as error:
        _say(_line(error))
        return 1
    finally:
        end_all()
        shutil.rmtree(profiles(), ignore_errors=True)
    return 0


def _say(line: str) -> None:
    """Print a line to the task's log, whose last one is the reason of a failure."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:500]


def _end_as_hung() -> None:
    _say("the browser hung and was ended")
    end_all()
    shutil.rmtree(profiles(), ignore_errors=True)
    os._exit(1)


def end_all() -> None:
    """Kill all that this program started, of whatever group: the browser leads a group of its own."""
    for child in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):
            child.kill()


if __name__ == "__main__":
    status = main(sys.argv[1], sys.argv[2])
    sys.stdout.flush()
    os._exit(status)  # what the libraries would tidy up now is gone already
