"""Finishing an order of flame frames: parts averaged, then film and contact sheet, or a still's picture."""

import zipfile
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

import numpy as np
from PIL import Image

from sheepfold.kinds import film, pictures
from sheepfold.kinds.flame.spec import STILL
from sheepfold.kinds.seam import Picture, Product, Spec


def assemble(parts: Sequence[Picture], spec: Spec, folder: Path) -> list[Product]:
    """Make film.mp4, film.avi and sheet.jpg of a sequence, still.png of a still, in `folder`.

    Where frames had parts, their averages come too, as frames.zip. Raises UndecodablePicture for an unreadable
    picture and ValueError for none or for different sizes.
    """
    frames = average_parts(parts, folder)
    if spec["shape"] == STILL:
        return [_still(frames[0], folder)]
    products = film.make_products(frames, folder, spec["fps"])
    return [*products, _archive(frames, folder)] if spec["parts"] > 1 else products


def average_parts(parts: Sequence[Picture], folder: Path) -> list[Path]:
    """Return one file a frame, in order; of several parts their mean, a PNG in `folder`."""
    ordered = sorted(parts, key=lambda picture: (picture.frame, picture.part))
    files = []
    for frame, group in groupby(ordered, key=lambda picture: picture.frame):
        paths = [picture.path for picture in group]
        if len(paths) > 1:
            target = folder / f"frame-{frame:05d}.png"
            pictures.save(Image.fromarray(_mean(paths)), target)
            paths = [target]
        files += paths
    return files


def _mean(paths: Sequence[Path]) -> pictures.Pixels:
    total = pictures.pixels(paths[0]).astype(np.uint32)
    for path in paths[1:]:
        part = pictures.pixels(path)
        if part.shape != total.shape:
            raise ValueError(f"{path.name} differs in size from the other parts of its frame")
        total += part
    return ((total + len(paths) // 2) // len(paths)).astype(np.uint8)


def _still(path: Path, folder: Path) -> Product:
    target = folder / "still.png"
    pictures.save(pictures.open_picture(path), target)
    return Product(target.name, target, "image/png")


def _archive(frames: Sequence[Path], folder: Path) -> Product:
    target = folder / "frames.zip"
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:  # PNG is as small as it gets
        for path in frames:
            archive.write(path, path.name)
    return Product(target.name, target, "application/zip")
