"""Our flame engine against flam3-render, genome by genome in one run: `python -m bench.flame --genomes FOLDER`.

Each pair runs back to back and the median of the rounds' ratios counts, so that a busy machine slows both. Times are
the processor's, of flam3's whole process and of our whole frame once its kernel is there; `--wall` takes the clock's.
With `--quality 500 --size 1280x720 --threads 2` and `--accuracy` come the other rows of the engine's figures; with
`--loop 160 --size 400x296` a whole loop beside flam3-animate's, with `--memory --size 3840x2160 --quality 1` the most
that both programs held; with `--gpu` the graphics card's pictures and speed beside the processor's.
"""

import argparse
import json
import math
import os
import resource
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image

from sheepfold.kinds.flame.engine import blueprint, cpu, render, sequence, xml
from sheepfold.kinds.flame.engine.genome import Genome
from sheepfold.kinds.flame.engine.params import sized
from sheepfold.kinds.flame.engine.render import Frame
from sheepfold.kinds.flame.engineer import command

NAMES = ("r1", "r2", "r3", "r4", "s11", "s12", "s14", "s16", "final", "final_t100")


@dataclass(frozen=True, slots=True)
class Work:
    size: tuple[int, int]
    quality: float
    threads: int
    is_wall: bool


def main() -> None:
    options = _options()
    work = Work(options.size, options.quality, options.threads, options.wall)
    paths = [options.genomes / f"{name}.flam3" for name in options.names]
    paths += list(_random_genomes(options.random, options.folder))
    size = "x".join(map(str, work.size))
    print(f"{size}, quality {work.quality:g}, {work.threads} threads, {cpu.VECTOR_BITS}-bit vectors")
    compare = _compare_memory if options.memory else _compare_loop if options.loop else _compare
    ratios = [compare(path, work, options) for path in paths]
    print(f"geometric mean {math.prod(ratios) ** (1 / len(ratios)):.2f}, least {min(ratios):.2f}")
    if options.plot:
        _plot([path.stem for path in paths], ratios, options.plot)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--genomes", type=Path, default=Path("tests/genomes"))
    parser.add_argument("--names", nargs="*", default=NAMES)
    parser.add_argument("--size", type=lambda text: tuple(map(int, text.split("x"))), default=(800, 592))
    parser.add_argument("--quality", type=float, default=50.0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--random", type=int, default=0, help="so many random genomes of flam3-genome as well")
    parser.add_argument("--accuracy", action="store_true")
    parser.add_argument("--loop", type=int, default=0, help="a whole loop of so many frames")
    parser.add_argument("--memory", action="store_true", help="the most memory instead of time")
    parser.add_argument("--gpu", action="store_true")
    parser.add_argument("--wall", action="store_true")
    parser.add_argument("--plot", type=Path)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.mkdtemp(prefix="flame-bench-")))
    return parser.parse_args()


def _random_genomes(count: int, folder: Path) -> Iterator[Path]:
    for seed in range(1, count + 1):
        path = folder / f"random{seed}.flam3"
        environment = {"seed": str(seed), "isaac_seed": f"bench{seed}", "PATH": os.environ["PATH"]}
        with path.open("wb") as target:
            subprocess.run(["flam3-genome"], env=environment, stdout=target, stderr=subprocess.DEVNULL, check=True)
        yield path


def _compare(path: Path, work: Work, options: argparse.Namespace) -> float:
    genome = replace(sized(xml.read(path.read_bytes())[0], work.size), quality=work.quality)
    frame = Frame((genome,))
    copy = options.folder / path.name
    copy.write_bytes(xml.write(genome))
    device = render.GPU if options.gpu else render.CPU
    render.render(Frame((replace(genome, quality=0.1),)), 0, threads=1, device=device)
    pairs = []
    for number in range(options.rounds):
        theirs = _clocked(lambda: _flam3(copy, "one", work, options.folder / "theirs.png"), work, children=True)
        ours = _clocked(lambda seed=number: _ours(frame, seed, work, device), work, children=False)  # type: ignore[misc]
        pairs.append((theirs, ours))
    ratio = statistics.median(theirs / ours for theirs, ours in pairs)
    line = f"{path.stem:12} flam3 {pairs[-1][0]:7.2f} s  ours {pairs[-1][1]:6.2f} s  ratio {ratio:6.2f}"
    print(line + (_accuracy(copy, frame, work, device, options.folder) if options.accuracy else ""), flush=True)
    return ratio


def _compare_loop(path: Path, work: Work, options: argparse.Namespace) -> float:
    """Compare the time of a loop, ours from its first word to its last frame; its kernel is there or not, as it is."""
    genome = replace(sized(xml.read(path.read_bytes())[0], work.size), quality=work.quality)
    loop = [sequence.loop_point(genome, frame, frame / options.loop) for frame in range(-1, options.loop + 1)]
    points = options.folder / "loop.flam3"
    points.write_bytes(xml.write_all(loop, "loop"))
    words = {"begin": "0", "end": str(options.loop - 1), "prefix": str(options.folder / "loop-"), "verbose": "0",
             "in": str(points), "nthreads": str(work.threads)}  # fmt: skip

    def theirs() -> None:
        subprocess.run(["flam3-animate"], env=os.environ | words, check=True, stderr=subprocess.DEVNULL)

    def ours() -> None:
        for frame in range(options.loop):
            _ours(Frame(tuple(loop[frame : frame + 3]), float(frame)), frame, work, render.CPU)

    their_s, our_s = _clocked(theirs, work, children=True), _clocked(ours, work, children=False)
    print(f"{path.stem:12} flam3 {their_s:7.2f} s  ours {our_s:6.2f} s  ratio {their_s / our_s:6.2f}", flush=True)
    return their_s / our_s


