"""A small copy of a flame frame, without the genome that flam3 writes into it."""

from pathlib import Path

from sheepfold.kinds import pictures


def preview(path: Path, target: Path, width: int) -> None:
    """Write a copy `width` pixels wide at most, as JPEG or PNG by the target's suffix; raises UndecodablePicture."""
    pictures.write_preview(path, target, width)
