"""`sheepfold flame render` and `animate`: pictures and films of a genome on this machine, without a farm."""

import re
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from sheepfold.kinds import film
from sheepfold.kinds.flame.engine import output, sequence, xml
from sheepfold.kinds.flame.engine import render as engine
from sheepfold.kinds.flame.engine.develop import Tone
from sheepfold.kinds.flame.engine.genome import Genome
from sheepfold.kinds.flame.engine.params import sized
from sheepfold.kinds.flame.engine.render import Frame

_Genome = Annotated[Path, typer.Argument(metavar="GENOME", exists=True, dir_okay=False)]
_Size = Annotated[str, typer.Option(help="WIDTHxHEIGHT in pixels; the genome's own where left out.")]
_Quality = Annotated[float, typer.Option(min=0, max=1_000_000, help="Samples a pixel; 0 for the genome's own.")]
_Threads = Annotated[int, typer.Option(min=0, help="Cores to use; 0 for all.")]
_Seed = Annotated[int, typer.Option(min=0, help="What the noise is made of.")]
_Device = Annotated[str, typer.Option(help="auto, cpu or gpu.")]


def render(  # noqa: PLR0913, PLR0917 -- these are the options of a command, each given by name
    genome: _Genome,
    target: Annotated[Path, typer.Option("-o", "--output", help="A .png, .jpg, or .exr of the raw buckets.")] = Path(
        "flame.png"
    ),
    size: _Size = "",
    quality: _Quality = 0,
    bits: Annotated[int, typer.Option(help="8 or 16 bits a channel, for PNG.")] = 8,
    transparent: Annotated[bool, typer.Option("--transparent", help="Leave the background out.")] = False,
    early_clip: Annotated[bool, typer.Option("--early-clip", help="Clip before the filter.")] = False,
    strip_rows: Annotated[int, typer.Option(min=0, help="Make strips of so many rows, for less memory.")] = 0,
    threads: _Threads = 0,
    seed: _Seed = 0,
    device: _Device = engine.AUTO,
) -> None:
    """Render the first flame of GENOME."""
    frame = Frame((_fitted(xml.read(genome.read_bytes())[0], size, quality),))
    cores = threads or engine.core_count()
    with _progress() as progress:
        task = progress.add_task(target.name, total=1.0)
        try:
            if target.suffix == ".exr":
                exposure = engine.accumulate(
                    frame, frame.middle.quality, seed, threads=cores, device=device,
                    progress=lambda part: progress.update(task, completed=part),
                )  # fmt: skip
                output.save_buckets(exposure.buckets, target)
                return
            tone = Tone(transparent, early_clip, bits)
            pixels = engine.render(
                frame, seed, tone, threads=cores, device=device, strip_rows=strip_rows,
                progress=lambda part: progress.update(task, completed=part),
            )  # fmt: skip
            output.save(pixels, target)
        except ValueError as error:
            raise typer.BadParameter(str(error)) from error
    typer.echo(str(target))


def animate(  # noqa: PLR0913, PLR0917 -- as above
    genome: _Genome,
    target: Annotated[Path, typer.Option("-o", "--output", help="An .mp4.")] = Path("flame.mp4"),
    frames: Annotated[int, typer.Option(min=1, max=10_000, help="Frames of one turn.")] = 160,
    fps: Annotated[int, typer.Option(min=1, max=120, help="Frames a second.")] = 20,
    temporal_samples: Annotated[int, typer.Option(min=1, max=1000, help="Moments that blur a frame's motion.")] = 60,
    size: _Size = "",
    quality: _Quality = 0,
    threads: _Threads = 0,
    seed: _Seed = 0,
    device: _Device = engine.AUTO,
) -> None:
    """Make a film of GENOME turned once."""
    start = _fitted(xml.read(genome.read_bytes())[0], size, quality)
    start = replace(start, temporal_samples=temporal_samples)
    with _progress() as progress, tempfile.TemporaryDirectory() as folder:
        pictures = []
        for index in progress.track(range(frames), description=target.name):
            frame = Frame(sequence.loop_frame(start, index, frames), float(index))
            pictures.append(Path(folder) / f"{index:05d}.png")
            pixels = engine.render(frame, seed + index, threads=threads or None, device=device)
            output.save(pixels, pictures[-1])
        film.make_film(pictures, target, fps)
    typer.echo(str(target))


def _fitted(genome: Genome, size: str, quality: float) -> Genome:
    if size:
        found = re.fullmatch(r"(\d{1,5})x(\d{1,5})", size)
        if not found or not int(found[1]) or not int(found[2]):
            raise typer.BadParameter(f"A size is WIDTHxHEIGHT, such as 1920x1080, not {size}.")
        genome = sized(genome, (int(found[1]), int(found[2])))
    return replace(genome, quality=quality or genome.quality, passes=1)


def _progress() -> Progress:
    return Progress(TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:3.0f}%"),
                    TimeElapsedColumn(), TextColumn("ETA"), TimeRemainingColumn())  # fmt: skip
