"""`sheepfold renderer`: the Blenders that SheepIt's clients download before they render."""

from pathlib import Path
from typing import Annotated

import typer

from sheepfold.cli.office import JsonOption
from sheepfold.cli.options import DataOption, farm_in
from sheepfold.cli.plain import print_rows
from sheepfold.farm import renderers
from sheepfold.farm.renderers import Target
from sheepfold.kinds.blender import home
from sheepfold.model.errors import InvalidSpec
from sheepfold.store.renderers import RendererRow

app = typer.Typer(add_completion=False, rich_markup_mode="markdown", no_args_is_help=True)
add = typer.Typer(add_completion=False, rich_markup_mode="markdown", no_args_is_help=True)
app.add_typer(add, name="add")

_Version = Annotated[str, typer.Option("--version", help="Which Blender it is, such as 4.5 or 4.5.3.")]
_System = Annotated[str, typer.Option("--os", help=f"One of {', '.join(renderers.SYSTEMS)}.")]
_Bits = Annotated[int, typer.Option("--bits", help="32 or 64.")]


@app.callback()
def renderer() -> None:
    """Add, list and remove the Blenders that SheepIt's clients download; a client without one for its system ends."""


@add.callback()
def add_one() -> None:
    """Add a Blender in one of its forms; the same version for the same system is replaced."""


@add.command()
def local(data: DataOption, version: _Version = "4.5", system: _System = "linux", bits: _Bits = 64) -> None:
    """Add a tiny archive that runs the Blender, or bpy, that the volunteer's machine already has."""
    with farm_in(data) as farm:
        _say(renderers.add_local(farm, Target(version, system, bits)))


@add.command()
def official(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="A Blender download: tar.xz or zip.")],
    version: _Version,
    data: DataOption,
    system: _System = "linux",
    bits: _Bits = 64,
) -> None:
    """Add the Blender download FILE, laid out anew as the system's clients expect it."""
    with farm_in(data) as farm:
        _say(renderers.add_official(farm, Target(version, system, bits), file))


@add.command()
def bpy(
    data: DataOption,
    python: Annotated[Path | None, typer.Option(exists=True, help="Whose bpy; else that of scripts/setup-bpy.")] = None,
    version: Annotated[str, typer.Option("--version", help="Which Blender it is; else as it says itself.")] = "",
) -> None:
    """Add Blender as a Python module with a Python of its own, for Linux machines that have nothing (400 MB)."""
    found = home.find() if python is None else python.absolute()
    if found is None:
        raise InvalidSpec("There is no bpy here: scripts/setup-bpy installs it, or name a Python that has it.")
    with farm_in(data) as farm:
        _say(renderers.add_bundled(farm, version or home.version(found), found))


@app.command(name="list")
def list_all(data: DataOption, as_json: JsonOption = False) -> None:
    """List the renderers."""
    with farm_in(data) as farm:
        rows = [{"renderer": row.name, "version": row.version, "system": row.os, "bits": row.bits, "made": row.made,
                 "MD5": row.md5} for row in renderers.list_renderers(farm)]
    print_rows(dict.fromkeys(("renderer", "version", "system", "bits", "made", "MD5"), str), rows, as_json=as_json)


@app.command()
def remove(version: str, data: DataOption, system: _System = "linux", bits: _Bits = 64) -> None:
    """Remove the Blender of VERSION for a system; clients of that system without another one will end."""
    with farm_in(data) as farm:
        renderers.remove_renderer(farm, Target(version, system, bits))
    typer.echo(f"Removed Blender {version} for {system}, {bits} bits.")


def _say(row: RendererRow) -> None:
    typer.echo(f"Blender {row.version} for {row.os}, {row.bits} bits ({row.made}): {row.md5}")
