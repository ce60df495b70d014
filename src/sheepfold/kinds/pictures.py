"""Rules for all pictures that strangers send: opening one safely, judging it, comparing two, and making a small one.

PNG and JPEG are read, by their contents and never by their names. Bytes after a picture's end are ignored: a file
that is a JPEG and an archive at once counts as its JPEG, and whatever is published is encoded anew.
"""

import io
import math
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from sheepfold.kinds.colours import as_seen
from sheepfold.kinds.crumbs import CRUMBLED, is_crumbled
from sheepfold.kinds.jpeg import check_jpeg
from sheepfold.kinds.png import MOST_BYTES, PlainPng
from sheepfold.kinds.seam import Inspection, Soundness
from sheepfold.kinds.strictness import check_png
from sheepfold.model.errors import UndecodablePicture

MAX_PIXELS = 80_000_000  # below the number at which Pillow warns of a bomb
BLANK_SPREAD = 3  # of 255: what JPEG's rounding may do to a single colour
IDENTICAL = math.inf

Pixels = NDArray[np.uint8]

_FORMATS = ("PNG", "JPEG")
_EXR_MAGIC = b"\x76\x2f\x31\x01"
_BAND_ROWS = 256


def single_colour(image: Image.Image) -> str:
    """Return a sentence where an RGB picture is blank, else an empty text."""
    return "The picture is one single colour." if is_blank(image) else ""


def examine(path: Path, misfit: Callable[[int, int], str], *, allow_blank: bool = False,
            doubt: Callable[[Image.Image], str] = single_colour) -> Inspection:
    """Judge one picture. `misfit(width, height)` returns a sentence where the size is wrong, else an empty text.

    So does `doubt(image)` where the picture, in RGB, may show something else than was asked for. The size is
    checked before a pixel is decoded. Raises FileNotFoundError where there is no file at all.
    """
    width = height = 0
    media_type = "application/octet-stream"
    try:
        with path.open("rb") as file:
            plain = _plainly_sound(file, misfit, allow_blank=allow_blank) if doubt is single_colour else None
            if plain is not None:
                return plain
            header = _header(file)
            (width, height), media_type = header.size, f"image/{str(header.format).lower()}"
            reason = misfit(width, height)
            if reason:
                return Inspection(Soundness.WRONG_SIZE, reason, media_type, width, height)
            image = _load(file, path)
    except UndecodablePicture as error:
        return Inspection(Soundness.UNDECODABLE, str(error), media_type, width, height)
    if not allow_blank and (reason := doubt(image)):
        return Inspection(Soundness.BLANK, reason, media_type, width, height)
    return Inspection(Soundness.SOUND, "", media_type, width, height)


def _plainly_sound(file: BinaryIO, misfit: Callable[[int, int], str], *, allow_blank: bool) -> Inspection | None:
    """Judge most PNGs without decoding them; None where one has to be looked at, whatever may be wrong with it."""
    picture = PlainPng.read(file.read(MOST_BYTES + 1))
    if picture is None or misfit(picture.width, picture.height):
        return None
    rows = picture.rows()
    if rows is None or not (allow_blank or picture.differs(rows, BLANK_SPREAD)):
        return None
    return Inspection(Soundness.SOUND, "", "image/png", picture.width, picture.height)


def wrong_size(width: int, height: int) -> Callable[[int, int], str]:
    """Return the check that a picture is exactly `width` x `height` pixels."""

    def misfit(found_width: int, found_height: int) -> str:
        if (found_width, found_height) == (width, height):
            return ""
        return f"expected {width}x{height}, found {found_width}x{found_height}"

    return misfit


def open_picture(path: Path) -> Image.Image:
    """Return one picture in RGB, wholly decoded; see-through parts become black.

    Raises UndecodablePicture where the file is no PNG or JPEG, is cut short or damaged, holds several pictures, or
    has more than MAX_PIXELS.
    """
    with path.open("rb") as file:
        _header(file)
        return _load(file, path)


def pixels(path: Path) -> Pixels:
    """Return a picture's bytes as an array of height x width x 3; raises as `open_picture` does."""
    return np.asarray(open_picture(path))


def is_blank(image: Image.Image) -> bool:
    """Say whether an RGB picture is a single colour, give or take BLANK_SPREAD of 255."""
    sample = image.resize((min(image.width, 16), min(image.height, 16)), Image.Resampling.NEAREST)
    return _is_single(sample) and _is_single(image)  # a few pixels tell of most pictures that they are not blank


