"""Rendering a screenshot with a real browser; the worker's alone."""

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path

import sheepfold
from sheepfold.kinds.screenshot.shooting import browsers
from sheepfold.kinds.screenshot.shooting.gate import Gate, Network, networks
from sheepfold.kinds.screenshot.shooting.shot import TALLEST_PAGE, USUAL_HEIGHT, USUAL_WAIT_S, Shot
from sheepfold.kinds.screenshot.spec import Mode, parse, views
from sheepfold.kinds.seam import RenderFailed, RenderOrder, Spec, Workbench
from sheepfold.model.errors import InvalidSpec

ALLOWED = "SHEEPFOLD_SCREENSHOT_ALLOWED_RANGES"
"""The variable in which a machine's owner names networks, by commas, that browsers may reach though not public."""
FONT_CACHE = Path("/var/cache/fontconfig")
WINDOW_ASPECT = 4  # a whole screen grows to so many times its width, as the old factories' did
_DECISIVE = ("url", "browsers", "widths", "platform", "height", "bpp", "javascript", "mode", "pixel_ratio", "dark",
             "reduced_motion", "locale", "time_zone", "wait_s")  # fmt: skip


def render(order: RenderOrder, workbench: Workbench) -> Path:
    """Return the picture of one view, in the workbench's folder, shot by a browser that this one picture is made with.

    The program inside the walls has no network; its browser goes through a gate at a socket in the folder. Raises
    RenderFailed where the browser is not here or the page cannot be shot, with the reason.
    """
    shot = shot_of(order)
    folder = workbench.folder
    (folder / "order.json").write_text(shot.to_json(), "utf-8")
    picture = folder / f"screenshot-{order.frame}.png"
    picture.unlink(missing_ok=True)
    gate = Gate(folder, allowed())
    gate.start()
    try:
        workbench.run(command("program", "order.json", picture.name), environment(folder), readable=readable(shot))
    except RenderFailed as error:
        raise RenderFailed(_reason(error, gate)) from error
    finally:
        gate.close()
    if not picture.is_file() or picture.is_symlink() or picture.stat().st_size == 0:
        raise RenderFailed("the browser ended well but left no picture")
    return picture


def open_chain(order: RenderOrder, workbench: Workbench) -> "Chain":
    """Return browsers that are kept for the views of one order; raises as `render` does."""
    return Chain(order, workbench)


class Chain:
    """A program that keeps browsers between the views of an order, and leaves nothing of one page to the next."""

    def __init__(self, order: RenderOrder, workbench: Workbench) -> None:
        self._folder = workbench.folder
        self._gate = Gate(self._folder, allowed())
        self._gate.start()
        try:
            self._program = workbench.start(
                command("serving"), environment(self._folder), readable=readable(shot_of(order))
            )
        except BaseException:
            self._gate.close()
            raise

    def render(self, order: RenderOrder) -> Path:
        """Return the picture of one view; raises RenderFailed with the reason."""
        picture = self._folder / f"screenshot-{order.frame}.png"
        picture.unlink(missing_ok=True)
        self._gate.refused.clear()
        told = {"shot": json.loads(shot_of(order).to_json()), "picture": picture.name}
        line = self._program.ask(json.dumps(told).encode() + b"\n")
        reason = _complaint(line)
        if reason:
            raise RenderFailed(_reason(RenderFailed(reason), self._gate))
        if not picture.is_file() or picture.is_symlink() or picture.stat().st_size == 0:
            raise RenderFailed("the browser answered well but left no picture")
        return picture

    def close(self) -> None:
        """End the browsers; may be called twice."""
        self._program.close()
        self._gate.close()


def _complaint(line: bytes) -> str:
    """Return what the program has to say against a shot; an empty text where it was made."""
    try:
        told = json.loads(line)
    except ValueError:
        return "the browsers' program answered nonsense" if line else "the browsers' program ended without an answer"
    return str(told.get("error", ""))[:500] if isinstance(told, dict) else "the browsers' program answered nonsense"


