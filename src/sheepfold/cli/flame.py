"""`sheepfold flame`: genomes on this machine: looked at, bred, rendered and animated, without a farm."""

import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import numpy as np
import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from sheepfold.cli.plain import plain
from sheepfold.kinds.flame import flam3
from sheepfold.kinds.flame import genome as files
from sheepfold.kinds.flame.engine import breeding, chance, cross, mutate, sequence, xml
from sheepfold.kinds.flame.engine.genome import Genome
from sheepfold.kinds.flame.engine.names import NUMBERS
from sheepfold.model.errors import InvalidSpec

if TYPE_CHECKING:
    from sheepfold.kinds.flame.engine import render as engine
    from sheepfold.kinds.flame.engine.develop import Pixels, Tone
    from sheepfold.kinds.flame.engine.exposures import Negative

T = TypeVar("T")

app = typer.Typer(add_completion=False, rich_markup_mode="markdown", no_args_is_help=True)

_GenomeFile = Annotated[Path, typer.Argument(metavar="GENOME", exists=True, dir_okay=False)]
_Output = Annotated[Path | None, typer.Option("-o", "--output", help="Where to write it; else it is printed.")]
_Seed = Annotated[int, typer.Option(min=0, help="The same seed gives the same genome.")]
_Tries = Annotated[
    int, typer.Option(min=0, help="How many candidates to look at until one passes; 0 takes the first, unseen.")
]
_Size = Annotated[str, typer.Option(help="WIDTHxHEIGHT in pixels; else the genome's own.")]
_Quality = Annotated[float, typer.Option(min=0.0, help="Samples a pixel; else the genome's own.")]
_Threads = Annotated[int, typer.Option(min=0, help="How many cores to use; 0 is all.")]
_RenderSeed = Annotated[int, typer.Option(min=0, help="Another seed gives other noise.")]
_Picture = Annotated[Path, typer.Option("-o", "--output", help="A .png, .jpg or .exr file; .exr holds raw buckets.")]
_Bits = Annotated[int, typer.Option(help="8 or 16 a channel; 16 for .png alone.")]
_Transparent = Annotated[bool, typer.Option("--transparent", help="Leave the background clear (.png).")]

_SEED_STRIDE = 1_000_000_007  # between a picture's previews, so that other seeds of one's own stay free


@app.callback()
def flame() -> None:
    """Look at, breed and render flame genomes on this machine."""


@app.command()
def info(genome: _GenomeFile) -> None:
    """Tell what each flame of GENOME is made of."""
    for flame_of in _read(genome):
        name = plain(flame_of.name) or "a flame without a name"
        _say(f"{name} at time {flame_of.time:g}: {flame_of.size[0]}x{flame_of.size[1]}, quality {flame_of.quality:g}")
        for place, xform in enumerate(flame_of.transforms):
            is_final = place == len(flame_of.xforms)
            title = "final transform" if is_final else f"transform {place}, weight {xform.weight:g}"
            variations = ", ".join(f"{name} {weight:g}" for name, weight in xform.variations.items()) or "no variation"
            _say(f"  {title}: {variations}")
        extras = [("xaos", flame_of.has_chaos), ("motion", any(xform.motions for xform in flame_of.transforms))]
        for title, is_there in extras:
            if is_there:
                _say(f"  has {title}")


@app.command("random")
def random_flame(
    output: _Output = None,
    seed: _Seed = 0,
    variations: Annotated[str, typer.Option(help="Names to choose from, with commas; else flam3's usual.")] = "",
    symmetry: Annotated[int, typer.Option(min=-25, max=25, help="-3 is threefold and mirrored; 0 leaves it open.")] = 0,
    tries: _Tries = breeding.TRIES,
) -> None:
    """Make a genome by chance that looks like something."""
    draw, names = np.random.default_rng(seed), _variations(variations)
    _write(_bred(lambda: (chance.random_genome(draw, names, symmetry=symmetry), "random"), draw, seed, tries), output)


@app.command("mutate")
def mutate_flame(
    genome: _GenomeFile,
    output: _Output = None,
    method: Annotated[mutate.Mutation | None, typer.Option(help="Else one is chosen as flam3 would.")] = None,
    seed: _Seed = 0,
    speed: Annotated[float, typer.Option(min=0.0, help="How far all_coefs goes.")] = 0.1,
    tries: _Tries = breeding.TRIES,
) -> None:
    """Change GENOME by chance."""
    draw = np.random.default_rng(seed)
    parents = _read(genome)
    taste = mutate.Taste(speed=speed, look=breeding.engine_eyes(seed).look if tries else None)
    make = lambda: mutate.mutate(parents[int(draw.integers(len(parents)))], draw, method, taste)  # noqa: E731
    _write(_bred(make, draw, seed, tries), output)


