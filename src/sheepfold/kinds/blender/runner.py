"""Blender's command line over the bpy module: one file of the standard library and bpy, run on bpy's own Python.

    python -I runner.py WORDS…           do what `blender WORDS…` does, with the log lines that clients read
    python -I runner.py --serve WORDS…   the same, then render each `{"frame": N}` that comes as a line of stdin; answer
                                         each by a line on stdout, `{"frame", "saved", "seconds"}` or `{"error"}`
    python -I runner.py --inspect SCENE  print one JSON object on what a scene is, or `{"error"}`
    python -I runner.py --version        print `Blender X.Y.Z`

Of Blender's words it knows those that render farms send: `-b -t -noaudio --factory-startup --disable-autoexec SCENE -P
-o -F -E -f -x --python-exit-code` and their long forms. As in Blender the scene, scripts, output and frames take
their turn in the order of the words, a script's failure ends nothing unless `--python-exit-code` says so, and the
scene's own scripts never run. Where Blender would still end with 0, a scene that cannot be read or a frame that was
not made ends with 1. What a project would write besides its frame (nodes of type File Output) is taken out.
"""

# ruff: noqa: T201 -- a program, whose lines are what clients read

import ctypes
import importlib
import io
import json
import math
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

Step = tuple[str, str]
Rna = Any  # what bpy hands out

BAD_WORDS = 2
_FLAGS = {
    "-b", "--background", "--factory-startup", "-Y", "--disable-autoexec", "-noaudio", "-q", "--quiet",
    "--enable-event-simulate", "--offline-mode",
}  # fmt: skip
_STEPS = {
    "-P": "script", "--python": "script", "-o": "output", "--render-output": "output", "-E": "engine",
    "--engine": "engine", "-F": "format", "--render-format": "format", "-x": "extension",
    "--use-extension": "extension", "-f": "frame", "--render-frame": "frame",
}  # fmt: skip
_SETTINGS = {"-t": "threads", "--threads": "threads", "--python-exit-code": "exit_code", "-setaudio": "audio"}
# EEVEE is called so in 2.8 to 4.1 and again from 5.0 on; 4.2 to 4.5 added a word.
_EEVEES = ("BLENDER_EEVEE", "BLENDER_EEVEE_NEXT")


class Refused(Exception):
    """A step failed, with a sentence why; `status` is how the program ends."""

    def __init__(self, sentence: str, status: int = 1) -> None:
        super().__init__(sentence)
        self.status = status


@dataclass(slots=True)
class Plan:
    """What a command line asks for: settings that hold for all of it, and steps in their order."""

    settings: dict[str, str] = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)

    @property
    def threads(self) -> int:
        """Return the threads to render with; 0 is one for each core."""
        return int(self.settings.get("threads", "0"))

    @property
    def exit_code(self) -> int:
        """Return how the program ends when a script fails; 0 goes on."""
        return int(self.settings.get("exit_code", "0"))


def plan_of(words: list[str]) -> Plan:
    """Read Blender's words; raises Refused for a word that is not known."""
    plan = Plan()
    rest = iter(words)
    for word in rest:
        if word == "--":
            break
        if word in _SETTINGS:
            plan.settings[_SETTINGS[word]] = _value(word, rest)
        elif word in _STEPS:
            plan.steps.append((_STEPS[word], _value(word, rest)))
        elif not word.startswith("-"):
            plan.steps.append(("scene", word))
        elif word not in _FLAGS:
            raise Refused(f"Error: unknown argument {word}", BAD_WORDS)
    for name in ("threads", "exit_code"):
        if not plan.settings.get(name, "0").isdecimal():
            raise Refused(f"Error: {name} must be a whole number, not {plan.settings[name]}", BAD_WORDS)
    return plan


def _value(word: str, rest: Iterator[str]) -> str:
    value = next(rest, None)
    if value is None:
        raise Refused(f"Error: {word} needs a value", BAD_WORDS)
    return value


def frames_of(text: str) -> list[int]:
    """Read the frames of `-f`: `7`, `0007`, `1,5`, `1..9`."""
    frames: list[int] = []
    try:
        for piece in text.split(","):
            first, _, last = piece.partition("..")
            frames += range(int(first), int(last or first) + 1)
    except ValueError as error:
        raise Refused(f"Error: -f needs frames such as 7 or 1..9, not {text}", BAD_WORDS) from error
    return frames


