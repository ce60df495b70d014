"""Rendering one part of a flame frame with flam3-animate; the worker's alone."""

import re
from pathlib import Path

from sheepfold.kinds.flame import flam3
from sheepfold.kinds.seam import RenderFailed, RenderOrder, Workbench

MAX_INPUT_BYTES = 16 * 1024 * 1024
_DECLARATION = re.compile(rb"\A(?:\xef\xbb\xbf)?\s*<\?xml[^>]*\?>")


def render(order: RenderOrder, workbench: Workbench) -> Path:
    """Return the picture of one part, in the workbench's folder.

    `order.input` holds the frame's control points, with or without a root element, and `order.frame` is its time. The
    spec is an order's, or what a wire told of one: `format`, `jpeg_quality`, `bits` and `seed` are looked at. One
    thread, as the noise depends on their number. Raises RenderFailed where there is no flam3, no input or no picture.
    """
    program = flam3.find("flam3-animate")
    if program is None:
        raise RenderFailed("flam3-animate is not installed; Debian has it in the package flam3-utils")
    if order.input is None:
        raise RenderFailed("the task came without a genome")
    control_points = workbench.folder / f"frame-{order.frame}-{order.part}.flam3"
    control_points.write_bytes(_rooted(order.input))
    args = _args(order)
    picture = workbench.folder / f"frame-{order.frame}-{order.part}.{args['format']}"
    picture.unlink(missing_ok=True)
    own = {"in": str(control_points), "out": str(picture), "nthreads": "1", "verbose": "0"}
    workbench.run([str(program)], args | own)
    if not picture.is_file() or picture.stat().st_size == 0:
        raise RenderFailed("flam3-animate ended well but left no picture")
    return picture


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
