"""Rendering parts of flame frames with flam3-animate or our own engine, whichever costs less; the worker's alone."""

import math
import os
import re
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sheepfold.kinds.flame import flam3, foresight
from sheepfold.kinds.flame.engineer import Answer, Engineer
from sheepfold.kinds.flame.foresight import Outlook
from sheepfold.kinds.flame.kernels import COMPILE_LIMIT_S, Kernels
from sheepfold.kinds.seam import RenderFailed, RenderOrder, Workbench

MAX_INPUT_BYTES = 16 * 1024 * 1024

KERNEL_S = 6.0
"""What a new kernel costs, in processor seconds of flam3 that it must save: measured 3 to 7 over the tests' genomes."""

START_S = 0.7
"""What the engine costs before its first frame, where the kernel is kept: measured 0.6 to 1.0."""

DEAREST = 3.0
"""Genomes cost up to so many times what is expected; what takes longer is no genome's but the machine's other work."""

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
    """Flam3 for the first cheap frames of a structure, and the engine once flam3 has cost what a kernel does.

    The engine is nine to twenty times as fast but needs a kernel, which is compiled once and kept for all orders. So
    flam3 renders until it has cost, or with the next frame will have cost, what the kernel does: never much more than
    twice what the better choice would have been. At half of that the kernel is compiled beside flam3, where there is a
    core to spare. Both make the same picture with other noise, as two builds of flam3 do. Where flam3 is not installed
    the engine renders all; what the engine cannot render is flam3's for the rest of the order.
    """

    def __init__(self, workbench: Workbench) -> None:
        self._workbench = workbench
        self._kernels = Kernels(workbench.kept)
        self._flam3 = flam3.find("flam3-animate")
        self._flam3_s = 0.0
        self._engineer: Engineer | None = None
        self._has_failed = False
        self._crew = ThreadPoolExecutor(1, "kernels")
        self._coming: _Coming | None = None

    def render(self, order: RenderOrder) -> Path:
        """Return the picture of one part, in the workbench's folder.

        `order.input` holds the frame's control points, with or without a root element, and `order.frame` is its time.
        The spec is an order's, or what a wire told of one: `format`, `jpeg_quality`, `bits` and `seed` are looked at.
        One thread, as the noise depends on their number. Raises RenderFailed where there is no input or no picture.
        """
        exposure = _prepared(order, self._workbench.folder)
        outlook = foresight.outlook(order.spec, exposure.genomes)
        self._collect(outlook)
        if not (self._is_engines(outlook) and self._run_engine(exposure, outlook)):
            self._begin_compiling(exposure, outlook)
            self._run_flam3(exposure, outlook)
        if not exposure.picture.is_file() or exposure.picture.stat().st_size == 0:
            raise RenderFailed("the renderer ended well but left no picture")
        return exposure.picture

    def close(self) -> None:
        """End the engine, and what is being compiled; may be called twice."""
        if self._coming is not None:
            self._coming.bench.stop()
            wait([self._coming.kernel])
            self._coming.leave.close()
            self._coming = None
        self._crew.shutdown()
        self._dismiss()

    def _is_engines(self, outlook: Outlook) -> bool:
        if self._flam3 is None or self._has_failed:
            return self._flam3 is None
        if not self._kernels.note(outlook.trace).kernel:
            return self._spent_s(outlook) >= KERNEL_S
        return self._engineer is not None or self._flam3_s + outlook.flam3_s >= START_S

    def _spent_s(self, outlook: Outlook) -> float:
        """Return what flam3 will have cost with the next frame, of all that a kernel would have made."""
        return self._kernels.note(outlook.trace).flam3_s + outlook.flam3_s

    def _run_flam3(self, exposure: "_Exposure", outlook: Outlook) -> None:
        own = {"in": str(exposure.genomes), "out": str(exposure.picture), "nthreads": "1", "verbose": "0"}
        began = time.monotonic()
        self._workbench.run([str(self._flam3)], exposure.args | own)
        spent_s = min(time.monotonic() - began, DEAREST * outlook.flam3_s or math.inf)
        self._flam3_s += spent_s
        note = self._kernels.note(outlook.trace)
        if not note.kernel:
            self._kernels.put_down(outlook.trace, replace(note, flam3_s=note.flam3_s + spent_s))

    def _run_engine(self, exposure: "_Exposure", outlook: Outlook) -> bool:
        """Return whether the engine made the picture; what it cannot make is flam3's."""
        if self._engineer is None:
            self._engineer = Engineer(self._workbench, self._kernels.folder)
        answer = self._engineer.ask(exposure.order())
        if answer.wanted is not None:
            if self._flam3 is not None and self._spent_s(outlook) < KERNEL_S:
                return self._put_off(outlook)
            answer = self._with_kernel(answer.wanted, exposure, outlook)
        if answer.problem:
            return self._give_up(exposure, answer.problem)
        self._note_kernel(outlook.trace, answer.kernel)
        return True

    def _with_kernel(self, wanted: Mapping[str, Any], exposure: "_Exposure", outlook: Outlook) -> Answer:
        """Have a kernel compiled, and ask once more."""
        assert self._engineer is not None
        self._compiled(outlook.trace, time.monotonic(), lambda: self._kernels.compile(wanted, self._workbench))
        answer = self._engineer.ask(exposure.order())
        return answer if answer.wanted is None else Answer(problem="the flame engine has no kernel for it")

    def _put_off(self, outlook: Outlook) -> bool:
        """Let flam3 render on: against all appearance the kernel of such frames is not one for this, or is gone."""
        self._kernels.put_down(outlook.trace, replace(self._kernels.note(outlook.trace), kernel=""))
        return False

    def _give_up(self, exposure: "_Exposure", problem: str) -> bool:
        self._dismiss()  # one program at a time
        if self._flam3 is None:
            raise RenderFailed(problem)
        self._has_failed = True
        exposure.picture.unlink(missing_ok=True)
        return False

    def _begin_compiling(self, exposure: "_Exposure", outlook: Outlook) -> None:
        """Have the kernel compiled beside flam3 where half of its price has been spent."""
        has_time = self._coming is None and not self._has_failed and (os.cpu_count() or 1) > 1
        if has_time and self._spent_s(outlook) >= KERNEL_S / 2 and not self._kernels.note(outlook.trace).kernel:
            leave = ExitStack()
            bench = leave.enter_context(self._workbench.aside(COMPILE_LIMIT_S))
            genomes = exposure.genomes.read_bytes()
            kernel = self._crew.submit(self._kernels.compile_for, genomes, exposure.args["time"], bench)
            self._coming = _Coming(outlook.trace, time.monotonic(), kernel, bench, leave)

    def _collect(self, outlook: Outlook) -> None:
        """Note a kernel that has come meanwhile; wait for it where the engine is to render such a frame now."""
        if self._coming is None:
            return
        coming = self._coming
        if coming.kernel.done() or (coming.trace == outlook.trace and self._is_engines(outlook)):
            self._compiled(coming.trace, coming.began, coming.kernel.result)
            coming.leave.close()
            self._coming = None

    def _note_kernel(self, trace: str, kernel: str) -> None:
        note = self._kernels.note(trace)
        if note.kernel != kernel:
            self._kernels.put_down(trace, replace(note, kernel=kernel))
        self._kernels.use(kernel)

    def _compiled(self, trace: str, began: float, kernel: Callable[[], str]) -> None:
        """Note a kernel, or that it took its time in vain: flam3 must cost as much again before another order tries."""
        try:
            self._note_kernel(trace, kernel())
        except (RenderFailed, OSError):
            self._has_failed = True
            lost_s = time.monotonic() - began
            self._kernels.put_down(trace, replace(self._kernels.note(trace), flam3_s=-lost_s))

    def _dismiss(self) -> None:
        if self._engineer is not None:
            self._engineer.close()
            self._engineer = None


@dataclass(frozen=True, slots=True)
class _Coming:
    """A kernel that is being compiled for frames of a trace, at a bench that is left in the end."""

    trace: str
    began: float
    kernel: Future[str]
    bench: Workbench
    leave: ExitStack


@dataclass(frozen=True, slots=True)
class _Exposure:
    """One part to be rendered: its control points' file, flam3's words, and where the picture shall be."""

    genomes: Path
    args: dict[str, str]
    picture: Path

    def order(self) -> dict[str, object]:
        """Return the engine's order."""
        args = self.args
        return {"genomes": str(self.genomes), "picture": str(self.picture), "time": args["time"],
                "seed": args["isaac_seed"], "bits": args["bits"], "jpeg_quality": args.get("jpeg", "95"),
                "threads": 1}  # fmt: skip


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