class Stage:
    """Blender with a scene; its methods are the steps of a plan."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._bpy = _blender()

    def do(self, step: Step) -> None:
        """Take one step; raises Refused."""
        name, value = step
        deeds: dict[str, Callable[[str], object]] = {
            "scene": self.load,
            "script": self.run_script,
            "output": self._set_output,
            "engine": self._set_engine,
            "format": self._set_format,
            "extension": self._set_extension,
            "frame": lambda text: [self.render(frame) for frame in frames_of(text)],
        }
        deeds[name](value)

    def load(self, path: str) -> None:
        """Load a scene without running what it holds."""
        _load(self._bpy, path)
        _mute(self._bpy)

    def run_script(self, path: str) -> None:
        """Run a script of ours or of a client's, in a namespace of its own."""
        space = {"__name__": "__main__", "__file__": path, "__builtins__": __builtins__}
        try:
            exec(compile(Path(path).read_bytes(), path, "exec"), space)  # noqa: S102 -- `-P` is there for that
        except Exception as error:
            traceback.print_exc()
            sys.stderr.flush()
            if self._plan.exit_code:
                raise Refused(f"Error: the script {path} failed: {error}", self._plan.exit_code) from error

    def render(self, frame: int) -> Path:
        """Render one frame to a file and return its path."""
        self._set_threads()
        scene = self._bpy.context.scene
        render = scene.render
        kept = scene.frame_start, scene.frame_end, scene.frame_step
        scene.frame_start = scene.frame_end = frame
        scene.frame_step = 1
        if scene.frame_start != frame:
            raise Refused(f"Error: there is no frame {frame}")
        try:
            self._bpy.ops.render.render(animation=True)
        except RuntimeError as error:
            raise Refused(str(error).strip()) from error
        finally:
            scene.frame_start, scene.frame_end, scene.frame_step = kept
        saved = Path(self._bpy.path.abspath(render.frame_path(frame=frame)))
        if not saved.is_file():
            raise Refused(f"Error: frame {frame} was not saved as {saved}")
        return saved

    def keep_warm(self) -> None:
        """Have Cycles keep what does not change from frame to frame, such as trees of geometry and of light."""
        self._bpy.context.scene.render.use_persistent_data = True

    @property
    def remembers(self) -> bool:
        """Say whether a frame may depend on those that were rendered before it, as in a simulation."""
        return any(True for _ in _simulations(self._bpy))

    def _set_output(self, prefix: str) -> None:
        self._bpy.context.scene.render.filepath = prefix

    def _set_extension(self, value: str) -> None:
        self._bpy.context.scene.render.use_file_extension = value != "0"

    def _set_format(self, name: str) -> None:
        try:
            self._bpy.context.scene.render.image_settings.file_format = name
        except TypeError as error:
            raise Refused(f"Error: Format '{name}' not available") from error

    def _set_engine(self, name: str) -> None:
        for known in _EEVEES if name in _EEVEES else (name,):
            try:
                self._bpy.context.scene.render.engine = known
            except TypeError:
                continue
            return
        raise Refused(f"Error: Engine '{name}' not available")

    def _set_threads(self) -> None:
        render = self._bpy.context.scene.render
        render.threads_mode = "FIXED" if self._plan.threads else "AUTO"
        if self._plan.threads:
            render.threads = self._plan.threads


def _blender() -> Rna:
    """Import bpy; by name, as only this program's Python has it."""
    return importlib.import_module("bpy")


def _load(bpy: Rna, path: str) -> None:
    bpy.context.preferences.filepaths.use_scripts_auto_execute = False
    if not Path(path).is_file():
        raise Refused(f"Error: Cannot read file \"{path}\": No such file or directory")
    try:
        bpy.ops.wm.open_mainfile(filepath=str(Path(path).absolute()), load_ui=False, use_scripts=False)
    except RuntimeError as error:
        raise Refused(str(error).strip()) from error


def _mute(bpy: Rna) -> None:
    """Take out the nodes that write files of their own."""
    trees = [scene.node_tree for scene in bpy.data.scenes if getattr(scene, "node_tree", None)]
    for tree in [*trees, *bpy.data.node_groups]:
        for node in [node for node in tree.nodes if node.bl_idname == "CompositorNodeOutputFile"]:
            tree.nodes.remove(node)


