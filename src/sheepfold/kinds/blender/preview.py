"""A small copy of a Blender frame, without the metadata that Blender writes into it."""

from pathlib import Path

from sheepfold.kinds import pictures
from sheepfold.kinds.blender import exr


def preview(path: Path, target: Path, width: int) -> None:
    """Write a copy `width` pixels wide at most, as JPEG or PNG by the target's suffix; raises UndecodablePicture."""
    if exr.is_exr(path):
        pictures.write_small(exr.shown(path), target, width)
    else:
        pictures.write_preview(path, target, width)