@app.command()
def breed(
    first: _GenomeFile,
    second: Annotated[Path, typer.Argument(metavar="GENOME2", exists=True, dir_okay=False)],
    output: _Output = None,
    method: Annotated[cross.Crossing | None, typer.Option(help="Else one is chosen as flam3 would.")] = None,
    seed: _Seed = 0,
    tries: _Tries = breeding.TRIES,
) -> None:
    """Cross GENOME with GENOME2."""
    draw = np.random.default_rng(seed)
    parents = [_read(path) for path in (first, second)]

    def make() -> tuple[Genome, str]:
        one, other = (flames[int(draw.integers(len(flames)))] for flames in parents)
        return cross.cross(one, other, draw, method)

    _write(_bred(make, draw, seed, tries), output)


@app.command("sequence")
def sequence_flame(
    genomes: Annotated[list[Path], typer.Argument(metavar="GENOME...", exists=True, dir_okay=False)],
    output: _Output = None,
    frames: Annotated[int, typer.Option(min=1, max=2000, help="Frames a loop and an edge.")] = 160,
    loops: Annotated[bool, typer.Option(help="Turn each genome once before the edge to the next.")] = True,
) -> None:
    """Write the control points of a film through all GENOMEs, one a frame."""
    points = sequence.sequence([flame_of for path in genomes for flame_of in _read(path)], frames, has_loops=loops)
    _put(xml.write_all(points, "sequence"), output)


@app.command()
def render(  # noqa: PLR0913, PLR0917 -- these are the options of a command, each given by name
    genome: _GenomeFile,
    output: _Picture,
    size: _Size = "",
    quality: _Quality = 0.0,
    bits: _Bits = 8,
    transparent: _Transparent = False,
    threads: _Threads = 0,
    seed: _RenderSeed = 0,
    onto: Annotated[Path | None, typer.Option(
        help="An .exr of the same frame by another seed: its buckets are added.", exists=True, dir_okay=False
    )] = None,
    previews: Annotated[bool, typer.Option("--previews", help="Write the picture early, and each time its samples "
                                           "have doubled.")] = False,
) -> None:  # fmt: skip
    """Render the first flame of GENOME."""
    from sheepfold.kinds.flame.engine import exposures  # noqa: PLC0415 - the compiler takes a second to load
    from sheepfold.kinds.flame.engine import output as pictures  # noqa: PLC0415
    from sheepfold.kinds.flame.engine import render as engine  # noqa: PLC0415

    tone = _tone(output, bits, transparent=transparent)
    before = exposures.load(onto) if onto else None
    flame_of = _sized(_read(genome)[0], size, quality)
    if onto and before:
        flame_of = _as_before(flame_of, before.genome, size)
    count = threads or engine.core_count()
    with _bar() as bar:
        task = bar.add_task(output.name, total=1.0)
        told = lambda part: bar.update(task, completed=part)  # noqa: E731
        if before or previews or output.suffix == ".exr":
            for negative in _exposed(flame_of, before, seed, count, told, is_stepwise=previews):
                _save(negative, output, tone, count)
        else:
            pictures.save(_by_either(engine.Frame((flame_of,)), seed, tone, count, told), output)
        bar.update(task, completed=1.0)


@app.command()
def add(
    buckets: Annotated[list[Path], typer.Argument(metavar="BUCKETS...", exists=True, dir_okay=False)],
    output: _Picture,
    bits: _Bits = 8,
    transparent: _Transparent = False,
    threads: _Threads = 0,
) -> None:
    """Add raw BUCKETS (.exr) of one frame, from other seeds or machines, and develop what they make together."""
    from sheepfold.kinds.flame.engine import exposures  # noqa: PLC0415 - as above
    from sheepfold.kinds.flame.engine import render as engine  # noqa: PLC0415

    tone = _tone(output, bits, transparent=transparent)
    total, *rest = (exposures.load(path) for path in buckets)
    for negative in rest:
        total += negative
    _save(total, output, tone, threads or engine.core_count())


