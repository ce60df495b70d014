"""Looking into an artist's project with the real Blender, behind walls, before it is accepted."""

import json
import os
import shutil
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from sheepfold.kinds import confine
from sheepfold.kinds.blender import home, project
from sheepfold.kinds.blender.spec import CYCLES, EEVEE, LAST_FRAME, WORKBENCH
from sheepfold.kinds.fields import shown
from sheepfold.kinds.seam import Spec
from sheepfold.model.errors import InvalidSpec, Overloaded

AT_ONCE = 2
"""How many Blenders a process has at once, which share the machine's memory; who comes while they are at it waits."""
SHOWN_FILES = 5
MOST_FPS = 1_000_000
"""Of a scene, far beyond those of any camera; orders themselves go up to 120."""
_START_MIB, _CORE_START_MIB = 1024, 128
"""What Blender may need before it opens anything: 200 MiB on two cores; numpy takes some for each core."""
_places = threading.BoundedSemaphore(AT_ONCE)  # on the disk, taken before turns
_turns = threading.BoundedSemaphore(AT_ONCE)
_first = threading.BoundedSemaphore(1)  # of who takes turns next: two who hold one each and want two would wait in vain
_KEPT = "findings.json"
_FORMATS = {"PNG": "PNG", "JPEG": "JPEG", "OPEN_EXR": "EXR"}
_ENGINES = (CYCLES, EEVEE, WORKBENCH)


@dataclass(frozen=True, slots=True)
class MissingFile:
    """A file that a scene uses and that did not come with it; `kind` is a word such as image, library or sound."""

    kind: str
    name: str
    path: str


@dataclass(frozen=True, slots=True)
class Findings:
    """What a scene is, as Blender sees it. `saved_by` is the Blender of the artist, such as 4.5."""

    saved_by: str
    frame_start: int
    frame_end: int
    frame_step: int
    fps: float
    engine: str
    engine_is_known: bool
    samples: int
    width: int
    height: int
    format: str
    is_movie: bool
    camera: str
    cameras: tuple[str, ...]
    uses_sequencer: bool
    missing: tuple[MissingFile, ...]
    libraries: tuple[str, ...]
    scripts: tuple[str, ...]
    drivers: tuple[str, ...]
    simulations: tuple[str, ...]


def examine(path: Path, main: str, folder: Path, limits: confine.Limits | None = None) -> Findings | None:
    """Return what a project is; None where this machine has no bpy.

    Writes into `folder` alone, where the outcome is kept, so that a second question about it costs nothing. Raises
    InvalidSpec with a sentence where it is no project, or Blender cannot read it, Overloaded where others are looked
    into for as long as this one might take, and OSError where the disk is full.
    """
    kept = folder / _KEPT
    if not kept.exists():
        python = home.find()
        if python is None:
            project.look_into(path, main)
            project.read_through(path)
            return None
        kept.write_text(json.dumps(_inspected(python, path, main, folder, limits)), "utf-8")
    return _findings(json.loads(kept.read_text("utf-8")))


def problems(found: Findings, *, allow_missing: bool = False) -> list[str]:
    """Say, a sentence each, why a scene cannot be rendered as the artist sees it; empty where all is well."""
    complaints = []
    if not found.camera and not found.uses_sequencer:
        cameras = f"; choose one of {_listed(found.cameras)}" if found.cameras else ""
        complaints.append(f"The scene has no active camera{cameras}.")
    if not found.engine_is_known:
        complaints.append(f"The scene wants the renderer {shown(found.engine)}, an add-on that farms do not have.")
    if found.missing and not allow_missing:
        files = _listed([f"{file.path} ({file.kind} {file.name})" for file in found.missing])
        complaints.append(
            f"The scene uses files that did not come with it: {files}. Pack them into the .blend (File, External Data,"
            " Pack Resources), or send a zip of the project's folder with relative paths."
        )
    return complaints


