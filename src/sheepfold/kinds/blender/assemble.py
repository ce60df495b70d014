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
    frames = [_shown(picture.path, folder) for picture in sorted(parts, key=lambda picture: picture.frame)]
    if len(frames) == 1:
        still = folder / "still.png"
        pictures.save(pictures.open_picture(frames[0]), still)
        return [Product(still.name, still, "image/png")]
    return film.make_products(frames, folder, spec["fps"])


def _shown(path: Path, folder: Path) -> Path:
    """Return a frame as a file that shows on a screen."""
    if not exr.is_exr(path):
        return path
    seen = folder / "seen"
    seen.mkdir(exist_ok=True)
    target = seen / f"{len(list(seen.iterdir())):06d}.png"
    exr.picture(path).save(target, "PNG", compress_level=1)
    return target
