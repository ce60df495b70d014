"""OpenEXR frames: judged by their header before a pixel is read, and tone-mapped to be seen.

Only what Blender writes for a single picture is taken: one part, scanlines, plain pixels. Pixels are read in bands, so
that a large picture fits a small process. They are linear light with Rec. 709's primaries, without an upper end.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import OpenImageIO
from numpy.typing import NDArray
from PIL import Image

from sheepfold.kinds.blender.exr_header import check_header
from sheepfold.kinds.pictures import MAX_PIXELS, Pixels, open_picture
from sheepfold.kinds.seam import Inspection, Soundness
from sheepfold.model.errors import UndecodablePicture

MEDIA_TYPE = "image/x-exr"
_MAGIC = b"\x76\x2f\x31\x01"
_MOST_CHANNELS = 16
_BAND_ROWS = 64
_BLANK_SPREAD = 0.01  # of linear light, where Blender's own white is 1
_KNEE = 0.8
"""Display values up to this are shown as they are; what is brighter, without end, shares the rest of the range."""

Light = NDArray[np.float32]


def is_exr(path: Path) -> bool:
    """Say whether a file begins as OpenEXR does."""
    with path.open("rb") as file:
        return file.read(len(_MAGIC)) == _MAGIC


def examine(path: Path, misfit: Callable[[int, int], str], *, allow_blank: bool = False) -> Inspection:
    """Judge one picture, as `pictures.examine` does for others; all of it is read, band by band."""
    width = height = 0
    try:
        with _opened(path) as source:
            width, height = source.spec().width, source.spec().height
            reason = misfit(width, height)
            if reason:
                return Inspection(Soundness.WRONG_SIZE, reason, MEDIA_TYPE, width, height)
            is_blank = _is_blank(source, path)
    except UndecodablePicture as error:
        return Inspection(Soundness.UNDECODABLE, str(error), MEDIA_TYPE, width, height)
    if is_blank and not allow_blank:
        return Inspection(Soundness.BLANK, "The picture is one single colour.", MEDIA_TYPE, width, height)
    return Inspection(Soundness.SOUND, "", MEDIA_TYPE, width, height)


def pixels(path: Path) -> Pixels:
    """Return a picture tone-mapped for a screen, as bytes of height x width x 3; raises UndecodablePicture."""
    with _opened(path) as source:
        seen = np.empty((source.spec().height, source.spec().width, 3), np.uint8)
        for top, light in _bands(source, path):
            seen[top : top + len(light)] = tone_mapped(light)
    return seen


def shown(path: Path) -> Image.Image:
    """Return a frame as a screen shows it, tone-mapped where it is OpenEXR; raises UndecodablePicture."""
    return Image.fromarray(pixels(path)) if is_exr(path) else open_picture(path)


def tone_mapped(light: Light) -> Pixels:
    """Return linear light as bytes of sRGB, its highlights rolled off softly; what is no number is black."""
    finite = np.clip(np.nan_to_num(light, nan=0.0, posinf=1e6, neginf=0.0), 0.0, 1e6)
    shown = np.where(finite <= 0.0031308, 12.92 * finite, 1.055 * np.power(finite, 1 / 2.4) - 0.055)  # IEC 61966-2-1
    soft = _KNEE + (1 - _KNEE) * (1 - np.exp(-np.maximum(shown - _KNEE, 0) / (1 - _KNEE)))
    return np.round(255 * np.where(shown <= _KNEE, shown, soft)).astype(np.uint8)


@contextmanager
def _opened(path: Path) -> Iterator[OpenImageIO.ImageInput]:
    if not is_exr(path):
        raise UndecodablePicture("The file is no OpenEXR picture.")
    check_header(path)
    OpenImageIO.attribute("threads", 1)  # an inspection's process has little room for threads
    OpenImageIO.attribute("exr_threads", -1)
    try:
        with _read(path) as source:
            _check(source)
            yield source
    except UnicodeDecodeError as error:  # what the reader says of a damaged header quotes its bytes
        raise UndecodablePicture("The picture's header is damaged: its names are no text.") from error


@contextmanager
def _read(path: Path) -> Iterator[OpenImageIO.ImageInput]:
    source = OpenImageIO.ImageInput.open(str(path))
    if source is None:
        raise UndecodablePicture(f"The picture cannot be read: {_why(OpenImageIO.geterror(), path)}")
    try:
        if source.format_name() != "openexr":
            raise UndecodablePicture("The file is no OpenEXR picture.")
        yield source
    finally:
        source.close()


def _check(source: OpenImageIO.ImageInput) -> None:
    """Refuse by the header what Blender does not write, before a pixel is read."""
    spec = source.spec()
    if spec.width * spec.height > MAX_PIXELS or min(spec.width, spec.height) < 1:
        raise UndecodablePicture(f"The picture has {spec.width}x{spec.height} pixels, over {MAX_PIXELS} in all.")
    if not 1 <= spec.nchannels <= _MOST_CHANNELS:
        raise UndecodablePicture(f"The picture has {spec.nchannels} channels; 1 to {_MOST_CHANNELS} are taken.")
    if spec.deep or spec.tile_width or spec.depth > 1:
        raise UndecodablePicture("The picture is deep or tiled; plain scanlines are expected.")
    if (spec.full_x, spec.full_y, spec.full_width, spec.full_height) != (spec.x, spec.y, spec.width, spec.height):
        raise UndecodablePicture("The picture is to be shown in a window of another size than its own.")
    if source.seek_subimage(1, 0):
        raise UndecodablePicture("The file holds several pictures where one was expected.")
    source.seek_subimage(0, 0)


def _bands(source: OpenImageIO.ImageInput, path: Path) -> Iterator[tuple[int, Light]]:
    """Yield the picture from its top in bands of rows x width x 3, each with its first row."""
    spec = source.spec()
    order = _colours(list(spec.channelnames))
    for top in range(0, spec.height, _BAND_ROWS):
        end = min(top + _BAND_ROWS, spec.height)
        band = source.read_scanlines(0, 0, spec.y + top, spec.y + end, 0, 0, spec.nchannels, OpenImageIO.FLOAT)
        if band is None:
            raise UndecodablePicture(f"The picture is cut short or damaged: {_why(source.geterror(), path)}")
        yield top, np.asarray(band, np.float32).reshape(end - top, spec.width, spec.nchannels)[:, :, order]


def _colours(names: list[str]) -> list[int]:
    """Return where red, green and blue are; a picture of one channel is grey."""
    last = [name.rpartition(".")[2].upper() for name in names]
    if {"R", "G", "B"} <= set(last):
        return [last.index(colour) for colour in "RGB"]
    return [0, 0, 0]


def _is_blank(source: OpenImageIO.ImageInput, path: Path) -> bool:
    least, most = np.full(3, np.inf), np.full(3, -np.inf)
    for _, light in _bands(source, path):
        finite = np.nan_to_num(light, nan=0.0, posinf=0.0, neginf=0.0)
        least = np.minimum(least, finite.min(axis=(0, 1)))
        most = np.maximum(most, finite.max(axis=(0, 1)))
    return bool((most - least <= _BLANK_SPREAD).all())


def _why(said: str, path: Path) -> str:
    """Return what the reader says, without our names of files."""
    return " ".join(said.replace(f"({path})", "").replace(str(path), "it").split())[:200] or "its reader says no more"
