"""Renderers: the archives from which SheepIt's clients run Blender, made in several ways for each of their systems."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sheepfold.farm.bundling import write_bundle
from sheepfold.farm.dispatch import Input, open_blob
from sheepfold.farm.farm import Farm
from sheepfold.farm.keeping import keep_file, md5_of, name_blob
from sheepfold.farm.passing import passing_folder
from sheepfold.farm.repacking import EXECUTABLES, repack, write_local
from sheepfold.model.errors import InvalidSpec, NoRenderer
from sheepfold.model.matching import ANY, Program
from sheepfold.store import renderers as renderer_rows
from sheepfold.store.database import Tx
from sheepfold.store.renderers import RendererRow

BLENDER = "blender"
SYSTEMS = tuple(EXECUTABLES)
BITS = (32, 64)
LOCAL, OFFICIAL, BUNDLED = "local", "official", "bpy"
_VERSION = re.compile(r"\d{1,3}\.\d{1,3}(\.\d{1,3})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Target:
    """What a renderer is made for: which Blender, such as 4.5 or 4.5.3, on which system of 32 or 64 bits."""

    version: str
    system: str = "linux"
    bits: int = 64


def add_local(farm: Farm, target: Target) -> RendererRow:
    """Add the tiny archive that runs the Blender, or bpy, of the machine it lands on; raises InvalidSpec."""
    return _add(farm, target, LOCAL, lambda path: write_local(path, target.system))


def add_official(farm: Farm, target: Target, download: Path) -> RendererRow:
    """Add a Blender download (tar.xz, zip), repacked as the system's clients expect it.

    The download itself may be gone afterwards. Raises InvalidSpec where it is not to be trusted, and StoreUnavailable
    where the disk is full.
    """
    return _add(farm, target, OFFICIAL, lambda path: repack(download, path, target.system))


def add_bundled(farm: Farm, version: str, python: Path) -> RendererRow:
    """Add bpy with a Python of its own, taken from an environment of this machine, for Linux machines like it.

    Takes about a minute. Raises InvalidSpec where the environment has no bpy.
    """
    return _add(farm, Target(version), BUNDLED, lambda path: write_bundle(path, python))


def list_renderers(farm: Farm) -> list[RendererRow]:
    """Return all renderers."""
    return farm.db.read(renderer_rows.list_renderers)


def remove_renderer(farm: Farm, target: Target) -> None:
    """Remove a renderer; raises NoRenderer where there is none such."""

    def remove(tx: Tx) -> bool:
        return renderer_rows.remove_renderer(tx, BLENDER, target.version, target.system, target.bits)

    if not farm.db.write(remove):
        raise NoRenderer(f"There is no Blender {target.version} for {target.system}, {target.bits} bits.")


def renderers_for(farm: Farm, system: str, bits: int) -> list[RendererRow]:
    """Return the renderers for a system, the newest first; raises NoRenderer where there is none."""
    return some(farm.db.look(lambda tx: renderer_rows.renderers_for(tx, BLENDER, system, bits)), system, bits)


def some(found: list[RendererRow], system: str, bits: int) -> list[RendererRow]:
    """Return the renderers that were found for a system; raises NoRenderer where there are none."""
    if not found:
        raise NoRenderer(f"This farm has no renderer for {system[:40] or 'an unknown system'}, {bits} bits.")
    return found


def pick(renderers: Sequence[RendererRow], version: str) -> RendererRow:
    """Choose the newest renderer that a job's wish for a version allows; raises NoRenderer."""
    for renderer in renderers:
        if program_of(renderer).covers(BLENDER, version):
            return renderer
    raise NoRenderer(f"This farm has no Blender {'' if version == ANY else version} for that system.")


def program_of(renderer: RendererRow) -> Program:
    """Return a renderer as machines' abilities name it."""
    return Program(renderer.name, renderer.version)


def open_renderer(farm: Farm, renderer: RendererRow) -> Input:
    """Open a renderer's archive."""
    return open_blob(farm, renderer.digest)


def _add(farm: Farm, target: Target, made: str, write: Callable[[Path], None]) -> RendererRow:
    _check(target)
    with passing_folder(farm, "renderer") as folder:
        archive = folder / "renderer.zip"
        write(archive)
        blob, md5 = keep_file(farm, archive), md5_of(archive)
    row = RendererRow(BLENDER, target.version, target.system, target.bits, blob.digest, md5, made, farm.now())

    def add(tx: Tx) -> None:
        name_blob(tx, blob, farm.now(), md5)
        renderer_rows.set_renderer(tx, row, farm.now())

    farm.db.write(add)
    return row


def _check(target: Target) -> None:
    if not _VERSION.fullmatch(target.version):
        raise InvalidSpec(f"A Blender's version is like 4.5 or 4.5.3, not {target.version[:40]!r}.")
    if target.system not in SYSTEMS or target.bits not in BITS:
        raise InvalidSpec(f"A system is one of {', '.join(SYSTEMS)}, of 32 or 64 bits.")