def remarks(found: Findings, *, has_format: bool = False) -> list[str]:
    """Say, a sentence each, what the artist should know before all frames are rendered.

    `has_format` is of an order that names its own format, whatever the scene's is.
    """
    notes = []
    if found.scripts or found.drivers:
        names = _listed([*found.scripts, *found.drivers])
        notes.append(f"Scripts of a project do not run on this farm: {names} will do nothing.")
    if found.simulations:
        names = _listed(found.simulations)
        notes.append(f"Other machines render other frames, so bake the simulations first: {names}.")
    if found.is_movie:
        notes.append(f"The scene writes a film ({found.format}); here each frame is a picture, and they make the film.")
    elif found.format not in _FORMATS and not has_format:
        notes.append(f"The scene writes {found.format}, which farms do not: here its frames are PNG. For OpenEXR, which"
                     " has one layer here, order the format EXR.")
    return notes


def complete(raw: Mapping[str, Any], found: Findings) -> dict[str, Any]:
    """Return an order with what it leaves open taken from the scene: frames, size, samples, engine, format, fps."""
    first, last = max(0, found.frame_start), min(LAST_FRAME, max(found.frame_start, found.frame_end))
    own: dict[str, Any] = {
        "frames": f"{first}-{max(first, last)}",
        "width": found.width,
        "height": found.height,
        "fps": max(1, min(120, round(found.fps))),
        "format": _FORMATS.get(found.format, "PNG"),
        "samples": max(1, min(100_000, found.samples)),
    }
    if "frames" not in raw:
        own["step"] = max(1, found.frame_step)
    if found.engine in _ENGINES:
        own["engine"] = found.engine
    if raw.get("engine", own.get("engine")) != own.get("engine"):
        del own["samples"]  # another engine's samples mean another thing
    return own | dict(raw)


def check(spec: Spec, inputs: Mapping[str, Path], folder: Path) -> Findings | None:
    """Examine an order's project; raises InvalidSpec with all that is wrong with it."""
    found = examine(project.only(inputs), spec["main"], folder)
    complaints = problems(found, allow_missing=spec["allow_missing"]) if found is not None else []
    if complaints:
        raise InvalidSpec(" ".join(complaints))
    return found


