"""Pictures as files: PNG of 8 or 16 bits, JPEG, and EXR of the raw buckets."""

from pathlib import Path

import numpy as np
from PIL import Image

from sheepfold.kinds.flame.engine.develop import Buckets, Pixels

PICTURES = frozenset({".png", ".jpg", ".jpeg"})


def save(pixels: Pixels, path: Path, *, jpeg_quality: int = 95) -> None:
    """Write a picture in the format that its name tells. Raises ValueError for a name that tells none of ours."""
    if path.suffix not in PICTURES:
        raise ValueError(f"a picture's name ends in .png or .jpg, not {path.suffix or path.name}")
    if path.suffix != ".png":
        eight = (pixels >> 8).astype(np.uint8) if pixels.dtype == np.uint16 else pixels
        Image.fromarray(np.ascontiguousarray(eight[:, :, :3])).save(path, quality=jpeg_quality, subsampling=0)
    elif pixels.dtype == np.uint16:
        _write(pixels, path, "uint16")
    else:
        Image.fromarray(pixels).save(path)


def save_buckets(buckets: Buckets, path: Path) -> None:
    """Write raw buckets as an EXR of float32: red, green, blue, alpha, and hits where they are apart."""
    _write(buckets, path, "float")


def _write(array: Pixels | Buckets, path: Path, kind: str) -> None:
    import OpenImageIO as oiio  # noqa: N813, PLC0415 - as its manual has it; 30 MiB, which most pictures need not

    spec = oiio.ImageSpec(array.shape[1], array.shape[0], array.shape[2], kind)
    if array.shape[2] == 5:
        spec.channelnames = ("R", "G", "B", "A", "hits")
    file = oiio.ImageOutput.create(str(path))
    if file is None or not file.open(str(path), spec):
        raise OSError(f"{path} cannot be written: {oiio.geterror()}")
    written = file.write_image(np.ascontiguousarray(array))
    file.close()
    if not written:
        raise OSError(f"{path} cannot be written")
