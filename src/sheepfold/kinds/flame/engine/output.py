"""Pictures as files: PNG of 8 or 16 bits, JPEG, and EXR of the raw buckets."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image

from sheepfold.kinds.flame.engine.develop import Buckets, Pixels
from sheepfold.model.errors import InvalidSpec

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


def load(path: Path) -> Pixels:
    """Return a PNG's pixels, in as many bits and channels as it has."""
    import OpenImageIO as oiio  # noqa: N813, PLC0415 - as below

    plain = oiio.ImageSpec()
    plain.attribute("oiio:UnassociatedAlpha", 1)
    file = oiio.ImageInput.open(str(path), plain)
    if file is None:
        raise OSError(f"{path} cannot be read: {oiio.geterror()}")
    pixels = file.read_image(file.spec().format)
    file.close()
    if pixels is None:
        raise OSError(f"{path} is broken")
    return pixels


def save_buckets(buckets: Buckets, path: Path, words: Mapping[str, str] | None = None) -> None:
    """Write buckets and words as an EXR of float32: red, green, blue, alpha, and hits where they are apart."""
    _write(buckets, path, "float", words)


def load_buckets(path: Path) -> tuple[Buckets, dict[str, str]]:
    """Return an EXR's buckets and words; raises InvalidSpec for a file that is none."""
    import OpenImageIO as oiio  # noqa: N813, PLC0415 - as below

    file = oiio.ImageInput.open(str(path)) if path.suffix == ".exr" else None
    if file is None:
        raise InvalidSpec(f"{path.name} is no EXR that can be read. {oiio.geterror()}".strip())
    pixels = file.read_image(oiio.FLOAT)
    words = {row.name: row.value for row in file.spec().extra_attribs if isinstance(row.value, str)}
    file.close()
    if pixels is None or not np.isfinite(pixels).all():
        raise InvalidSpec(f"{path.name} is broken.")
    return np.ascontiguousarray(pixels, np.float32), words


def _write(array: Pixels | Buckets, path: Path, kind: str, words: Mapping[str, str] | None = None) -> None:
    import OpenImageIO as oiio  # noqa: N813, PLC0415 - as its manual has it; 30 MiB, which most pictures need not

    spec = oiio.ImageSpec(array.shape[1], array.shape[0], array.shape[2], kind)
    if kind == "uint16":
        spec.attribute("oiio:UnassociatedAlpha", 1)  # else a clear picture's colours are divided by its alpha
    if array.shape[2] == 5:
        spec.channelnames = ("R", "G", "B", "A", "hits")
    for name, text in (words or {}).items():
        spec.attribute(name, text)
    file = oiio.ImageOutput.create(str(path))
    if file is None or not file.open(str(path), spec):
        raise OSError(f"{path} cannot be written: {oiio.geterror()}")
    written = file.write_image(np.ascontiguousarray(array))
    file.close()
    if not written:
        raise OSError(f"{path} cannot be written")
