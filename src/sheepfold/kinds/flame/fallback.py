"""Frames that the engine cannot render, rendered by Debian's flam3 where it is installed."""

import os
import subprocess
import tempfile
from pathlib import Path

from sheepfold.kinds.flame import flam3
from sheepfold.kinds.flame.engine import output, xml
from sheepfold.kinds.flame.engine.develop import Pixels, Tone
from sheepfold.kinds.flame.engine.render import Frame, Unsupported


def render(frame: Frame, seed: int, tone: Tone | None = None, *, threads: int = 1) -> Pixels:
    """Return a frame's picture by flam3, at its genome's own size and quality.

    Raises Unsupported where flam3 is not installed, or cannot render it either.
    """
    tone = tone or Tone()
    program = flam3.find("flam3-render" if len(frame.genomes) == 1 else "flam3-animate")
    if program is None:
        raise Unsupported("flam3, which may, is not installed")
    with tempfile.TemporaryDirectory() as scratch:
        source, target = Path(scratch) / "frame.flam3", Path(scratch) / "frame.png"
        source.write_bytes(xml.write_all(frame.genomes))
        words = {
            "in": str(source), "out": str(target), "format": "png", "verbose": "0", "isaac_seed": str(seed),
            "nthreads": str(threads), "transparency": str(int(tone.is_transparent)),
            "earlyclip": str(int(tone.early_clip)), "bpc": str(tone.bits),
            "bits": "33" if tone.has_estimation else "32",
        }  # fmt: skip
        if len(frame.genomes) > 1:
            words["time"] = f"{frame.time:.9g}"
        done = subprocess.run([str(program)], env=_palettes() | words, capture_output=True, check=False)
        if done.returncode != 0 or not target.is_file():
            raise Unsupported("flam3 cannot either")
        return output.load(target)[:, :, : 4 if tone.is_transparent else 3]


def _palettes() -> dict[str, str]:
    return {name: os.environ[name] for name in ("flam3_palettes",) if name in os.environ}
