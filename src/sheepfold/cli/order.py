"""`sheepfold order`: what people want rendered."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from sheepfold.cli.command import Office, Said, office_command
from sheepfold.cli.plain import plain
from sheepfold.cli.progress import progress
from sheepfold.model.errors import InvalidSpec
from sheepfold.model.jobs import Terms
from sheepfold.protocols.rest.appraisal_wire import AppraisalOut

app = typer.Typer(add_completion=False, rich_markup_mode="markdown", no_args_is_help=True)

_Genome = Annotated[Path, typer.Argument(metavar="GENOME", exists=True, dir_okay=False)]
_Genome2 = Annotated[Path | None, typer.Argument(metavar="GENOME2", exists=True, dir_okay=False)]
_Project = Annotated[Path, typer.Argument(metavar="FILE", exists=True, dir_okay=False)]
_Title = Annotated[str, typer.Option(help="A name for people to know it by.")]
_Priority = Annotated[int, typer.Option(min=-100, max=100, help="Higher goes first.")]
_AllowBlank = Annotated[
    bool, typer.Option("--allow-blank", help="Frames of a single colour are meant, as in a fade from black.")
]
_Private = Annotated[bool, typer.Option("--private", help="Seen by you, the owner, and who has a link to it.")]
_Appraise = Annotated[bool, typer.Option("--appraise", help="Say what it would be and cost, and order nothing.")]
_Quorum = Annotated[int, typer.Option(min=1, max=5, help="How many machines must make the same picture.")]


@app.callback()
def order() -> None:
    """Order a flame, a Blender project or screenshots; the number of the new job is printed."""


@office_command(app)
def flame(  # noqa: PLR0913, PLR0917 -- these are the options of a command, each given by name
    office: Office,
    genome: _Genome,
    genome2: _Genome2 = None,
    frames: Annotated[int, typer.Option(min=1, max=2000, help="How many frames the film has.")] = 160,
    size: Annotated[str, typer.Option(help="WIDTHxHEIGHT in pixels.")] = "800x592",
    quality: Annotated[float, typer.Option(min=0.1, max=10_000, help="Samples a pixel.")] = 50,
    still: Annotated[bool, typer.Option("--still", help="One picture of the genome instead of a film.")] = False,
    parts: Annotated[int, typer.Option(min=1, max=16, help="Share each frame's quality among so many machines.")] = 1,
    allow_blank: _AllowBlank = False,
    title: _Title = "",
    private: _Private = False,
    appraise: _Appraise = False,
    priority: _Priority = 0,
    quorum: _Quorum = 1,
) -> Said:
    """Order a loop of GENOME, or the edge from GENOME to GENOME2, whose loops must be in the flock."""
    if genome2 is not None and still:
        raise typer.BadParameter("A still is made of one genome.")
    width, height = _size(size)
    shape = "still" if still else "loop" if genome2 is None else "edge"
    spec: dict[str, Any] = {"shape": shape, "width": width, "height": height, "quality": quality, "parts": parts,
                            "allow_blank": allow_blank}
    if not still:
        spec["frames"] = frames
    inputs = {"genome": genome} | ({} if genome2 is None else {"genome2": genome2})
    name = title or " to ".join(path.stem for path in inputs.values())
    return _ordered(office, _Wish("flame", spec, inputs, name, Terms(priority, quorum), private), appraise=appraise)


@office_command(app)
def blender(  # noqa: PLR0913, PLR0917 -- these are the options of a command, each given by name
    office: Office,
    file: _Project,
    frames: Annotated[str | None, typer.Option(help="Such as 1-250 or 1,5,9; else all of the scene's.")] = None,
    step: Annotated[int | None, typer.Option(min=1, help="Only each STEPth of them.")] = None,
    main: Annotated[str | None, typer.Option(help="The .blend to render, where a zip holds several.")] = None,
    engine: Annotated[str | None, typer.Option(help="CYCLES, BLENDER_EEVEE or BLENDER_WORKBENCH.")] = None,
    samples: Annotated[int | None, typer.Option(min=1, help="Samples a pixel, instead of the scene's own.")] = None,
    size: Annotated[str | None, typer.Option(help="WIDTHxHEIGHT in pixels, instead of the scene's own.")] = None,
    form: Annotated[str | None, typer.Option("--format", help="PNG, JPEG or EXR.")] = None,
    allow_blank: _AllowBlank = False,
    title: _Title = "",
    private: _Private = False,
    appraise: _Appraise = False,
    priority: _Priority = 0,
    quorum: _Quorum = 1,
) -> Said:
    """Order frames of the Blender project FILE, a .blend or a zip; what is not said is taken from the scene."""
    width, height = (None, None) if size is None else _size(size)
    spec = _without_none({"frames": frames, "step": step, "main": main, "samples": samples, "width": width,
                          "height": height, "engine": engine and engine.upper(), "format": form and form.upper(),
                          "allow_blank": allow_blank})
    wish = _Wish("blender", spec, {"project": file}, title or file.stem, Terms(priority, quorum), private)
    return _ordered(office, wish, appraise=appraise)


@office_command(app)
def screenshot(  # noqa: PLR0913, PLR0917 -- these are the options of a command, each given by name
    office: Office,
    url: Annotated[str, typer.Argument(metavar="URL")],
    browser: Annotated[str, typer.Option(help="Which ones, such as chromium,firefox or firefox 115.")] = "firefox",
    width: Annotated[str, typer.Option(help="How wide in pixels, such as 390,1024.")] = "1024",
    bpp: Annotated[int | None, typer.Option(min=1, max=32, help="Colour depth in bits a pixel.")] = None,
    javascript: Annotated[str, typer.Option(help="enabled, disabled or a version; empty for any.")] = "",
    java: Annotated[str, typer.Option(help="enabled, disabled or a version; empty for any.")] = "",
    flash: Annotated[str, typer.Option(help="enabled, disabled or a version; empty for any.")] = "",
    platform: Annotated[str, typer.Option(help="linux, windows, mac os or bsd; empty for any.")] = "",
    mode: Annotated[str, typer.Option(help="window, viewport or page.")] = "window",
    height: Annotated[int | None, typer.Option(min=0, help="How high the screen or viewport is in pixels.")] = None,
    pixel_ratio: Annotated[int | None, typer.Option(min=1, max=4, help="Device pixels for each CSS pixel.")] = None,
    dark: Annotated[bool, typer.Option("--dark", help="Tell the page that its readers want the dark.")] = False,
    reduced_motion: Annotated[bool, typer.Option("--reduced-motion", help="And that they want little motion.")] = False,
    locale: Annotated[str, typer.Option(help="The reader's language, such as de-AT.")] = "",
    time_zone: Annotated[str, typer.Option(help="Where the reader is, such as Europe/Vienna.")] = "",
    wait_s: Annotated[int | None, typer.Option("--wait", min=1, help="The longest a page is waited for.")] = None,
    expire_s: Annotated[int | None, typer.Option("--expire", min=1, help="Seconds it is worth making for.")] = None,
    title: _Title = "",
    private: _Private = False,
    appraise: _Appraise = False,
    priority: _Priority = 0,
) -> Said:
    """Order screenshots of the page at URL.

    A window is the whole screen, as Browsershots' factories shoot it. A viewport or a page is shot through the
    browser's remote control, by this farm's own workers alone; so is all that tells the page of its reader.
    """
    told = {"mode": mode, "height": height, "pixel_ratio": pixel_ratio, "dark": dark or None, "expire_s": expire_s,
            "reduced_motion": reduced_motion or None, "locale": locale or None, "time_zone": time_zone or None,
            "wait_s": wait_s, "platform": platform or None, "javascript": javascript or None, "java": java or None,
            "flash": flash or None}
    spec = _without_none({"url": url, "browsers": browsers_in(browser),
                          "widths": numbers_in(width), "bpp": bpp, **told})
    return _ordered(office, _Wish("screenshot", spec, {}, title or url, Terms(priority), private), appraise=appraise)


@office_command(app)
def sketch(
    office: Office,
    genome: _Genome,
    file: Annotated[Path, typer.Argument(metavar="FILE.png", dir_okay=False)],
) -> Said:
    """Have the farm render GENOME small and quickly into FILE.png; nothing is ordered."""
    office.sketch("flame", {"genome": genome}, file)
    return Said({"files": [str(file)]}, str(file))


def _size(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"([0-9]{1,5})x([0-9]{1,5})", text)
    if not found:
        raise InvalidSpec(f"A size is WIDTHxHEIGHT, such as 800x592; found {text!r}.")
    return int(found[1]), int(found[2])


def browsers_in(text: str) -> list[dict[str, str]]:
    """Read browsers with commas between, such as chromium,firefox 115: a version is one that it must have."""
    return [_browser(name) for name in text.split(",")]


def numbers_in(text: str) -> list[int]:
    """Read widths with commas between; raises InvalidSpec."""
    if not re.fullmatch(r"[0-9]{1,5}(,[0-9]{1,5})*", text):
        raise InvalidSpec(f"Widths are numbers of pixels with commas between, such as 390,1024; found {text!r}.")
    return [int(number) for number in text.split(",")]


def _without_none(spec: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in spec.items() if value is not None}


@dataclass(frozen=True, slots=True)
class _Wish:
    """An order before it is made."""

    kind: str
    spec: Mapping[str, Any]
    inputs: Mapping[str, Path]
    title: str
    terms: Terms
    is_private: bool


def _ordered(office: Office, wish: _Wish, *, appraise: bool) -> Said:
    """Order, or ask what that would be; a job's number is for scripts to read, remarks are for people."""
    if appraise:
        found = office.appraise(wish.kind, wish.spec, wish.inputs, wish.terms)
        return Said(found, _appraised(found))
    with progress("Sent", in_bytes=True) as step:
        ordered = office.order(wish.kind, wish.spec, wish.inputs, wish.title, wish.terms, private=wish.is_private,
                               on_sent=step)
    for remark in ordered.remarks:
        typer.echo(plain(remark), err=True)
    return Said(ordered, str(ordered.id))


def _appraised(found: AppraisalOut) -> str:
    tasks = f"{found.tasks:,} task{'' if found.tasks == 1 else 's'}"
    at_work = f"the {found.machines} at work" if found.machines else "one machine; none is at work now"
    return "\n".join([f"{tasks} for {found.millipoints / 1000:,.3f} points, about {found.span_s / 60:,.1f} minutes on "
                      f"{at_work}.", *map(plain, found.remarks)])


def _browser(text: str) -> dict[str, str]:
    """Read a browser such as chromium, or firefox 115 with the version that it must have."""
    found = re.fullmatch(r"(.*?)(?:\s+([0-9][0-9.]*))?", text.strip())
    assert found  # it matches anything
    return {"name": found[1], "version": found[2] or ""}
