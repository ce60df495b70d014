"""Finishing an order of Blender frames: a film and a contact sheet; a single frame is its own product."""

from collections.abc import Sequence
from pathlib import Path

from sheepfold.kinds import film, pictures
from sheepfold.kinds.blender import exr
from sheepfold.kinds.seam import Picture, Product, Spec


def assemble(parts: Sequence[Picture], spec: Spec, folder: Path) -> list[Product]:
    """Make film.mp4, film.avi and sheet.jpg of several frames, still.png of one, in `folder`.

    OpenEXR frames are tone-mapped for it. Raises UndecodablePicture for an unreadable picture and ValueError for none
    or for different sizes.
    """
    frames = [picture.path for picture in sorted(parts, key=lambda picture: picture.frame)]
    if len(frames) == 1:
        still = folder / "still.png"
        pictures.save(exr.shown(frames[0]), still)
        return [Product(still.name, still, "image/png")]
    return film.make_products(frames, folder, spec["fps"], read=exr.shown)
