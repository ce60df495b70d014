"""What this machine is and has: system, cores, memory, load, and the renderers it can start."""

import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from sheepfold.kinds.blender import home
from sheepfold.kinds.flame import flam3
from sheepfold.kinds.screenshot.shooting import browsers
from sheepfold.model.matching import Abilities, Program

MIB = 1024 * 1024
_PLATFORMS = {"linux": "linux", "win32": "windows", "darwin": "mac"}
_CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Renderer:
    """What a kind is rendered with, in a word, and which programs of that sort are installed here."""

    kind: str
    name: str
    programs: Callable[[], list[Program]]
    is_browser: bool = False


def _flam3() -> list[Program]:
    """Return flam3; without it our own engine renders what flam3 3.1.1 does, under its name."""
    return [Program("flam3", flam3.version() if flam3.find("flam3-animate") else flam3.ENGINE_VERSION)]


def _blender() -> list[Program]:
    python = home.find()
    return [] if python is None else [Program("blender", home.version(python))]


RENDERERS = (
    Renderer("flame", "flam3", _flam3),
    Renderer("blender", "Blender", _blender),
    Renderer("screenshot", "browsers", browsers.programs, is_browser=True),
)
"""What can render: a line each. A kind whose renderers are not installed is not offered to the farm."""


def abilities(protocol: str, kind: str = "") -> Abilities:
    """Return what this machine can do on a protocol, for one kind or for all."""
    found = list(installed(kind))
    return Abilities(
        kinds=frozenset(renderer.kind for renderer, _ in found),
        renderers=frozenset(program for renderer, program in found if not renderer.is_browser),
        browsers=frozenset(program for renderer, program in found if renderer.is_browser),
        platform=platform_name(),
        protocol=protocol,
        memory_mib=memory_mib(),
    )


def installed(kind: str = "") -> Iterator[tuple[Renderer, Program]]:
    """Yield the programs that render here, of one kind or of all; each is known by its version."""
    for renderer in RENDERERS:
        if kind not in {"", renderer.kind}:
            continue  # to ask a renderer for its version may take seconds
        try:
            yield from ((renderer, program) for program in renderer.programs() if program.version)
        except (OSError, subprocess.SubprocessError) as error:
            _log.warning("renderer_broken name=%s error=%s", renderer.name, error)


def platform_name() -> str:
    """Return the system's name as needs have it: `linux`, `windows`, `mac`, or what Python calls another."""
    return _PLATFORMS.get(sys.platform, sys.platform)


def cores() -> int:
    """Return how many processor cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def memory_mib() -> int:
    """Return the memory in MiB that is built in, or that the container allows where that is less."""
    built_in = int(psutil.virtual_memory().total)
    try:
        allowed = _CGROUP_LIMIT.read_text("ascii").strip()
    except OSError:
        allowed = "max"
    return (min(built_in, int(allowed)) if allowed.isdecimal() else built_in) // MIB


def load_average() -> float:
    """Return how many programs wanted a core, on average over the last minute."""
    return float(psutil.getloadavg()[0])
