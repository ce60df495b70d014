"""The program inside the walls that stays: browsers are kept for one order's shots, each with nothing left of the last.

Run as `python -m sheepfold.kinds.screenshot.shooting.serving` in the folder that holds the gate's socket. It answers
each line, a JSON object of `shot` and `picture` (a file's name), by a line: an empty object, or one with an `error`.
Chromium and Firefox are kept where they shoot by remote control; whole screens and WebKitGTK begin anew for each shot.
"""

import json
import os
import shutil
import sys
import threading
from pathlib import Path

from sheepfold.kinds.screenshot.shooting.browsers import Engine
from sheepfold.kinds.screenshot.shooting.chromium import Chromium
from sheepfold.kinds.screenshot.shooting.firefox import Firefox
from sheepfold.kinds.screenshot.shooting.gate import SOCKET
from sheepfold.kinds.screenshot.shooting.making import make, taken, wishes
from sheepfold.kinds.screenshot.shooting.program import GRACE_S, end_all, profiles
from sheepfold.kinds.screenshot.shooting.shot import Shot, ShotFailed
from sheepfold.kinds.screenshot.shooting.way import Way

Kept = Chromium | Firefox


class Keeper:
    """The browsers that are kept, by their programs."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._kept: dict[str, Kept] = {}
        self._way = Way(SOCKET)
        self._way.start()

    def picture(self, shot: Shot) -> bytes:
        """Return the picture of a page as PNG; raises ShotFailed, after which the browser is not kept."""
        if shot.mode == "window" or shot.engine == Engine.WEBKIT:
            room = self._folder / f"single-{os.urandom(4).hex()}"
            room.mkdir()
            return make(shot, room, _new_profile())
        driver = self._browser(shot)
        try:
            return taken(shot, driver, self._way)
        except ShotFailed:
            self._kept.pop(shot.program).close()
            raise

    def _browser(self, shot: Shot) -> Kept:
        kept = self._kept.get(shot.program)
        if kept is not None:
            try:
                kept.renew(shot)
            except ShotFailed:
                self._kept.pop(shot.program).close()  # it may have died since; a new one may do
            else:
                return kept
        start = Chromium if shot.engine == Engine.CHROMIUM else Firefox
        self._kept[shot.program] = start(shot, self._way.port, _new_profile(), wishes(shot))
        return self._kept[shot.program]


def _new_profile() -> Path:
    return profiles() / os.urandom(4).hex()


def answer(keeper: Keeper, line: str) -> dict[str, str]:
    """Make one shot; returns what to say of it."""
    told = json.loads(line)
    shot = Shot.from_json(json.dumps(told["shot"]))
    timer = threading.Timer(shot.wait_s + GRACE_S, _end_as_hung)
    timer.daemon = True
    timer.start()
    try:
        Path(told["picture"]).write_bytes(keeper.picture(shot))
    except ShotFailed as error:
        return {"error": " ".join(str(error).split())[:500]}
    finally:
        timer.cancel()
    return {}


def _end_as_hung() -> None:
    _say({"error": "the browser hung and was ended"})
    end_all()
    os._exit(1)


def _say(told: dict[str, str]) -> None:
    sys.stdout.write(json.dumps(told) + "\n")
    sys.stdout.flush()


def main() -> None:
    """Answer line by line until there are no more."""
    keeper = Keeper(Path.cwd())
    try:
        for line in sys.stdin:
            _say(answer(keeper, line))
    finally:
        end_all()
        shutil.rmtree(profiles(), ignore_errors=True)
        os._exit(0)


if __name__ == "__main__":
    main()