def shot_of(order: RenderOrder) -> Shot:
    """Return what to shoot with which of this machine's browsers.

    Raises RenderFailed where there is none, and for what no farm may ask for.
    """
    spec = _checked(order.spec)
    seen = views(spec)
    if not 0 <= order.frame < len(seen):
        raise RenderFailed(f"the farm asks for what is no view of its order, which has {len(seen)}")
    view, mode = seen[order.frame], Mode(spec["mode"])
    found = browsers.find(view.browser, view.version)
    if found is None:
        raise RenderFailed(f"there is no {view.browser} {view.version}".strip() + " on this machine")
    if mode == Mode.WINDOW and not browsers.has_screen():
        raise RenderFailed("a whole screen needs Xvfb and icewm; Debian has them in the packages xvfb and icewm")
    return Shot(
        url=spec["url"], engine=found.engine, program=found.program, driver=found.driver, mode=mode.value,
        width=view.width, height=spec["height"] or round(view.width * USUAL_HEIGHT[mode]),
        depth=spec["bpp"] or 24, pixel_ratio=spec["pixel_ratio"],
        tallest=WINDOW_ASPECT * view.width if mode == Mode.WINDOW else TALLEST_PAGE,
        dark=spec["dark"], reduced_motion=spec["reduced_motion"], locale=spec["locale"],
        time_zone=spec["time_zone"], javascript=spec["javascript"] != "disabled",
        wait_s=spec["wait_s"] or USUAL_WAIT_S,
    )  # fmt: skip


def _checked(spec: Spec) -> Spec:
    """Check an order once more: a farm is a stranger to its worker, whose files a page of `file:` would show.

    What is not decisive for the picture is left out, as a newer farm's orders may say more than is known here.
    """
    try:
        return parse({name: spec[name] for name in _DECISIVE if name in spec})
    except InvalidSpec as error:
        raise RenderFailed(f"the farm asks for what must not be shot: {error}") from error


def command(program: str, *words: str) -> list[str]:
    """Return the command that runs one of our programs in this worker's own Python."""
    return [sys.executable, "-I", "-B", "-m", f"sheepfold.kinds.screenshot.shooting.{program}", *words]


def environment(folder: Path) -> dict[str, str]:
    """Return the environment of a browser that keeps all of its own in a folder, and reads no user's settings."""
    own = str(folder)
    return {"HOME": own, "XDG_RUNTIME_DIR": own, "XDG_CONFIG_HOME": f"{own}/config", "XDG_CACHE_HOME": f"{own}/cache",
            "LANG": "C.UTF-8", "PATH": "/usr/local/bin:/usr/bin:/bin:/usr/games", "NO_AT_BRIDGE": "1",
            "DBUS_SESSION_BUS_ADDRESS": "unix:path=/nonexistent", "SE_AVOID_STATS": "true"}  # fmt: skip


def readable(shot: Shot) -> list[Path]:
    """Return the folders that the walls must show: this Python, its packages, this package, and the browser's.

    Without the system's cache of fonts each browser would read all fonts anew, for a second or two.
    """
    bases = {Path(sys.prefix), Path(sys.base_prefix), Path(sheepfold.__file__).parent}
    bases |= {Path(shot.program).parent} if shot.program.startswith("/opt/") else set()
    bases |= {FONT_CACHE} if FONT_CACHE.is_dir() else set()
    return sorted(base for base in bases if base != Path("/usr"))


def allowed(variables: Mapping[str, str] = os.environ) -> tuple[Network, ...]:
    """Return the networks that this machine's owner lets browsers reach though they are not public."""
    try:
        return networks(variables.get(ALLOWED, "").split(","))
    except ValueError as error:
        raise RenderFailed(f"{ALLOWED} must be networks such as 127.0.0.0/8, by commas: {error}") from error


def _reason(error: RenderFailed, gate: Gate) -> str:
    if not gate.refused:
        return str(error)
    hosts = ", ".join(list(dict.fromkeys(gate.refused))[:3])
    return f"{error}; kept away from addresses that are not public: {hosts}"