def _tone(output: Path, bits: int, *, transparent: bool) -> "Tone":
    from sheepfold.kinds.flame.engine.develop import Tone  # noqa: PLC0415 - as above

    if bits not in {8, 16} or output.suffix not in {".png", ".jpg", ".jpeg", ".exr"}:
        raise typer.BadParameter("A picture is a .png, .jpg or .exr of 8 or 16 bits.")
    return Tone(is_transparent=transparent, bits=bits)


def _as_before(genome: Genome, before: Genome, size: str) -> Genome:
    """Return a genome in the size of what it is to be added to, unless a size was asked for."""
    return genome if size else _sized(genome, f"{before.size[0]}x{before.size[1]}", 0.0)


def _exposed(
    genome: Genome, before: "Negative | None", seed: int, threads: int, progress: Callable[[float], None],
    *, is_stepwise: bool,
) -> Iterator["Negative"]:  # fmt: skip
    """Yield a genome's exposure on top of an earlier one, at the end or each time that its samples have doubled."""
    from sheepfold.kinds.flame.engine import exposures  # noqa: PLC0415 - as above
    from sheepfold.kinds.flame.engine import render as engine  # noqa: PLC0415

    parts = [1 / 16, 1 / 16, 1 / 8, 1 / 4, 1 / 2] if is_stepwise else [1.0]
    frame, total, done = engine.Frame((genome,)), before, 0.0
    for step, part in enumerate(parts):
        own = seed + step * _SEED_STRIDE
        exposure = _or_refused(lambda: engine.accumulate(
            frame, genome.quality * part, own, threads=threads,  # noqa: B023 -- called at once
            progress=lambda share: progress(done + share * part),  # noqa: B023
        ))  # fmt: skip
        negative = exposures.Negative(genome, exposure, (own,))
        total = total + negative if total else negative
        done += part
        yield total


def _save(negative: "Negative", output: Path, tone: "Tone", threads: int) -> None:
    from sheepfold.kinds.flame.engine import output as pictures  # noqa: PLC0415 - as above
    from sheepfold.kinds.flame.engine import render as engine  # noqa: PLC0415

    if output.suffix == ".exr":
        negative.save(output)
        return
    pixels = _or_refused(lambda: engine.develop(negative.exposure, negative.frame, tone, threads=threads))
    pictures.save(pixels, output)


@app.command()
def animate(  # noqa: PLR0913, PLR0917 -- as above
    genomes: Annotated[list[Path], typer.Argument(metavar="GENOME...", exists=True, dir_okay=False)],
    output: Annotated[Path, typer.Option("-o", "--output", help="An .mp4 file, or a folder for pictures.")],
    frames: Annotated[int, typer.Option(min=1, max=2000, help="Frames a loop and an edge.")] = 160,
    size: _Size = "",
    quality: _Quality = 0.0,
    fps: Annotated[int, typer.Option(min=1, max=120, help="Frames a second.")] = 20,
    blur: Annotated[int, typer.Option(min=1, max=1000, help="Moments a frame, for motion blur.")] = 60,
    threads: _Threads = 0,
    seed: _RenderSeed = 0,
) -> None:
    """Film the loop of each GENOME and the edges between them."""
    flames = [replace(_sized(f, size, quality), temporal_samples=blur) for path in genomes for f in _read(path)]
    points = _closed(list(sequence.sequence(flames, frames)), flames, frames)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) if output.suffix == ".mp4" else output
        folder.mkdir(parents=True, exist_ok=True)
        written = _film(points, folder, frames, threads, seed)
        if output.suffix == ".mp4":
            from sheepfold.kinds import film  # noqa: PLC0415 - only here a film is made

            film.make_film(written, output, fps)


def _closed(points: list[Genome], flames: list[Genome], frames: int) -> list[Genome]:
    """Return a film's control points with one before and one after, for the blur of its ends; a lone loop is closed."""
    step = 1.0 / frames
    before = sequence.loop_point(flames[0], -1, -step)
    if len(flames) == 1:
        return [before, *points]
    return [before, *points, sequence.loop_point(flames[-1], len(points), step)]


