"""Whether two renders show the same Blender frame."""

from pathlib import Path

from sheepfold.kinds import pictures
from sheepfold.kinds.blender import exr
from sheepfold.kinds.seam import Facts
from sheepfold.model.errors import UndecodablePicture

# Blender seeds its noise by the scene, so that two machines differ by rounding and denoising alone. Not measured.
LEAST_PSNR_DB = 30.0


def same(one: Path, other: Path, facts: Facts) -> bool:
    """Say whether two files show the same frame: one size, and on a screen a PSNR of at least LEAST_PSNR_DB."""
    pixels = exr.pixels if facts.spec.get("format") == "EXR" else pictures.pixels
    try:
        first, second = pixels(one), pixels(other)
    except UndecodablePicture:
        return False
    return first.shape == second.shape and pictures.psnr(first, second) >= LEAST_PSNR_DB
