"""`sheepfold order`: what people want rendered."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from sheepfold.cli.office import AccountOption, FolderOption, KeyOption, ServerOption, open_office
from sheepfold.model.errors import InvalidSpec
from sheepfold.model.jobs import Terms

app = typer.Typer(add_completion=False, rich_markup_mode="markdown", no_args_is_help=True)

_Genome = Annotated[Path, typer.Argument(metavar="GENOME", exists=True, dir_okay=False)]
_Genome2 = Annotated[Path | None, typer.Argument(metavar="GENOME2", exists=True, dir_okay=False)]
_Project = Annotated[Path, typer.Argument(metavar="FILE", exists=True, dir_okay=False)]
_Title = Annotated[str, typer.Option(help="A name for people to know it by.")]
_Priority = Annotated[int, typer.Option(min=-100, max=100, help="Higher goes first.")]
_Quorum = Annotated[int, typer.Option(min=1, max=5, help="How many machines must make the same picture.")]


@app.callback()
def order() -> None:
    """Order a flame, a Blender project or screenshots; the number of the new job is printed."""


@app.command()
def flame(  # noqa: PLR0913, PLR0917 -- these are the options of a command, each given by name
    genome: _Genome,
    genome2: _Genome2 = None,
    frames: Annotated[int, typer.Option(min=1, max=2000, help="How many frames the film has.")] = 160,
    size: Annotated[str, typer.Option(help="WIDTHxHEIGHT in pixels.")] = "800x592",
    quality: Annotated[float, typer.Option(min=0.1, max=10_000, help="Samples a pixel.")] = 50,
    still: Annotated[bool, typer.Option("--still", help="One picture of the genome instead of a film.")] = False,
    parts: Annotated[int, typer.Option(min=1, max=16, help="Share each frame's quality among so many machines.")] = 1,
    title: _Title = "",
    priority: _Priority = 0,
    quorum: _Quorum = 1,
    server: ServerOption = "",
    key: KeyOption = "",
    data: FolderOption = None,
    account: AccountOption = "",
) -> None:
    """Order a loop of GENOME, or the edge from GENOME to GENOME2, whose loops must be in the flock."""
    if genome2 is not None and still:
        raise typer.BadParameter("A still is made of one genome.")
    width, height = _size(size)
    shape = "still" if still else "loop" if genome2 is None else "edge"
    spec: dict[str, Any] = {"shape": shape, "width": width, "height": height, "quality": quality, "parts": parts}
    if not still:
        spec["frames"] = frames
    inputs = {"genome": genome} | ({} if genome2 is None else {"genome2": genome2})
    name = title or " to ".join(path.stem for path in inputs.values())
    with open_office(server, key, data, account) as office:
        _say(office.order("flame", spec, inputs, name, Terms(priority, quorum)).id)


@app.command()
def blender(  # noqa: PLR0913, PLR0917 -- these are the options of a command, each given by name
    file: _Project,
    frames: Annotated[str, typer.Option(help="Which, such as 1-250 or 1,5,9.")] = "1",
    step: Annotated[int | None, typer.Option(min=1, help="Only each STEPth of them.")] = None,
    samples: Annotated[int | None, typer.Option(min=1, help="Instead of the scene's own.")] = None,
    engine: Annotated[str | None, typer.Option(help="CYCLES, BLENDER_EEVEE or BLENDER_WORKBENCH.")] = None,
    title: _Title = "",
    priority: _Priority = 0,
    server: ServerOption = "",
    key: KeyOption = "",
    data: FolderOption = None,
    account: AccountOption = "",
) -> None:
    """Order frames of the Blender project FILE."""
    spec = _without_none({"frames": frames, "step": step, "samples": samples, "engine": engine})
    with open_office(server, key, data, account) as office:
        _say(office.order("blender", spec, {"project": file}, title or file.stem, Terms(priority)).id)


@app.command()
def screenshot(  # noqa: PLR0913, PLR0917 -- these are the options of a command, each given by name
    url: Annotated[str, typer.Argument(metavar="URL")],
    browser: Annotated[str, typer.Option(help="Which, such as chromium,firefox or firefox 115.")] = "firefox",
    width: Annotated[str, typer.Option(help="How wide in pixels, such as 390,1024.")] = "1024",
    bpp: Annotated[int | None, typer.Option(min=1, max=32, help="Colour depth in bits a pixel.")] = None,
    javascript: Annotated[str, typer.Option(help="enabled, disabled or a version; empty for any.")] = "",
    title: _Title = "",
    priority: _Priority = 0,
    server: ServerOption = "",
    key: KeyOption = "",
    data: FolderOption = None,
    account: AccountOption = "",
) -> None:
    """Order screenshots of the page at URL."""
    spec = _without_none({"url": url, "browsers": [name.strip() for name in browser.split(",")],
                          "widths": _numbers(width), "bpp": bpp, "javascript": javascript or None})
    with open_office(server, key, data, account) as office:
        _say(office.order("screenshot", spec, {}, title or url, Terms(priority)).id)


def _size(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"([0-9]{1,5})x([0-9]{1,5})", text)
    if not found:
        raise InvalidSpec(f"A size is WIDTHxHEIGHT, such as 800x592; found {text!r}.")
    return int(found[1]), int(found[2])


def _numbers(text: str) -> list[int]:
    if not re.fullmatch(r"[0-9]{1,5}(,[0-9]{1,5})*", text):
        raise InvalidSpec(f"Widths are numbers of pixels with commas between, such as 390,1024; found {text!r}.")
    return [int(number) for number in text.split(",")]


def _without_none(spec: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in spec.items() if value is not None}


def _say(job_id: int) -> None:
    typer.echo(job_id)
