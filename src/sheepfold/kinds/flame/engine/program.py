"""One frame as a program of its own, for a worker's sandbox: `python -m ...engine.program ORDER`, ORDER being JSON.

The order's words: `genomes` and `picture` are paths, `time` the frame's, `seed` any text, `format` png or jpg,
`jpeg_quality`, `bits` flam3's (32 have no density estimation), `threads`.
"""

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

from sheepfold.kinds.flame.engine import output, render, xml
from sheepfold.kinds.flame.engine.develop import Tone


def main(words: list[str]) -> int:
    """Render; say in a line why it could not be."""
    order: dict[str, Any] = json.loads(words[0])
    try:
        frame = render.Frame(tuple(xml.read(Path(order["genomes"]).read_bytes())), float(order["time"]))
        seed = int.from_bytes(hashlib.sha256(str(order["seed"]).encode()).digest()[:7], "big")
        tone = Tone(has_estimation=int(order["bits"]) != 32)
        pixels = render.render(frame, seed, tone, threads=int(order["threads"]))
    except ValueError as error:
        sys.stderr.write(f"the flame engine cannot render this, flam3 would: {error}\n")
        return 1
    output.save(pixels, Path(order["picture"]), jpeg_quality=int(order["jpeg_quality"]))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
