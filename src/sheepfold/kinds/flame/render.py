"""Rendering one part of a flame frame: with flam3-animate, or without it our own engine; the worker's alone."""

import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path

from sheepfold.kinds.flame import flam3
from sheepfold.kinds.seam import RenderFailed, RenderOrder, Workbench

MAX_INPUT_BYTES = 16 * 1024 * 1024
_DECLARATION = re.compile(rb"\A(?:\xef\xbb\xbf)?\s*<\?xml[^>]*\?>")


def render(order: RenderOrder, workbench: Workbench) -> Path:
    """Return the picture of one part, in the workbench's folder.

    `order.input` holds the frame's control points, with or without a root element, and `order.frame` is its time. The
    spec is an order's, or what a wire told of one: `format`, `jpeg_quality`, `bits` and `seed` are looked at. One
    thread, as the noise depends on their number. Without flam3 the engine makes the same picture with other noise, as
    another build of flam3 would. Raises RenderFailed where there is no input or no picture.
    """
    if order.input is None:
        raise RenderFailed("the task came without a genome")
    control_points = workbench.folder / f"frame-{order.frame}-{order.part}.flam3"
    control_points.write_bytes(_rooted(order.input))
    args = _args(order)
    picture = workbench.folder / f"frame-{order.frame}-{order.part}.{args['format']}"
    picture.unlink(missing_ok=True)
    program = flam3.find("flam3-animate")
    if program is not None:
        own = {"in": str(control_points), "out": str(picture), "nthreads": "1", "verbose": "0"}
        workbench.run([str(program)], args | own)
    else:
        _run_engine(control_points, picture, args, workbench)
    if not picture.is_file() or picture.stat().st_size == 0:
        raise RenderFailed("the renderer ended well but left no picture")
    return picture


def _run_engine(control_points: Path, picture: Path, args: Mapping[str, str], workbench: Workbench) -> None:
    """Run the engine as a program of its own: the same walls, and its kernels in the only folder it may write to."""
    words = {"genomes": str(control_points), "picture": str(picture), "time": args["time"], "seed": args["isaac_seed"],
             "bits": args["bits"], "jpeg_quality": args.get("jpeg", "95"), "threads": 1}  # fmt: skip
    kernels = workbench.folder / "kernels"
    environment = {"XDG_CACHE_HOME": str(kernels), "NUMBA_CACHE_DIR": str(kernels), "HOME": str(workbench.folder)}
    sources = Path(__file__).parents[3]
    readable = [Path(sys.prefix), Path(sys.base_prefix), sources]
    argv = [sys.executable, "-I", "-m", "sheepfold.kinds.flame.engine.program", json.dumps(words)]
    workbench.run(argv, environment, readable=readable)


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
