"""The engine's program at a bench: what it is asked, and what its answers mean, which are a stranger's words."""

import json
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sheepfold.kinds.seam import Workbench

OURS = [Path(sys.prefix), Path(sys.base_prefix), Path(__file__).parents[3]]
"""What a program of the engine must be able to read."""

_KERNEL = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class Answer:
    """What the engine said: it is done, with which kernel; or what it complains of; or of what it wants a kernel."""

    kernel: str = ""
    problem: str = ""
    wanted: Mapping[str, Any] | None = None


class Engineer:
    """The engine behind a bench's walls, where it may read the kernels that are kept, and copies what it needs.

    A genome that took it over has its bench's folder in hand, which ends with the order, and nothing else.
    """

    def __init__(self, workbench: Workbench, kept: Path) -> None:
        argv = [*command("program"), str(kept.absolute())]
        self._program = workbench.start(argv, environment(workbench.folder), readable=[*OURS, kept])

    def ask(self, words: Mapping[str, object]) -> Answer:
        """Have a frame rendered, or looked at where the words name no `picture`."""
        return _read(self._program.ask(json.dumps(words).encode() + b"\n"))

    def close(self) -> None:
        """End the program; may be called twice."""
        self._program.close()


def _read(line: bytes) -> Answer:
    if not line:
        return Answer(problem="the flame engine ended without an answer")
    try:
        told = json.loads(line)
    except ValueError:
        told = None
    if not isinstance(told, dict):
        return Answer(problem="the flame engine answered nonsense")
    if isinstance(told.get("wanted"), dict):
        return Answer(wanted=told["wanted"])
    if _KERNEL.fullmatch(kernel := str(told.get("kernel", ""))):
        return Answer(kernel)
    return Answer(problem=str(told.get("error", "the flame engine answered nonsense"))[:500])


def command(program: str) -> list[str]:
    """Return the command of one of the engine's programs."""
    return [sys.executable, "-I", "-m", f"sheepfold.kinds.flame.engine.{program}"]


def environment(folder: Path) -> dict[str, str]:
    """Return the environment of one of the engine's programs, whose own kernels lie below its bench's folder."""
    cache = str(folder / "cache")
    return {"XDG_CACHE_HOME": cache, "LOCALAPPDATA": cache, "HOME": str(folder)}
