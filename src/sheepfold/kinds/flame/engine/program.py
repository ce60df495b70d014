"""The engine as a program that stays, for a worker's sandbox: it renders frame after frame, but compiles no kernel.

Its argument is a folder of kernels that it may only read. Each line on stdin is an order, JSON: `genomes` and `picture`
are paths, `time` the frame's, `seed` any text, `jpeg_quality`, `bits` flam3's (32 have no density estimation),
`threads`. Each is answered by a line on stdout: `{"kernel": NAME}` when it is done, `{"wanted": STRUCTURE}` where that
folder has no kernel for it yet, or `{"error": …}`. An order without a `picture` is only looked at. Whatever else is
printed goes to stderr.
"""

import hashlib
import json
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any

from sheepfold.kinds.flame.engine import blueprint, cpu, output, render, xml
from sheepfold.kinds.flame.engine.develop import Tone


def serve(orders: Iterable[bytes], answers: IO[bytes], store: Path) -> None:
    """Answer each order."""
    for order in orders:
        answers.write(json.dumps(_answer(json.loads(order), store)).encode() + b"\n")
        answers.flush()


def _answer(order: dict[str, Any], store: Path) -> dict[str, Any]:
    """Render; say what is wanted for it, or in a sentence why it could not be."""
    try:
        frame = render.Frame(tuple(xml.read(Path(order["genomes"]).read_bytes())), float(order["time"]))
        structure = render.compile_frame(frame)
        kernel = blueprint.digest(structure)
        if not cpu.adopt(structure, store / kernel):
            return {"wanted": blueprint.drawn(structure)}
        if "picture" in order:
            _render(frame, order)
    except (ValueError, ArithmeticError, IndexError, MemoryError, OSError) as error:
        return {"error": f"the flame engine cannot render this: {error}"}
    return {"kernel": kernel}


def _render(frame: render.Frame, order: dict[str, Any]) -> None:
    seed = int.from_bytes(hashlib.sha256(str(order["seed"]).encode()).digest()[:7], "big")
    tone = Tone(has_estimation=int(order["bits"]) != 32)
    pixels = render.render(frame, seed, tone, threads=int(order["threads"]), device=render.CPU)
    output.save(pixels, Path(order["picture"]), jpeg_quality=int(order["jpeg_quality"]))


def _own_stdout() -> IO[bytes]:
    """Take stdout for answers alone."""
    sys.stdout.flush()
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return answers


if __name__ == "__main__":
    serve(sys.stdin.buffer, _own_stdout(), Path(sys.argv[1]))