def _inspected(
    python: Path, path: Path, main: str, folder: Path, limits: confine.Limits | None
) -> dict[str, Any]:
    project.look_into(path, main)  # whose project is none is told so without waiting
    room = folder / "examined"
    with _unpacked(path, main, room, (limits or confine.Limits()).time_s) as scene:
        project_mib = project.opened_bytes(room) // confine.MIB
        own = _limits(psutil.virtual_memory().total // confine.MIB, os.cpu_count() or 1, project_mib)
        held, turns = (limits, 1) if limits else own
        words = home.command(python, "--inspect", str(scene))
        with _turn(held.time_s, turns):
            outcome = confine.run(words, home.environment(room), room, home.readable(python), held)
    answer = _parsed(outcome.output)
    if "error" in answer:
        raise InvalidSpec(f"Blender cannot read this project: {_shortened(str(answer['error']), room)}")
    if outcome.status is None:
        raise InvalidSpec("Blender took too long to open this project.")
    if outcome.status != 0 or not answer:
        had_mib = min(held.memory_mib, held.own_mib or held.memory_mib)
        raise InvalidSpec(
            f"Blender crashed on opening this project, or needed more than the {had_mib} MiB of memory that it may have"
            " on this server: pack less into it, or have the server's owner give it more memory."
        )
    return answer


@contextmanager
def _unpacked(path: Path, main: str, room: Path, patience_s: float) -> Iterator[Path]:
    """Unpack a project for as long as Blender looks at it: only AT_ONCE lie on the disk, however many wait.

    Raises Overloaded where there is no place in time, and what `project.unpack` and `project.read_through` raise.
    """
    with ExitStack() as held:
        _take(held, _places, time.monotonic() + patience_s)
        held.callback(shutil.rmtree, room, ignore_errors=True)
        room.mkdir(exist_ok=True)
        scene = project.unpack(path, room, main)
        project.read_through(path)
        yield scene


def _limits(machine_mib: int, cores: int, project_mib: int) -> tuple[confine.Limits, int]:
    """Return what a Blender may use, and how many turns it takes for that.

    It has its share of the machine's memory, and at the least what it needs to start. A project that wants more takes
    all turns and has it, up to four fifths of the memory.
    """
    start_mib = _START_MIB + cores * _CORE_START_MIB
    share_mib = max(machine_mib // AT_ONCE, start_mib)
    wanted_mib = min(start_mib + project_mib, machine_mib * 4 // 5)
    if wanted_mib <= share_mib:
        return confine.Limits(own_mib=share_mib), 1
    return confine.Limits(own_mib=wanted_mib), AT_ONCE


@contextmanager
def _turn(patience_s: float, turns: int = 1) -> Iterator[None]:
    """Wait for some of the AT_ONCE turns; raises Overloaded where they do not come in time."""
    until = time.monotonic() + patience_s
    with ExitStack() as held:
        with ExitStack() as first:
            _take(first, _first, until)
            for _ in range(turns):
                _take(held, _turns, until)
        yield


def _take(held: ExitStack, lock: threading.Semaphore, until: float) -> None:
    if not lock.acquire(timeout=max(0.0, until - time.monotonic())):
        raise Overloaded("The farm is looking into other projects: try again in a minute.")
    held.callback(lock.release)


def _shortened(sentence: str, room: Path) -> str:
    return sentence.removeprefix("Error: ").replace(f"{room}/", "")[:500]


def _parsed(output: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(output)
    except (ValueError, RecursionError):  # the latter from a hundred thousand brackets
        return {}
    return answer if isinstance(answer, dict) else {}


def _findings(answer: Mapping[str, Any]) -> Findings:
    """Read the answer; a hostile scene may have got hold of the process that gave it."""
    try:
        return Findings(
            saved_by=str(answer["saved_by"])[:20],
            frame_start=int(answer["frame_start"]),
            frame_end=int(answer["frame_end"]),
            frame_step=int(answer["frame_step"]),
            fps=_fps(answer["fps"]),
            engine=str(answer["engine"])[:80],
            engine_is_known=bool(answer["engine_is_known"]),
            samples=int(answer["samples"]),
            width=int(answer["width"]),
            height=int(answer["height"]),
            format=str(answer["format"])[:40],
            is_movie=bool(answer["is_movie"]),
            camera=str(answer["camera"])[:80],
            cameras=_names(answer["cameras"]),
            uses_sequencer=bool(answer["uses_sequencer"]),
            missing=tuple(
                MissingFile(str(file["kind"]), str(file["name"])[:200], str(file["path"])[:500])
                for file in answer["missing"]
            ),
            libraries=_names(answer["libraries"]),
            scripts=_names(answer["scripts"]),
            drivers=_names(answer["drivers"]),
            simulations=_names(answer["simulations"]),
        )
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise InvalidSpec("Blender answered nonsense about this project.") from error


def _fps(answer: Any) -> float:  # noqa: ANN401 -- it is a number, or the answer is nonsense
    """Read frames per second; Blender passes on whatever a file has there, and it may be no number."""
    fps = float(answer)
    if not 0 < fps <= MOST_FPS:
        raise InvalidSpec(f"The project's frame rate must be above 0 and at most {MOST_FPS} per second, not {fps:g}.")
    return fps


def _names(values: Any) -> tuple[str, ...]:  # noqa: ANN401 -- it is a list, or the answer is nonsense
    return tuple(str(value)[:500] for value in list(values)[:10_000])


def _listed(names: list[str] | tuple[str, ...]) -> str:
    more = f" and {len(names) - SHOWN_FILES} more" if len(names) > SHOWN_FILES else ""
    return ", ".join(shown(name) for name in names[:SHOWN_FILES]) + more
