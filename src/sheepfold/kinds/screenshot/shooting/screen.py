"""A screen of its own for one browser: Xvfb, with a window manager and its task bar, and what is seen on it."""

import os
import subprocess
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Self

import numpy as np
from PIL import Image

from sheepfold.kinds.screenshot.shooting import framebuffer
from sheepfold.kinds.screenshot.shooting.driving import Driver
from sheepfold.kinds.screenshot.shooting.ending import end_group
from sheepfold.kinds.screenshot.shooting.merging import Pixels, merge
from sheepfold.kinds.screenshot.shooting.resting import Watch
from sheepfold.kinds.screenshot.shooting.shot import Shot, ShotFailed
from sheepfold.kinds.screenshot.shooting.taking import png, tops

_START_S = 15.0
_FRAME_S = 0.04  # two frames of a screen of 50 Hz
_SCROLL_BAR = "window.innerWidth - document.documentElement.clientWidth"
_WIDEST_BAR = 40  # pixels; a page may say anything
_FEWEST_SCREENS = 3  # of two, neither is the rule
# The title bar and the task bar, as people have them; nothing on it moves by itself but the clock's minutes.
_PREFERENCES = """\
ShowTaskBar=1
TaskBarAutoHide=0
TaskBarShowClock=1
TimeFormat="%H:%M"
TaskBarShowAPMStatus=0
TaskBarShowCPUStatus=0
TaskBarShowMEMStatus=0
TaskBarShowNetStatus=0
TaskBarShowMailboxStatus=0
TaskBarShowWorkspaces=0
TaskBarShowCollapseButton=0
TaskBarShowWindowListMenu=1
ShowPopupsAbovePointer=0
ToolTipDelay=600000
EnableAddressBar=0
DesktopBackgroundColor="rgb:3a/6e/a5"
WorkspaceNames="1"
ShowWorkspaceStatus=0
FocusOnMap=1
ClickToFocus=1
"""
_WINDOWS = "".join(
    f"{name}.startMaximized: 1\n{name}.startMaximizedVert: 1\n{name}.startMaximizedHorz: 1\n"
    for name in ("firefox", "firefox-esr", "firefox-default", "Navigator", "Chromium", "chromium", "Google-chrome",
                 "MiniBrowser", "Epiphany", "Org.gnome.Epiphany")
)  # fmt: skip


class Screen:
    """An X screen with a window manager, until the block ends; whole pictures of it are taken here."""

    def __init__(self, folder: Path, shot: Shot) -> None:
        self._folder = folder
        self._shot = shot
        self._stack = ExitStack()
        self.display = ""

    def __enter__(self) -> Self:
        try:
            self.display = self._shown()
            if self._shot.mode == "window":
                self._manage()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def tall(self, driver: Driver, watch: Watch, shot: Shot) -> bytes:
        """Return the whole screen as PNG, grown by what scrolling the page brings to light."""
        screens: list[Pixels] = []
        steps: list[int] = []
        last = 0
        for state in tops(driver, watch, lambda _: shot.tallest - shot.height):
            before = screens[-1] if screens else None
            screens.append(framebuffer.still(self._folder / framebuffer.FILE, before))
            steps.append(state.top - last)
            last = state.top
        told = driver.evaluate(_SCROLL_BAR)
        screens = _with_one_thumb(screens, told if isinstance(told, int) else 0)
        return png(_with_depth(merge(screens, steps[1:]), shot.depth))

    def _pixels(self) -> Pixels:
        try:
            return framebuffer.read(self._folder / framebuffer.FILE)
        except (OSError, ValueError) as error:
            raise ShotFailed(f"the screen cannot be read: {error}") from error

    def _shown(self) -> str:
        """Start Xvfb on a display that it chooses; returns the display's name."""
        shot = self._shot
        folder = self._folder / "screen"
        folder.mkdir(exist_ok=True)
        width, height = (shot.width, shot.height) if shot.mode == "window" else _room(shot)
        reading, writing = os.pipe()
        form = f"{width}x{height}x{_drawn_depth(shot.depth)}"
        argv = ["Xvfb", "-displayfd", str(writing), "-screen", "0", form, "-fbdir", str(folder), "-nocursor",
                "-nolisten", "tcp", "-noreset", "-dpi", "96"]  # fmt: skip
        self._start(argv, pass_fds=(writing,))
        os.close(writing)
        with os.fdopen(reading, "rb") as told:
            number = told.readline().strip()
        if not number:
            raise ShotFailed(f"Xvfb shows no screen of {width}x{height} with {shot.depth} bits a pixel")
        return f":{int(number)}"

    def _manage(self) -> None:
        """Start the window manager; returns when it manages windows, which its task bar tells."""
        own = self._folder / "icewm"
        own.mkdir(exist_ok=True)
        (own / "preferences").write_text(_PREFERENCES, "utf-8")
        (own / "winoptions").write_text(_WINDOWS, "utf-8")
        (own / "toolbar").write_text("", "utf-8")  # no icons of other programs beside the windows' buttons
        (own / "theme").write_text('Theme="default/default.theme"\n', "utf-8")
        empty = self._pixels()
        self._start(["icewm"], extra={"DISPLAY": self.display, "ICEWM_PRIVCFG": str(own)})
        end = time.monotonic() + _START_S
        while not _has_bar(empty, self._pixels()):
            if time.monotonic() > end:
                raise ShotFailed("the window manager did not start")
            time.sleep(_FRAME_S)

    def _start(self, argv: list[str], *, pass_fds: tuple[int, ...] = (), extra: dict[str, str] | None = None) -> None:
        try:
            process = subprocess.Popen(
                argv, env=dict(os.environ) | (extra or {}), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL, start_new_session=True, pass_fds=pass_fds,
            )  # fmt: skip
        except OSError as error:
            raise ShotFailed(f"{argv[0]} cannot be started: {error.strerror}") from error
        self._stack.callback(end_group, process)


def _with_one_thumb(screens: list[Pixels], bar: int) -> list[Pixels]:
    """Return screens of which only the first has a thumb in its scroll bar, so many columns wide at the right edge.

    In one tall picture they would stand one below the other. Elsewhere the bar is as most of the screens show it.
    """
    if not 0 < bar < _WIDEST_BAR or len(screens) < _FEWEST_SCREENS:
        return screens
    track = np.median([screen[:, -bar:] for screen in screens], axis=0).astype(np.uint8)
    return [screens[0], *(np.concatenate((screen[:, :-bar], track), axis=1) for screen in screens[1:])]


def _drawn_depth(depth: int) -> int:
    """Return the depth that browsers are shown: on a screen with a palette those of today stay black."""
    return depth if depth in {15, 16} else 24


def _with_depth(rows: Pixels, depth: int) -> Pixels:
    """Return pixels as a screen with a palette shows them: of 256 colours the cube of 216 that all browsers had."""
    if depth > 8:
        return rows
    image = Image.fromarray(rows)
    few = image.convert("1") if depth == 1 else image.convert("P", palette=Image.Palette.WEB)
    if depth == 4:
        few = image.quantize(16, Image.Quantize.MEDIANCUT)
    return np.asarray(few.convert("RGB"))


def _has_bar(empty: Pixels, now: Pixels) -> bool:
    """Say whether the lowest rows of a screen have been drawn upon."""
    return not np.array_equal(empty[-16:], now[-16:])


def _room(shot: Shot) -> tuple[int, int]:
    """Return a screen that a window with the ordered viewport has room on, in device pixels."""
    return (shot.width + 200) * shot.pixel_ratio, (shot.height + 300) * shot.pixel_ratio
