"""Whether two screenshots show the same page."""

from pathlib import Path

from sheepfold.kinds import pictures
from sheepfold.kinds.seam import Facts
from sheepfold.model.errors import UndecodablePicture

# Pages change between two visits and fonts between two machines, so that only gross differences tell. Not measured.
LEAST_PSNR_DB = 15.0


def same(one: Path, other: Path, facts: Facts) -> bool:
    """Say whether two files may show the same page: one width, and alike in the upper part that both have."""
    del facts
    try:
        first, second = pictures.pixels(one), pictures.pixels(other)
    except UndecodablePicture:
        return False
    if first.shape[1] != second.shape[1]:
        return False
    height = min(first.shape[0], second.shape[0])
    return pictures.psnr(first[:height], second[:height]) >= LEAST_PSNR_DB