def _compare_memory(path: Path, work: Work, options: argparse.Namespace) -> float:
    """Compare the most memory that flam3-render and a process of our engine hold for one picture."""
    genome: Genome = replace(sized(xml.read(path.read_bytes())[0], work.size), quality=work.quality)
    copy = options.folder / path.name
    copy.write_bytes(xml.write(genome))
    words = os.environ | {"out": str(options.folder / "theirs.png"), "nthreads": str(work.threads), "verbose": "0"}
    order = {"genomes": str(copy), "picture": str(options.folder / "ours.png"), "time": 0, "seed": "1", "bits": 33,
             "jpeg_quality": 95, "threads": work.threads}  # fmt: skip
    paper = options.folder / "structure.json"
    paper.write_text(blueprint.text(render.compile_frame(Frame(tuple(xml.read(copy.read_bytes())), 0.0))))
    subprocess.run([*command("compiler"), str(paper)], check=True)
    program = [*command("program"), str(options.folder)]
    theirs = _most_mib(["flam3-render"], words, copy.read_bytes())
    ours = _most_mib(program, dict(os.environ), json.dumps(order).encode() + b"\n")
    print(f"{path.stem:12} flam3 {theirs:7.0f} MiB  ours {ours:6.0f} MiB  ratio {theirs / ours:6.2f}", flush=True)
    return theirs / ours


def _most_mib(argv: list[str], environment: dict[str, str], told: bytes) -> float:
    """Return the most memory that a program held, in MiB; Linux counts it in KiB."""
    with tempfile.TemporaryFile() as words:
        words.write(told)
        words.seek(0)
        program = subprocess.Popen(argv, env=environment, stdin=words, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL)  # fmt: skip
        _, status, used = os.wait4(program.pid, 0)
        program.returncode = os.waitstatus_to_exitcode(status)
    if program.returncode:
        raise SystemExit(f"{argv[0]} ended with {program.returncode}")
    return used.ru_maxrss / 1024


def _clocked(run: Callable[[], object], work: Work, *, children: bool) -> float:
    who = resource.RUSAGE_CHILDREN if children else resource.RUSAGE_SELF
    before, began = resource.getrusage(who), time.perf_counter()
    run()
    after = resource.getrusage(who)
    if work.is_wall:
        return time.perf_counter() - began
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _flam3(path: Path, seed: str, work: Work, target: Path) -> None:
    environment = os.environ | {"out": str(target), "isaac_seed": seed, "nthreads": str(work.threads), "verbose": "0"}
    with path.open("rb") as genome:
        subprocess.run(["flam3-render"], stdin=genome, env=environment, check=True, stderr=subprocess.DEVNULL)


def _ours(frame: Frame, seed: int, work: Work, device: str) -> np.ndarray:
    return np.asarray(render.render(frame, seed, threads=work.threads, device=device))


def _accuracy(path: Path, frame: Frame, work: Work, device: str, folder: Path) -> str:
    pictures = []
    for seed in ("one", "two"):
        _flam3(path, seed, work, folder / f"{seed}.png")
        pictures.append(np.asarray(Image.open(folder / f"{seed}.png").convert("RGB"), float))
    ours = _ours(frame, 7, work, device).astype(float)
    Image.fromarray(ours.astype(np.uint8)).save(folder / f"{path.stem}-ours.png")
    noise, distance = _psnr(pictures[0], pictures[1]), _psnr(ours, pictures[0])
    return f"  flam3 to flam3 {noise:.2f} dB, ours to flam3 {distance:.2f} dB ({distance - noise:+.2f})"


def _psnr(one: np.ndarray, other: np.ndarray) -> float:
    error = float(np.square(one - other).mean())
    return 10 * math.log10(255**2 / error) if error else math.inf


def _plot(names: list[str], ratios: list[float], target: Path) -> None:
    """Draw the ratios as bars into an SVG."""
    top = max(ratios)
    bars = "".join(
        f'<text x="0" y="{20 * row + 14}">{name}</text>'
        f'<rect x="110" y="{20 * row + 2}" width="{400 * ratio / top:.1f}" height="15" fill="#c55"/>'
        f'<text x="{115 + 400 * ratio / top:.1f}" y="{20 * row + 14}">{ratio:.1f}</text>'
        for row, (name, ratio) in enumerate(zip(names, ratios, strict=True))
    )
    target.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" width="570" height="{20 * len(names)}"'
        f' font-family="sans-serif" font-size="12">{bars}</svg>\n'
    )


if __name__ == "__main__":
    main()