def _is_single(image: Image.Image) -> bool:
    extrema = np.asarray(image.getextrema()).reshape(-1, 2)
    return bool((extrema[:, 1] - extrema[:, 0] <= BLANK_SPREAD).all())


def psnr(one: Pixels, other: Pixels) -> float:
    """Return the peak signal-to-noise ratio of two arrays of one shape, in dB; infinite for equal ones."""
    if one.shape != other.shape:
        raise ValueError(f"two shapes: {one.shape} and {other.shape}")
    squares = 0
    for top in range(0, one.shape[0], _BAND_ROWS):  # in bands, as two large pictures must fit a small process
        difference = one[top : top + _BAND_ROWS].astype(np.int32) - other[top : top + _BAND_ROWS]
        squares += int(np.square(difference).sum(dtype=np.int64))
    return IDENTICAL if squares == 0 else 10 * math.log10(255.0**2 * one.size / squares)


def write_preview(path: Path, target: Path, width: int) -> None:
    """Write a smaller copy, `width` pixels wide at most, as JPEG or PNG by the target's suffix, without metadata."""
    write_small(open_picture(path), target, width)


def write_small(image: Image.Image, target: Path, width: int) -> None:
    """Write a smaller copy of an open picture; see `write_preview`."""
    save(_shrunk(image, width), target)


def small_png(path: Path, width: int) -> bytes:
    """Return a smaller copy as PNG, as `write_preview` writes it."""
    small = io.BytesIO()
    image = _shrunk(open_picture(path), width)
    image.info.clear()
    image.save(small, "PNG")
    return small.getvalue()


def _shrunk(image: Image.Image, width: int) -> Image.Image:
    width = min(width, image.width)
    height = max(1, round(image.height * width / image.width))
    return image.resize((width, height), Image.Resampling.LANCZOS)


def save(image: Image.Image, target: Path) -> None:
    """Write a picture as JPEG or PNG by the target's suffix, with nothing but its pixels."""
    image.info.clear()  # Pillow would pass comments, profiles and text chunks on
    if target.suffix.lower() == ".png":
        image.save(target, "PNG")
    else:
        image.save(target, "JPEG", quality=88, progressive=True, optimize=True)


def _header(file: BinaryIO) -> Image.Image:
    """Read a picture's size and format without decoding a pixel."""
    file.seek(0)
    if file.read(len(_EXR_MAGIC)) == _EXR_MAGIC:
        raise UndecodablePicture("The file is an OpenEXR picture, which was not ordered.")
    if is_crumbled(file):
        raise UndecodablePicture(CRUMBLED)
    image = _opened(file)
    if image.width * image.height > MAX_PIXELS:
        raise UndecodablePicture(f"The picture has {image.width}x{image.height} pixels, over {MAX_PIXELS} in all.")
    if getattr(image, "n_frames", 1) != 1:
        raise UndecodablePicture("The file holds several pictures, an animation perhaps, where one was expected.")
    return image


def _opened(file: BinaryIO) -> Image.Image:
    """Open by contents. Pillow's readers raise a dozen kinds of exception on hostile bytes, so all of them count."""
    file.seek(0)
    try:
        return Image.open(file, formats=_FORMATS)
    except UnidentifiedImageError as error:
        raise UndecodablePicture("The file is neither a PNG nor a JPEG picture.") from error
    except Exception as error:
        raise UndecodablePicture(f"The picture cannot be read: {error}") from error


def _load(file: BinaryIO, path: Path) -> Image.Image:
    image = _opened(file)
    if image.format == "PNG":
        check_png(file)
    else:
        check_jpeg(path)
    try:
        image.load()
        return as_seen(_as_rgb(image), image)
    except (MemoryError, UndecodablePicture):
        raise
    except Exception as error:  # the same dozen kinds, from a file that is cut short or damaged
        raise UndecodablePicture(f"The picture is cut short or damaged: {error}") from error


def _as_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):
        return Image.fromarray((np.asarray(image).astype(np.uint32) >> 8).astype(np.uint8)).convert("RGB")
    if image.has_transparency_data:
        seen = image.convert("RGBA")
        ground = Image.new("RGB", seen.size)
        ground.paste(seen, mask=seen.getchannel("A"))
        return ground
    return image.convert("RGB")
