"""Kernels that a worker keeps for all orders: compiled from structures alone, and what flam3 has cost for want of one.

Machine code that a stranger's genome might have had a hand in must never be run for another's. So a kernel is compiled
by a program that is told a structure and nothing else, behind walls of its own; renderers may read this folder, and
copy from it, but the worker alone writes to it, and never into theirs.
"""

import json
import shutil
import stat
import tempfile
from collections.abc import Mapping
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sheepfold.kinds.flame.engine import blueprint
from sheepfold.kinds.flame.engineer import OURS, Engineer, command, environment
from sheepfold.kinds.seam import RenderFailed, Workbench

LIMIT_BYTES = 256 * 2**20
MOST_NOTES = 2000
COMPILE_LIMIT_S = 600.0
"""Some 99 variations in each of a hundred transforms would take hours; usual genomes take seconds."""


@dataclass(frozen=True, slots=True)
class Note:
    """What is known of frames of one trace: the seconds flam3 has cost without a kernel, and the kernel's name, if any.

    Where compiling one has failed, the seconds that were lost by it are taken off.
    """

    flam3_s: float = 0.0
    kernel: str = ""


class Kernels:
    """A folder of kernels and notes; the engine finds a kernel in `folder` by its structure's digest."""

    def __init__(self, kept: Path, limit_bytes: int = LIMIT_BYTES) -> None:
        self.folder = kept / "kernels"
        self._notes = kept / "notes"
        self._limit_bytes = limit_bytes
        for folder in (self.folder, self._notes):
            folder.mkdir(parents=True, exist_ok=True)

    def note(self, trace: str) -> Note:
        """Return what is known of a trace."""
        try:
            return Note(**json.loads((self._notes / trace).read_text("utf-8")))
        except (OSError, ValueError, TypeError):
            return Note()

    def put_down(self, trace: str, note: Note) -> None:
        """Remember what is known of a trace."""
        (self._notes / trace).write_text(json.dumps(asdict(note)), "utf-8")
        _trim(self._notes, MOST_NOTES)

    def use(self, name: str) -> None:
        """Note that a kernel was used, lest it be the first to go."""
        if (self.folder / name).is_dir():
            (self.folder / name).touch()

    def compile(self, wanted: Mapping[str, Any], workbench: Workbench) -> str:
        """Compile a kernel for a structure that an engine said it wants, and return its name; raises RenderFailed.

        What the engine said is a stranger's word, as a genome may have taken it over: it is read as nothing but names
        from our table.
        """
        try:
            structure = blueprint.read(wanted)
        except ValueError as error:
            raise RenderFailed(f"the flame engine wants a kernel of nonsense: {error}") from error
        name = blueprint.digest(structure)
        with workbench.aside(COMPILE_LIMIT_S) as bench:
            paper = bench.folder / "structure.json"
            paper.write_text(blueprint.text(structure), "utf-8")
            bench.run([*command("compiler"), str(paper)], environment(bench.folder), readable=OURS)
            self.take(name, bench.folder / "cache" / "sheepfold" / "kernels")
        return name

    def compile_for(self, genomes: bytes, time: str, workbench: Workbench) -> str:
        """Have the kernel of a frame compiled, after an engine at this bench has looked at it, and return its name.

        Raises RenderFailed.
        """
        path = workbench.folder / "frame.flam3"
        path.write_bytes(genomes)
        with closing(Engineer(workbench, self.folder)) as engineer:
            answer = engineer.ask({"genomes": str(path), "time": time})
        if answer.problem:
            raise RenderFailed(answer.problem)
        return answer.kernel if answer.wanted is None else self.compile(answer.wanted, workbench)

    def take(self, name: str, made: Path) -> None:
        """Put what the compiler made into its place at once, and let the longest unused go."""
        with tempfile.TemporaryDirectory(dir=self.folder, prefix=".") as arriving:
            kernel = Path(arriving) / name
            shutil.copytree(made, kernel, ignore=_all_but_files)
            if (self.folder / name).exists():  # of another version or processor
                shutil.rmtree(self.folder / name)
            kernel.replace(self.folder / name)
        self.use(name)
        self._drop_old()

    def _drop_old(self) -> None:
        kernels = sorted((path for path in self.folder.iterdir() if not path.name.startswith(".")),
                         key=lambda path: path.stat().st_mtime_ns, reverse=True)
        room = self._limit_bytes
        for kernel in kernels:
            room -= sum(file.stat().st_size for file in kernel.rglob("*"))
            if room < 0 and kernel != kernels[0]:
                shutil.rmtree(kernel)


def _all_but_files(folder: str, names: list[str]) -> list[str]:
    modes = {name: (Path(folder) / name).lstat().st_mode for name in names}
    return [name for name, mode in modes.items() if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))]


def _trim(folder: Path, most: int) -> None:
    files = list(folder.iterdir())
    if len(files) > most:
        for file in sorted(files, key=lambda file: file.stat().st_mtime_ns)[: len(files) - most // 2]:
            file.unlink()
