"""What the house makes of finished pictures, for a process pool or a cluster to run: paths in, paths out."""

from collections.abc import Sequence
from pathlib import Path

from sheepfold.kinds.registry import module_of
from sheepfold.kinds.seam import Baseline, Picture, Product, Spec


def make_preview(kind: str, path: Path, target: Path, width: int) -> Path:
    """Write the preview of a picture at a width in pixels, and return its path."""
    module_of(kind, "preview").preview(path, target, width)
    return target


def assemble(
    kind: str, pictures: Sequence[Picture], spec: Spec, baseline: Baseline | None, folder: Path
) -> list[Product]:
    """Make a finished job's products in a folder; where its order names a baseline, also what changed since."""
    products: list[Product] = module_of(kind, "assemble").assemble(pictures, spec, folder)
    if baseline is not None:
        products += module_of(kind, "changes").changes(pictures, spec, baseline, folder)
    return products


def breed(method: str, parents: Sequence[Path], seed: int, target: Path, size: tuple[int, int]) -> Path:
    """Write a new genome: `random`, or bred of one parent (`mutate`) or two (`cross`); returns its path.

    The size is that of the flock's pictures.
    """
    module_of("flame", "breed").breed(method, parents, seed, target, size)
    return target
