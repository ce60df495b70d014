"""Rendering a Blender frame with bpy in a process of its own; the worker's alone."""

import json
from pathlib import Path
from typing import Any

from sheepfold.kinds.blender import home, project
from sheepfold.kinds.blender.script import script_of
from sheepfold.kinds.seam import RenderFailed, RenderOrder, Workbench
from sheepfold.model.errors import InvalidSpec

_PROJECT, _FRAMES = "project", "frames"


def render(order: RenderOrder, workbench: Workbench) -> Path:
    """Return the picture of one frame, in the workbench's folder, rendered by a process of its own.

    `order.inputs` holds the project, by any name. The scene is set as the spec says, or by `order.script` in its place.
    Raises RenderFailed where there is no bpy, no project or no picture.
    """
    python = _python()
    words = _words(order, workbench.folder)
    frames = workbench.folder / _FRAMES
    _make_room(frames, order.frame)
    argv = home.command(python, *words, "-f", str(order.frame))
    workbench.run(argv, home.environment(workbench.folder), readable=_readable(python, order))
    return _picture(frames, order.frame)


def open_chain(order: RenderOrder, workbench: Workbench) -> "Chain":
    """Return a Blender that has an order's scene loaded; raises as `render` does."""
    return Chain(order, workbench)


class Chain:
    """One Blender that keeps the scene of one order loaded and renders frame after frame of it.

    A frame is the same as from a process of its own.
    """

    def __init__(self, order: RenderOrder, workbench: Workbench) -> None:
        python = _python()
        self._frames = workbench.folder / _FRAMES
        argv = home.command(python, "--serve", *_words(order, workbench.folder))
        self._blender = workbench.start(
            argv, home.environment(workbench.folder), readable=_readable(python, order)
        )
        try:
            _understood(self._blender.ask(b""))
        except BaseException:
            self.close()
            raise

    def render(self, order: RenderOrder) -> Path:
        """Return the picture of one frame; raises RenderFailed."""
        _make_room(self._frames, order.frame)
        _understood(self._blender.ask(json.dumps({"frame": order.frame}).encode() + b"\n"))
        return _picture(self._frames, order.frame)

    @property
    def is_alive(self) -> bool:
        """Say whether its Blender still runs."""
        return self._blender.is_alive

    def close(self) -> None:
        """End its Blender; may be called twice."""
        self._blender.close()


def _understood(line: bytes) -> None:
    answer = _parsed(line)
    if "error" in answer:
        raise RenderFailed(str(answer["error"])[:500])
    if not answer:
        raise RenderFailed("Blender ended without an answer" if not line else "Blender answered nonsense")


def _python() -> Path:
    python = home.find()
    if python is None:
        raise RenderFailed("there is no bpy on this machine; scripts/setup-bpy installs it")
    return python


def _words(order: RenderOrder, folder: Path) -> list[str]:
    """Return the words for Blender up to the frame, with the project unpacked and the script written."""
    spec = order.spec
    try:
        # an order's EITHER is the CPU: of a GPU's picture nothing is known that the machine's own abilities do not tell
        text = order.script or script_of(spec, "GPU" if spec.get("compute") == "gpu" else "CPU")
    except (KeyError, TypeError, ValueError) as error:
        raise RenderFailed(f"the farm asks for what Blender cannot do: {error}") from error
    scene = _scene(order, folder)
    script = folder / "order.py"
    script.write_text(text, "utf-8")
    frames = folder / _FRAMES
    frames.mkdir(exist_ok=True)
    threads = ["-t", str(int(spec["threads"]))] if spec.get("threads") else []
    return [*threads, "--factory-startup", "--disable-autoexec", "-noaudio", "--python-exit-code", "3",
            "-b", str(scene), "-P", str(script), "-o", f"{frames}/", "-x", "1"]  # fmt: skip


def _scene(order: RenderOrder, folder: Path) -> Path:
    """Return the .blend to render: of an archive unpacked into the folder once, or the input as it lies."""
    path = _input(order)
    main = str(order.spec.get("main", ""))
    target = folder / _PROJECT
    try:
        if not project.look_into(path, main).files:
            return path
        ready = folder / f"{_PROJECT}.ready"
        if not ready.exists():
            target.mkdir()
            ready.write_text(str(project.unpack(path, target, main)), "utf-8")
        return Path(ready.read_text("utf-8"))
    except InvalidSpec as error:
        raise RenderFailed(str(error)) from error


def _input(order: RenderOrder) -> Path:
    if len(order.inputs) != 1:
        raise RenderFailed(f"a Blender task has one input, its project; this one came with {len(order.inputs)}")
    return next(iter(order.inputs.values())).absolute()


def _readable(python: Path, order: RenderOrder) -> list[Path]:
    return [*home.readable(python), _input(order)]


def _make_room(frames: Path, frame: int) -> None:
    for picture in _pictures(frames, frame):
        picture.unlink()


def _pictures(frames: Path, frame: int) -> list[Path]:
    """Return what there is of a frame; the script decides on the format, and Blender on the suffix."""
    return sorted(frames.glob(f"{frame:04d}.*"))


def _picture(frames: Path, frame: int) -> Path:
    found = _pictures(frames, frame)
    if len(found) != 1 or not found[0].is_file() or found[0].is_symlink() or found[0].stat().st_size == 0:
        there = ", ".join(sorted(path.name for path in frames.iterdir())[:5]) or "nothing"
        raise RenderFailed(f"Blender ended well but left no picture of frame {frame}; there is {there}")
    return found[0]


def _parsed(line: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(line)
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}