def _simulations(bpy: Rna) -> Iterator[tuple[str, bool]]:
    """Name what simulates, and whether it is baked, so that its frames depend on none before them."""
    for scene in bpy.data.scenes:
        if scene.rigidbody_world and scene.rigidbody_world.collection:
            yield f"{scene.name} (rigid bodies)", scene.rigidbody_world.point_cache.is_baked
    for thing in bpy.data.objects:
        for modifier in thing.modifiers:
            baked = _baked(modifier)
            if baked is not None:
                yield f"{thing.name} ({modifier.name})", baked
    for tree in bpy.data.node_groups:
        if any(node.bl_idname == "GeometryNodeSimulationOutput" for node in tree.nodes):
            yield f"{tree.name} (simulation nodes)", False


def _baked(modifier: Rna) -> bool | None:
    """Say whether a modifier's simulation is baked; None for a modifier that simulates nothing."""
    match modifier.type:
        case "CLOTH" | "SOFT_BODY":
            return bool(modifier.point_cache.is_baked)
        case "PARTICLE_SYSTEM":
            system = modifier.particle_system
            is_still = system.settings.type == "HAIR" and not system.use_hair_dynamics
            return None if is_still else bool(system.point_cache.is_baked)
        case "FLUID" if modifier.fluid_type == "DOMAIN":
            return bool(modifier.domain_settings.has_cache_baked_data)
        case "DYNAMIC_PAINT" if modifier.canvas_settings:
            return all(surface.point_cache.is_baked for surface in modifier.canvas_settings.canvas_surfaces)
    return None


def inspect(bpy: Rna, path: str) -> dict[str, Any]:
    """Load a scene and return what it is, in words of JSON."""
    _load(bpy, path)
    scene = bpy.context.scene
    render = scene.render
    share = render.resolution_percentage / 100
    return {
        "blender": _version(bpy),
        "saved_by": ".".join(map(str, bpy.data.version[:2])),
        "scene": scene.name,
        "frame_start": scene.frame_start,
        "frame_end": scene.frame_end,
        "frame_step": scene.frame_step,
        "fps": render.fps / render.fps_base if render.fps_base else 24.0,
        "engine": "BLENDER_EEVEE" if render.engine in _EEVEES else render.engine,
        "engine_is_known": _is_known(render),
        "samples": _samples(scene),
        "width": math.floor(render.resolution_x * share),
        "height": math.floor(render.resolution_y * share),
        "format": render.image_settings.file_format,
        "is_movie": render.is_movie_format,
        "camera": scene.camera.name if scene.camera else "",
        "cameras": sorted(camera.name for camera in bpy.data.objects if camera.type == "CAMERA"),
        "uses_sequencer": _has_strips(scene),
        "missing": list(_missing(bpy)),
        "libraries": [_written(library.filepath) for library in bpy.data.libraries],
        "scripts": [text.name for text in bpy.data.texts if text.use_module],
        "drivers": sorted(set(_scripted_drivers(bpy))),
        "simulations": [_written(name) for name, is_baked in _simulations(bpy) if not is_baked],
    }


def _version(bpy: Rna) -> str:
    return ".".join(map(str, bpy.app.version))


def _is_known(render: Rna) -> bool:
    """Say whether the engine that the scene asks for is here; else Blender would take another, or none."""
    kinds = [item.identifier for item in type(render).bl_rna.properties["engine"].enum_items]
    return render.engine in {*kinds, *_EEVEES, "CYCLES", "BLENDER_WORKBENCH"}


def _samples(scene: Rna) -> int:
    if scene.render.engine == "CYCLES":
        return int(scene.cycles.samples)
    return int(scene.eevee.taa_render_samples) if scene.render.engine in _EEVEES else 1


def _has_strips(scene: Rna) -> bool:
    editor = scene.sequence_editor
    name = "strips_all" if hasattr(editor, "strips_all") else "sequences_all"  # renamed in 4.4
    return bool(scene.render.use_sequencer and editor and len(getattr(editor, name)))


def _missing(bpy: Rna) -> Iterator[dict[str, str]]:
    """Give the files that the scene uses, that are not packed into it, and that are not there."""
    for kind, things in (
        ("library", bpy.data.libraries),
        ("image", [image for image in bpy.data.images if image.source in {"FILE", "SEQUENCE", "MOVIE", "TILED"}]),
        ("sound", bpy.data.sounds),
        ("clip", bpy.data.movieclips),
        ("font", [font for font in bpy.data.fonts if font.filepath != "<builtin>"]),
        ("cache", bpy.data.cache_files),
        ("volume", bpy.data.volumes),
    ):
        for thing in things:
            is_used = kind == "library" or thing.users > bool(thing.use_fake_user)
            if is_used and not getattr(thing, "packed_file", None) and not _is_there(bpy, thing):
                yield {"kind": kind, "name": _written(thing.name), "path": _written(thing.filepath)}


