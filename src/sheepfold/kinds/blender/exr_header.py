"""What the header of an OpenEXR picture may say: values that the format does not know are told by name.

OpenEXR's own reader takes some of them for others, so that a file is read here and nowhere else.
"""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from sheepfold.model.errors import UndecodablePicture

_MAGIC_AND_VERSION = 8
_MOST_NAME_BYTES = 255
_MOST_ATTRIBUTES = 10_000
_CODECS = 12  # OpenEXR 3.4 knows so many, from none to HTJ2K with 32 rows; Blender 4.5 writes ten of them
_ORDERS = 2  # rows from the top, or from the bottom; any order is for tiles
_PROJECTIONS = 2  # latitudes and longitudes, or a cube
_CHOICES = {b"compression": _CODECS, b"lineOrder": _ORDERS, b"envmap": _PROJECTIONS}
_NEEDED = {b"compression", b"lineOrder"}
_MOST_VALUE_BYTES = 32
_POINTS = 0.64, 0.33, 0.3, 0.6, 0.15, 0.06, 0.3127, 0.329  # red, green, blue and white, of Rec. 709
_POINTS_SPREAD = 0.01


def check_header(path: Path) -> None:
    """Raise UndecodablePicture where the header is cut short, says a thing twice, or a value that there is not.

    So where it asks for other colours than Rec. 709's, which viewers would follow and our tone map does not.
    """
    seen: set[bytes] = set()
    with path.open("rb") as file:
        for name, kind, value in _attributes(file):
            if name in seen or len(seen) == _MOST_ATTRIBUTES:
                raise UndecodablePicture("The picture's header says a thing twice, or goes on without end.")
            seen.add(name)
            if name in _CHOICES and (kind != name or len(value) != 1 or value[0] >= _CHOICES[name]):
                said = value[0] if len(value) == 1 else "more than a number"
                raise UndecodablePicture(f"The picture's header has no {name.decode()} that there is: {said}.")
            if name == b"chromaticities" and not _are_points(kind, value):
                raise UndecodablePicture("The picture's header asks for other colours than Rec. 709's.")
    if missing := _NEEDED - seen:
        raise UndecodablePicture(f"The picture's header does not say its {min(missing).decode()}.")


def _are_points(kind: bytes, value: bytes) -> bool:
    if (kind, len(value)) != (b"chromaticities", 4 * len(_POINTS)):
        return False
    points = zip(struct.unpack("<8f", value), _POINTS, strict=True)
    return all(abs(found - expected) <= _POINTS_SPREAD for found, expected in points)


def _attributes(file: BinaryIO) -> Iterator[tuple[bytes, bytes, bytes]]:
    """Yield names, types and values; a value is left empty where it is long, as none is that is looked at."""
    file.seek(_MAGIC_AND_VERSION)
    while name := _text(file):
        kind, size = _text(file), int.from_bytes(file.read(4), "little", signed=True)
        if size < 0:
            raise UndecodablePicture("The picture's header is damaged: something in it is of no size.")
        if size > _MOST_VALUE_BYTES:
            file.seek(size, 1)
        yield name, kind, file.read(size) if size <= _MOST_VALUE_BYTES else b""


def _text(file: BinaryIO) -> bytes:
    text = b""
    while (letter := file.read(1)) != b"\0":
        if not letter or len(text) == _MOST_NAME_BYTES:
            raise UndecodablePicture("The picture's header is cut short or damaged.")
        text += letter
    return text