def _film(points: list[Genome], folder: Path, part: int, threads: int, seed: int) -> list[Path]:
    """Render each control point's frame; each `part` of them, a loop or an edge, has a kernel of its own."""
    from sheepfold.kinds.flame.engine import output as pictures  # noqa: PLC0415 - the compiler takes a second to load
    from sheepfold.kinds.flame.engine import render as engine  # noqa: PLC0415

    def frame_at(index: int) -> "engine.Frame":
        return engine.Frame(tuple(points[index - 1 : index + 2]), points[index].time)

    written = []
    with _bar() as bar, ThreadPoolExecutor(1) as ahead:
        task = bar.add_task("frames", total=float(len(points) - 2))
        for index in range(1, len(points) - 1):
            if index % part == 1 % part:  # the next loop's or edge's first frame has a kernel of its own
                for later in (index + part, index + part + 1):
                    if later < len(points) - 1:
                        ahead.submit(engine.warm_up, frame_at(later))
            frame = frame_at(index)
            written.append(folder / f"frame-{index - 1:05d}.png")
            pictures.save(_rendered(frame, seed + index, threads, bar, task), written[-1])
            bar.update(task, completed=float(index))
    return written


def _rendered(
    frame: "engine.Frame", seed: int, threads: int, bar: Progress, task: TaskID
) -> "Pixels":
    from sheepfold.kinds.flame.engine import render as engine  # noqa: PLC0415 - as above
    from sheepfold.kinds.flame.engine.develop import Tone  # noqa: PLC0415 - as above

    start = bar.tasks[task].completed
    count = threads or engine.core_count()
    return _by_either(frame, seed, Tone(), count, lambda part: bar.update(task, completed=start + part))


def _by_either(
    frame: "engine.Frame", seed: int, tone: "Tone", threads: int, progress: Callable[[float], None]
) -> "Pixels":
    """Return a frame's picture by our engine; if it cannot, by flam3 where that is installed, and say so."""
    from sheepfold.kinds.flame import fallback  # noqa: PLC0415 - as above
    from sheepfold.kinds.flame.engine import render as engine  # noqa: PLC0415 - as above

    try:
        return engine.render(frame, seed, tone, threads=threads, progress=progress)
    except ValueError as error:  # engine.Unsupported, or numbers that no filter can be made of
        reason = str(error)
    if flam3.find("flam3-render") is not None:
        _say_once(f"Our engine cannot do {reason}: flam3 renders.")
    try:
        return fallback.render(frame, seed, tone, threads=threads)
    except engine.Unsupported as error:
        raise InvalidSpec(f"This genome asks for {reason}, which our engine cannot do, and {error}.") from error


@cache
def _say_once(line: str) -> None:
    Console(stderr=True).print(line, markup=False, highlight=False)


def _or_refused(work: Callable[[], T]) -> T:
    try:
        return work()
    except ValueError as error:  # engine.Unsupported, or numbers that no filter can be made of
        raise InvalidSpec(f"This genome asks for {error}, which our engine cannot do; flam3-render may.") from error


def _bar() -> AbstractContextManager[Progress]:
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"))
    return Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True))


def _read(path: Path) -> tuple[Genome, ...]:
    flames = xml.read(files.read(path))
    if not flames:
        raise InvalidSpec(f"{path.name} holds no flame.")
    return flames


def _sized(genome: Genome, size: str, quality: float) -> Genome:
    if size:
        width, _, height = size.partition("x")
        if not (width.isdecimal() and height.isdecimal() and 0 < int(width) <= 65536 and 0 < int(height) <= 65536):
            raise typer.BadParameter(f"A size is WIDTHxHEIGHT, such as 1920x1080, not {size}.")
        pixels = (int(width), int(height))
        genome = replace(genome, size=pixels, scale=genome.scale * pixels[1] / genome.size[1])
    return replace(genome, quality=quality) if quality > 0 else genome


def _variations(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    unknown = [name for name in names if name not in NUMBERS]
    if unknown:
        raise typer.BadParameter(f"There is no variation {unknown[0]}.")
    return names or chance.USUAL


def _bred(make: breeding.Make, draw: np.random.Generator, seed: int, tries: int) -> Genome:
    if tries == 0:
        genome, action = make()
        return breeding.told(genome, action)
    with Console(stderr=True).status("Breeding; each candidate is rendered, which takes seconds."):
        return breeding.breed(make, draw, breeding.engine_eyes(seed), tries=tries)


def _write(genome: Genome, output: Path | None) -> None:
    _put(xml.write(genome), output)


def _put(text: bytes, output: Path | None) -> None:
    if output is None:
        sys.stdout.write(text.decode("ascii"))
        return
    output.write_bytes(text)


def _say(line: str) -> None:
    print(line)  # noqa: T201 -- what was asked for
