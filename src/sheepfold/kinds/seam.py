"""What the house asks of a kind: the plain values that pass between them, and the modules that a kind's folder holds.

A kind `x` is the folder `kinds/x` and one line in `registry.py`. Its modules and their public functions:

| module     | function                                            | who calls it, where                             |
|------------|-----------------------------------------------------|-------------------------------------------------|
| `spec`     | `parse(raw) -> spec`                                | the farm, when a job is ordered                 |
| `split`    | `split(spec, inputs, folder) -> list[TaskDraft]`    | the farm, before the order's transaction        |
| `inspect`  | `inspect(path, facts) -> Inspection`                | an inspection process                           |
| `compare`  | `same(one, other, facts) -> bool`                   | an inspection process, where there are several  |
| `preview`  | `preview(path, target, width) -> None`              | a chore's process                               |
| `assemble` | `assemble(pictures, spec, folder) -> list[Product]` | a chore's process, when the last task is done   |
| `render`   | `render(order, workbench) -> Path`                  | the worker alone                                |

What a kind may answer besides; where it has no such module or function, nobody asks:

| module     | function                                            | who calls it, where                             |
|------------|-----------------------------------------------------|-------------------------------------------------|
| `complete` | `complete(raw, inputs, folder) -> Completed`        | the farm, before `parse`                        |
| `extend`   | `extend(spec, frames) -> spec`                      | the farm, when a job gets more frames           |
| `archive`  | `pack(inputs, spec, folder) -> Archive`             | the farm, for each revision of a job's inputs   |
| `changes`  | `changes(pictures, spec, baseline, folder)`         | after `assemble`, where orders name a baseline  |
| `offer`    | `offer() -> Offer`                                  | the pages, which show `order.html` of its folder |
| `render`   | `open_chain(order, workbench) -> Chain`             | the worker, for tasks of one job after each other |

A spec is plain JSON (`dict` of text, numbers, booleans, lists and dicts) that `parse` has checked and completed.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from sheepfold.model.matching import Needs
from sheepfold.model.tasks import Soundness

__all__ = ["Soundness"]

Spec = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Completed:
    """An order made whole by the files that came with it, and what its artist should know of them, a sentence each.

    `spec` is still raw: what was ordered stays, what was left open is filled in, and `parse` reads it next.
    """

    spec: Spec
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Archive:
    """A job's project as old clients download it: a zip, and the path in it of the file to render."""

    path: Path
    main: str


@dataclass(frozen=True, slots=True)
class TaskDraft:
    """One render that a job splits into.

    `cost_ms` is the processor time that a reference core is expected to need; credit and fair sharing are made of it.
    `input` is a file made for this task alone, such as a frame's genome.
    """

    frame: int
    needs: Needs
    cost_ms: int
    part: int = 0
    input: Path | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """What a picture claims to be: which task of which order."""

    spec: Spec
    frame: int
    part: int = 0


@dataclass(frozen=True, slots=True)
class Inspection:
    """What a picture is: its soundness with a sentence on it, its media type, and its size in pixels."""

    soundness: Soundness
    reason: str = ""
    media_type: str = "application/octet-stream"
    width: int = 0
    height: int = 0


@dataclass(frozen=True, slots=True)
class Picture:
    """A valid result of a job, as a local file."""

    frame: int
    part: int
    path: Path
    media_type: str = ""


@dataclass(frozen=True, slots=True)
class Baseline:
    """The accepted pictures that an order's are held against: of which job, with its spec; of none at the first time.

    `job_id` is None then, `spec` and `pictures` are empty.
    """

    job_id: int | None = None
    spec: Spec = field(default_factory=dict)
    pictures: tuple[Picture, ...] = ()


@dataclass(frozen=True, slots=True)
class Product:
    """Something that a finished job is made into: a film, a sheet, an archive."""

    name: str
    path: Path
    media_type: str


@dataclass(frozen=True, slots=True)
class Sample:
    """An order for whoever has nothing to order yet: its title, its raw spec, and its files by name."""

    title: str
    spec: Spec
    inputs: Mapping[str, Path] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Offer:
    """A kind as the pages offer it: its name and a sentence on it, samples, and the spec of a quick look at the inputs.

    The fields of its order are `order.html`, a template beside the module. `sketch` is empty where a look takes long.
    """

    title: str
    about: str
    samples: tuple[Sample, ...] = ()
    sketch: Spec = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RenderOrder:
    """A task as a worker renders it: `inputs` are local files by name, `input` the task's own file, if it has one.

    A farm's spec comes as the farm sent it, and a farm is a stranger: a kind looks at what it uses. `script` is the
    program that a wire has in the place of a spec's words; no spec can bring one.
    """

    spec: Spec
    frame: int
    part: int = 0
    input: Path | None = None
    inputs: Mapping[str, Path] = field(default_factory=dict)
    script: str = ""


class Attendant(Protocol):
    """A program that stays, and answers by lines what it is asked by lines."""

    @property
    def is_alive(self) -> bool:
        """Say whether it still runs."""
        ...

    def ask(self, line: bytes) -> bytes:
        """Send a line, unless it is empty, and return the next line of the answer; empty where the program ended.

        Raises RenderFailed when it overstays its time, and RenderStopped when the farm wants the task no more.
        """
        ...

    def close(self) -> None:
        """End it; may be called twice."""
        ...


class Workbench(Protocol):
    """Where a worker renders: a folder of its own, and ways to run programs that see little else."""

    @property
    def folder(self) -> Path:
        """Return the only folder that a program may write to."""
        ...

    def run(self, argv: Sequence[str], env: Mapping[str, str], *, readable: Sequence[Path] = ()) -> None:
        """Run a program to its end inside the sandbox, its output going to the task's log.

        Only `env` is its environment; `readable` are files and folders that it may read besides the system's. Raises
        RenderFailed when it exits non-zero, is ended by a signal or overstays its time, and RenderStopped when the
        farm wants the task no more.
        """
        ...

    def start(self, argv: Sequence[str], env: Mapping[str, str], *, readable: Sequence[Path] = ()) -> Attendant:
        """Start a program that stays, with the same walls; it speaks by stdin and stdout, its errors go to the log."""
        ...

    @property
    def kept(self) -> Path:
        """Return a folder of the kind's own, which outlives tasks and may not be there yet.

        No program can write to it: what lies there was put there by the kind itself.
        """
        ...

    def aside(self, time_s: float) -> AbstractContextManager["Workbench"]:
        """Give another bench, whose programs and folder know nothing of this one's, and which ends with the block.

        `time_s` is the most seconds of a program there.
        """
        ...

    def stop(self) -> None:
        """Kill what runs here and aside, and let nothing run from now on; any thread may call it."""
        ...


class Chain(Protocol):
    """A renderer that is ready for one task after another, whose orders differ in frame and part alone."""

    def render(self, order: RenderOrder) -> Path:
        """Return the picture of a task, in the workbench's folder, the same as `render` would make.

        Raises as `render` does; the chain is of no use then.
        """
        ...

    def close(self) -> None:
        """End the renderer; may be called twice."""
        ...


class RenderFailed(Exception):
    """The renderer made no picture."""


class RenderStopped(Exception):
    """The farm wants this task no more."""
