"""The flam3 programs: where they are, and what their environment variables must say for one of our frames.

All of flam3's options are environment variables. What stands here is what the Electric Sheep wire carries in `<args>`
and what our own worker renders with, so that both make the same picture: pixels of one build of flam3 are identical
where seed and thread count are.
"""

import hashlib
import shutil
import subprocess
from pathlib import Path

from sheepfold.kinds.seam import Spec

# Microseconds of a reference core, measured with flam3 3.1.1 on random genomes: for each sample, of which a pixel has
# `quality`, and for each pixel's density estimation and filters. Genomes differ from it by a factor of three.
_SAMPLE_US = 0.12
_PIXEL_US = 0.4

ENGINE_VERSION = "3.1.1"
"""The flam3 whose genomes the engine renders, and whose pictures it makes."""

LARGE_MIB = 512  # below it any machine will do, so that clients that tell no memory may render


def find(name: str) -> Path | None:
    """Return where a program of flam3 (`flam3-animate`, `flam3-genome`) is on this machine, if it is."""
    found = shutil.which(name)
    return Path(found) if found else None


def version() -> str:
    """Return the version of this machine's flam3, such as `3.1.1`; an empty text where there is none."""
    program = find("flam3-genome")
    if program is None:
        return ""
    run = subprocess.run([str(program), "--version"], env={}, capture_output=True, timeout=10, check=False)
    return run.stdout.decode("ascii", "replace").strip().rpartition("-")[2]


def animate_args(spec: Spec, frame: int, part: int = 0) -> dict[str, str]:
    """Return the variables with which flam3-animate renders one part of one frame, once and in the right format.

    `time` picks the frame (without it flam3-animate 3.1.1 renders two). Comments are off: they hold the genome, and
    the seconds that the render took, by which two equal PNG files would differ.
    """
    args = {
        "bits": str(spec.get("bits", 33)),
        "format": str(spec.get("format", "png")),
        "time": str(frame),
        "isaac_seed": isaac_seed(spec, frame, part),
        "enable_png_comments": "0",
        "enable_jpeg_comments": "0",
    }
    if args["format"] == "jpg":
        args["jpeg"] = str(spec.get("jpeg_quality", 95))
    return args


def isaac_seed(spec: Spec, frame: int, part: int = 0) -> str:
    """Return the text that seeds the chaos game of one part: every part its own, the same on each machine.

    A number in `seed` is the order's, from which it is derived. A text is a wire's own `isaac_seed` and used as it is.
    """
    seed = spec.get("seed", 0)
    if isinstance(seed, str):
        return seed
    return hashlib.sha256(f"{seed}/{frame}/{part}".encode()).hexdigest()[:16]


def template(spec: Spec) -> str:
    """Return the template that makes flam3-genome print an order's size and quality into a genome, whatever it said.

    The parts of a frame share its quality.
    """
    return (
        f'<flame size="{spec["width"]} {spec["height"]}" zoom="0" supersample="{spec["supersample"]}"'
        f' quality="{part_quality(spec):.6g}" passes="1" temporal_samples="{spec["temporal_samples"]}"/>\n'
    )


def part_quality(spec: Spec) -> float:
    """Return the samples a pixel of one part."""
    return float(spec["quality"]) / int(spec["parts"])


def cost_ms(spec: Spec) -> int:
    """Return the milliseconds that a reference core is expected to need for one part; at least 1."""
    picture_px = int(spec["width"]) * int(spec["height"])
    work_us = picture_px * (part_quality(spec) * _SAMPLE_US + int(spec["supersample"]) ** 2 * _PIXEL_US)
    return max(1, round(work_us / 1000))


def memory_mib(spec: Spec) -> int:
    """Return the memory in MiB that one part's buckets and accumulator need, or 0 where that is little.

    flam3 keeps five numbers a bucket and four in the accumulator: of 4 bytes, and the bucket's of 8 with 64 bits.
    """
    buckets = spec["width"] * spec["height"] * spec["supersample"] ** 2
    mib = int(buckets * (5 * (8 if spec["bits"] == 64 else 4) + 4 * 4) / 2**20) + 32
    return mib if mib > LARGE_MIB else 0
