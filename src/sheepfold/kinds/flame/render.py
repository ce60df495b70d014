"""Rendering parts of flame frames with flam3-animate or our own engine, whichever costs less; the worker's alone."""

import json
import re
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from sheepfold.kinds.flame import flam3, genome
from sheepfold.kinds.seam import Attendant, RenderFailed, RenderOrder, Workbench
from sheepfold.model.errors import InvalidSpec

MAX_INPUT_BYTES = 16 * 1024 * 1024

ENGINE_START_S = 10.0
"""What the engine costs before its first frame, in processor seconds of flam3 that it must save: measured 6 to 9."""

_DECLARATION = re.compile(rb"\A(?:\xef\xbb\xbf)?\s*<\?xml[^>]*\?>")


def render(order: RenderOrder, workbench: Workbench) -> Path:
    """Return the picture of one part, in the workbench's folder; see `Chain.render`."""
    chain = open_chain(order, workbench)
    try:
        return chain.render(order)
    finally:
        chain.close()


def open_chain(_order: RenderOrder, workbench: Workbench) -> "Chain":
    """Return a renderer for tasks of one order."""
    return Chain(workbench)


class Chain:
    """Flam3 for an order's first cheap frames, and the engine, which stays, once it has paid for its start.

    The engine is nine to twenty times as fast but must compile a kernel first. So flam3 renders until it has cost, or
    with the next frame will have cost, what the start does: never more than twice what the better choice would have
    been. Both make the same picture with other noise, as two builds of flam3 do. Where flam3 is not installed the
    engine renders all; what the engine cannot render is flam3's for the rest of the order.
    """

    def __init__(self, workbench: Workbench) -> None:
        self._workbench = workbench
        self._flam3 = flam3.find("flam3-animate")
        self._flam3_s = 0.0
        self._engine: Attendant | None = None
        self._has_failed = False

    def render(self, order: RenderOrder) -> Path:
        """Return the picture of one part, in the workbench's folder.

        `order.input` holds the frame's control points, with or without a root element, and `order.frame` is its time.
        The spec is an order's, or what a wire told of one: `format`, `jpeg_quality`, `bits` and `seed` are looked at.
        One thread, as the noise depends on their number. Raises RenderFailed where there is no input or no picture.
        """
        exposure = _prepared(order, self._workbench.folder)
        if self._is_engines(order):
            self._run_engine(exposure)
        else:
            self._run_flam3(exposure)
        if not exposure.picture.is_file() or exposure.picture.stat().st_size == 0:
            raise RenderFailed("the renderer ended well but left no picture")
        return exposure.picture

    def close(self) -> None:
        """End the engine; may be called twice."""
        if self._engine is not None:
            self._engine.close()
            self._engine = None

    def _is_engines(self, order: RenderOrder) -> bool:
        if self._flam3 is None or self._has_failed:
            return self._flam3 is None
        if self._engine is not None:
            return True
        return self._flam3_s + _expected_s(order) >= ENGINE_START_S

    def _run_flam3(self, exposure: "_Exposure") -> None:
        own = {"in": str(exposure.genomes), "out": str(exposure.picture), "nthreads": "1", "verbose": "0"}
        began = time.monotonic()
        self._workbench.run([str(self._flam3)], exposure.args | own)
        self._flam3_s += time.monotonic() - began

    def _run_engine(self, exposure: "_Exposure") -> None:
        if self._engine is None:
            self._engine = _start_engine(self._workbench)
        problem = _problem(self._engine.ask(exposure.order()))
        if not problem:
            return
        self.close()  # one program at a time
        if self._flam3 is None:
            raise RenderFailed(problem)
        self._has_failed = True
        exposure.picture.unlink(missing_ok=True)
        self._run_flam3(exposure)


def _expected_s(order: RenderOrder) -> float:
    """Return the seconds that flam3 is expected to need; where a wire's words tell no size, the genome itself does.

    A genome that cannot be understood costs nothing: flam3 shall say what it thinks of it.
    """
    if "width" in order.spec or order.input is None:
        return flam3.cost_ms(order.spec) / 1000 if "width" in order.spec else 0.0
    try:
        flame = next(genome.parse(_rooted(order.input)).iter("flame"))
        width, height = (int(side) for side in flame.get("size", "").split())
        told = {"width": width, "height": height, "quality": float(flame.get("quality", "1")), "parts": 1,
                "supersample": int(flame.get("supersample", "1"))}  # fmt: skip
        return flam3.cost_ms(told) / 1000
    except (InvalidSpec, StopIteration, ValueError, OverflowError):
        return 0.0


@dataclass(frozen=True, slots=True)
class _Exposure:
    """One part to be rendered: its control points' file, flam3's words, and where the picture shall be."""

    genomes: Path
    args: dict[str, str]
    picture: Path

    def order(self) -> bytes:
        """Return the engine's order."""
        args = self.args
        words = {"genomes": str(self.genomes), "picture": str(self.picture), "time": args["time"],
                 "seed": args["isaac_seed"], "bits": args["bits"], "jpeg_quality": args.get("jpeg", "95"),
                 "threads": 1}  # fmt: skip
        return json.dumps(words).encode() + b"\n"


def _prepared(order: RenderOrder, folder: Path) -> _Exposure:
    if order.input is None:
        raise RenderFailed("the task came without a genome")
    args = _args(order)
    genomes = folder / f"frame-{order.frame}-{order.part}.flam3"
    genomes.unlink(missing_ok=True)
    with genomes.open("xb") as file:  # never through a link, which an engine taken over by a genome might have left
        file.write(_rooted(order.input))
    picture = folder / f"frame-{order.frame}-{order.part}.{args['format']}"
    picture.unlink(missing_ok=True)
    return _Exposure(genomes, args, picture)


def _start_engine(workbench: Workbench) -> Attendant:
    """Start the engine behind the same walls, its kernels in the only folder it may write to.

    They end with the order: what a stranger's genome may have written is never run for another's.
    """
    kernels = workbench.folder / "kernels"
    environment = {"XDG_CACHE_HOME": str(kernels), "NUMBA_CACHE_DIR": str(kernels), "HOME": str(workbench.folder)}
    readable = [Path(sys.prefix), Path(sys.base_prefix), Path(__file__).parents[3]]
    argv = [sys.executable, "-I", "-m", "sheepfold.kinds.flame.engine.program"]
    return workbench.start(argv, environment, readable=readable)


def _problem(line: bytes) -> str:
    """Return what the engine's answer complains of; empty where the picture is made."""
    if not line:
        return "the flame engine ended without an answer"
    try:
        answer = json.loads(line)
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        return "the flame engine answered nonsense"
    return str(answer.get("error", ""))[:500]


def _args(order: RenderOrder) -> dict[str, str]:
    """Return flam3-animate's variables; a farm is a stranger too, and its words go into a path and an environment."""
    args = flam3.animate_args(order.spec, order.frame, order.part)
    if args["format"] not in {"png", "jpg"} or args["bits"] not in {"32", "33", "64"} or "\0" in "".join(args.values()):
        raise RenderFailed(f"the farm asks for what flam3-animate cannot do: {args!r}")
    return args


def _rooted(path: Path) -> bytes:
    """Return a file's flames under one root: flam3-genome prints them without, and flam3 looks below any."""
    if path.stat().st_size > MAX_INPUT_BYTES:
        raise RenderFailed(f"the genome has more than {MAX_INPUT_BYTES} bytes")
    return b"<frame>\n" + _DECLARATION.sub(b"", path.read_bytes()) + b"\n</frame>\n"
