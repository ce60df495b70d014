"""Making one shot: a browser is started, the page comes to rest, and the picture is taken."""

import os
from contextlib import ExitStack
from pathlib import Path

from sheepfold.kinds.screenshot.shooting.browsers import Engine
from sheepfold.kinds.screenshot.shooting.driving import Driver
from sheepfold.kinds.screenshot.shooting.gate import SOCKET
from sheepfold.kinds.screenshot.shooting.resting import Watch
from sheepfold.kinds.screenshot.shooting.shot import Shot
from sheepfold.kinds.screenshot.shooting.way import Way


def make(shot: Shot, folder: Path, profile: Path) -> bytes:
    """Return the picture of a page as PNG, by a browser whose screen is in a folder; raises ShotFailed.

    Its profile becomes another folder, which is not there yet.
    """
    way = Way(SOCKET)
    way.start()
    environment = wishes(shot)
    with ExitStack() as stack:
        screen = None
        if shot.mode == "window" or shot.engine == Engine.WEBKIT:
            from sheepfold.kinds.screenshot.shooting.screen import Screen  # noqa: PLC0415 -- only where one is needed

            screen = stack.enter_context(Screen(folder, shot))
            environment["DISPLAY"] = screen.display
        driver = started(shot, way.port, (folder, profile), environment)
        if screen is None or shot.mode != "window":
            return taken(shot, driver, way)
        driver.open(shot.url)
        watch = Watch(driver, way.quiet_s, shot.wait_s)
        watch.load()
        return screen.tall(driver, watch, shot)


def taken(shot: Shot, driver: Driver, way: Way) -> bytes:
    """Load a page in a browser and return its picture, of the viewport or of all its height."""
    driver.open(shot.url)
    watch = Watch(driver, way.quiet_s, shot.wait_s)
    watch.load()
    if shot.mode == "viewport":
        return driver.picture()
    from sheepfold.kinds.screenshot.shooting import taking  # noqa: PLC0415 -- it brings numpy along

    return taking.page(driver, watch, shot)


def wishes(shot: Shot) -> dict[str, str]:
    """Return the environment of a shot's browser: this program's, in the time zone that is ordered."""
    return dict(os.environ) | {"TZ": shot.time_zone or os.environ.get("TZ", "UTC")}


def started(shot: Shot, port: int, folders: tuple[Path, Path], environment: dict[str, str]) -> Driver:
    """Start the browser of a shot, with the folders of its screen and of its profile.

    The drivers are imported where they are used, as each costs a start some time.
    """
    folder, profile = folders
    if shot.engine == Engine.CHROMIUM:
        from sheepfold.kinds.screenshot.shooting.chromium import Chromium  # noqa: PLC0415

        return Chromium(shot, port, profile, environment)
    if shot.engine == Engine.FIREFOX:
        from sheepfold.kinds.screenshot.shooting.firefox import Firefox  # noqa: PLC0415

        return Firefox(shot, port, profile, environment)
    from sheepfold.kinds.screenshot.shooting.webkit import WebKit  # noqa: PLC0415

    return WebKit(shot, port, folder, environment)