def _is_there(bpy: Rna, thing: Rna) -> bool:
    """Say whether a file is there; of a sequence or of tiles one is enough."""
    if not thing.filepath:
        return True  # made in the scene, never saved
    path = Path(bpy.path.abspath(thing.filepath, library=thing.library if hasattr(thing, "library") else None))
    if getattr(thing, "source", "") == "TILED" or getattr(thing, "is_sequence", False):
        stem = path.name.split("<", 1)[0].rstrip("0123456789") if "<" in path.name else path.stem.rstrip("0123456789")
        return path.parent.is_dir() and any(other.name.startswith(stem) for other in path.parent.iterdir())
    return path.is_file()


def _scripted_drivers(bpy: Rna) -> Iterator[str]:
    """Name the things with drivers that are Python beyond arithmetic: they stand still where scripts do not run."""
    for kind in ("objects", "scenes", "materials", "meshes", "armatures", "lights", "cameras", "node_groups",
                 "shape_keys", "worlds", "curves"):  # fmt: skip
        for thing in getattr(bpy.data, kind, ()):
            motion = thing.animation_data
            for curve in motion.drivers if motion else ():
                if curve.driver.type == "SCRIPTED" and not curve.driver.is_simple_expression:
                    yield _written(thing.name)


def _written(text: str) -> str:
    """Return a text of the scene as it can be written: Blender hands out bytes that are no UTF-8 as lone surrogates."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _render(words: list[str]) -> int:
    _prepared(plan_of(words))
    print("\nBlender quit", flush=True)
    return 0


def _prepared(plan: Plan) -> Stage:
    """Take all steps of a plan."""
    stage = Stage(plan)
    print("Blender", _version(_blender()), flush=True)
    for step in plan.steps:
        stage.do(step)
    return stage


def _serve(words: list[str], answers: IO[bytes]) -> int:
    """Render frame after frame with the scene loaded; it is loaded anew where a frame may depend on those before."""
    plan = plan_of(words)
    try:
        stage = _prepared(plan)
    except Refused as error:
        _answer(answers, {"error": str(error)})
        raise
    remembers, is_fresh = stage.remembers, True
    if not remembers:
        stage.keep_warm()
    _answer(answers, {"ready": True, "blender": _version(_blender())})
    for line in sys.stdin.buffer:
        started = time.monotonic()
        try:
            frame = int(json.loads(line)["frame"])
            if remembers and not is_fresh:
                for step in plan.steps:
                    stage.do(step)
            is_fresh = False
            saved = stage.render(frame)
        except (Refused, KeyError, TypeError, ValueError) as error:
            _answer(answers, {"error": str(error)})
            continue
        _answer(answers, {"frame": frame, "saved": str(saved), "seconds": round(time.monotonic() - started, 3)})
    return 0


def _inspect(path: str, answers: IO[bytes]) -> int:
    try:
        _answer(answers, inspect(_blender(), path))
    except Refused as error:
        _answer(answers, {"error": str(error)})
        return 1
    return 0


def _answer(answers: IO[bytes], answer: dict[str, Any]) -> None:
    answers.write(json.dumps(answer).encode() + b"\n")
    answers.flush()


def _own_stdout() -> IO[bytes]:
    """Take stdout for answers alone; what Blender prints goes to stderr from now on."""
    sys.stdout.flush()
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return answers


def main(words: list[str]) -> int:
    """Run the program and return its exit status."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the client, which ends its renderer when it must
    try:
        match words:
            case ["--version"]:
                print("Blender", _version(_blender()))
                return 0
            case ["--inspect", path]:
                return _inspect(path, _own_stdout())
            case ["--serve", *rest]:
                return _serve(rest, _own_stdout())
            case _:
                return _render(words)
    except Refused as error:
        _flush()
        print(error, flush=True)  # the last line, for those who read no more
        return error.status


def leave(status: int) -> None:
    """End at once, as bpy 4.5 never returns from its own end after a driver that it was not allowed to run."""
    _flush()
    os._exit(status)


def _flush() -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    if os.name == "posix":
        ctypes.CDLL(None).fflush(None)  # what Blender printed is C's


if __name__ == "__main__":
    try:
        leave(main(sys.argv[1:]))
    except SystemExit as asked:  # by a script
        leave(asked.code if isinstance(asked.code, int) else int(asked.code is not None))
    except BaseException:  # noqa: BLE001 -- and KeyboardInterrupt too: Python itself must not end this process
        traceback.print_exc()
        leave(1)
