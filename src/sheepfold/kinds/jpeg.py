"""JPEGs that all readers know and that are whole: each scan holds its data, and the scans together every value.

Readers forgive a file that was cut and closed again, and show grey or blur for what is missing. The farm's own says
nothing about it; OpenImageIO passes on what its libjpeg warns of, so a JPEG is decoded by both.
"""

import mmap
import re
import struct
from collections.abc import Iterator
from pathlib import Path

from sheepfold.kinds.crumbs import CRUMBLED, most_pieces
from sheepfold.kinds.orientation import check_upright
from sheepfold.model.errors import UndecodablePicture

MOST_SCANS = 100
"""Of a JPEG that is refined step by step: programs make about ten, and each one is work on all pixels."""
_FRAMES = {0xC0, 0xC1, 0xC2}  # baseline, extended, progressive; browsers know no arithmetic coding and nothing lossless
_PROGRESSIVE = 0xC2
_NO_FRAMES = {0xC4, 0xC8, 0xCC}  # of the markers that begin with a C: tables, and one that is reserved
_SCAN, _END, _APP1, _APP2, _FILL = 0xDA, 0xD9, 0xE1, 0xE2, 0xFF
_EXIF = b"Exif\0"  # and a sixth byte: it is 0, but for browsers it may be any
_PROFILE = b"ICC_PROFILE\0"
_MARKER = re.compile(rb"\xff([\x02-\xcf\xd9-\xff])")  # without what a scan holds itself: restarts, and 0 behind a 255
_VALUES = 64  # of a block
_BITS = 16  # more than a value has
_BAND_ROWS = 64


def check_jpeg(path: Path) -> None:
    """Raise UndecodablePicture where a JPEG is coded as not all readers know, is cut, or is not refined to its end."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        try:
            _check_segments(data)
        except (IndexError, struct.error) as error:
            raise UndecodablePicture("The JPEG is damaged: a head in it is cut short.") from error
    if trouble := _trouble(path):
        raise UndecodablePicture(f"The JPEG is cut short or damaged: {trouble}.")


def _check_segments(data: mmap.mmap) -> None:
    frame, scans, has_exif = 0, 0, False
    missing: dict[int, list[int]] = {}
    profile: list[tuple[int, int, int]] = []
    for marker, body in _segments(data):
        if 0xC0 <= marker <= 0xCF and marker not in _NO_FRAMES:
            if frame:
                raise UndecodablePicture("The JPEG holds two frames.")
            frame = marker
            missing = {body[6 + 3 * at]: [_BITS] * _VALUES for at in range(body[5])}
        elif marker == _SCAN:
            scans += 1
            if scans > MOST_SCANS:
                raise UndecodablePicture(f"The JPEG comes in over {MOST_SCANS} scans.")
            _refine(missing, body, is_progressive=frame == _PROGRESSIVE)
        elif marker == _APP1 and body.startswith(_EXIF):
            _check_exif(body, is_second=has_exif)
            has_exif = True
        elif marker == _APP2 and body.startswith(_PROFILE):
            profile.append((frame, body[12], body[13]))
    _check_profile(profile)
    if frame not in _FRAMES:
        raise UndecodablePicture("The JPEG is coded in a way that not every reader knows.")
    if any(map(any, missing.values())):
        raise UndecodablePicture("The JPEG ends before all of its scans came.")


def _segments(data: mmap.mmap) -> Iterator[tuple[int, bytes]]:
    """Yield each marker up to the end with what it says; what lies between them is passed over, a scan's data too.

    Raises UndecodablePicture where there are more than the file's size explains; each byte of fill before a marker is
    one, since Pillow reads a long row of them again and again.
    """
    at, left = 2, most_pieces(len(data))
    while (found := _MARKER.search(data, at)) and (marker := found[1][0]) != _END:
        if not left:
            raise UndecodablePicture(CRUMBLED)
        left -= 1
        if marker == _FILL:
            at = found.start() + 1
            continue
        length = int.from_bytes(data[found.end():found.end() + 2], "big")
        yield marker, data[found.end() + 2:found.end() + length]
        at = found.end() + max(length, 2)


def _check_profile(parts: list[tuple[int, int, int]]) -> None:
    """Check a profile's parts, each with the frame before it, its number and how many there are.

    Behind a frame, or where parts are missing or numbered otherwise, some readers find a profile and some find none.
    """
    if parts != [(0, number, len(parts)) for number in range(1, len(parts) + 1)]:
        raise UndecodablePicture("The JPEG's colour profile is not there before its frame in all of its parts.")


def _check_exif(body: bytes, *, is_second: bool) -> None:
    if is_second:
        raise UndecodablePicture("The JPEG has Exif twice.")
    tiff = body.removeprefix(_EXIF + b"\0")
    if tiff == body:
        raise UndecodablePicture("The JPEG's Exif begins as not every reader knows.")
    check_upright(tiff)


def _refine(missing: dict[int, list[int]], scan: bytes, *, is_progressive: bool) -> None:
    """Note which bits of which values are missing yet after a scan (ITU-T T.81, B.2.3)."""
    count = scan[0]
    first, last, bits = struct.unpack_from("3B", scan, 1 + 2 * count)
    if not is_progressive:
        first, last, bits = 0, _VALUES - 1, 0
    for at in range(count):
        values = missing.get(scan[1 + 2 * at], [])
        values[first:last + 1] = [bits & 15] * len(values[first:last + 1])


def _trouble(path: Path) -> str:
    """Return what libjpeg complains of while it decodes a file; nothing where the file is whole."""
    import OpenImageIO  # noqa: PLC0415 - every order's kind knows this module, and few ever see a JPEG

    OpenImageIO.attribute("threads", 1)  # an inspection's process has little room for threads
    source = OpenImageIO.ImageInput.open(str(path))
    if source is None:
        return _in_words(OpenImageIO.geterror(), path)
    try:
        spec = source.spec()
        for top in range(0, spec.height, _BAND_ROWS):
            end = min(top + _BAND_ROWS, spec.height)
            source.read_scanlines(0, 0, top, end, 0, 0, spec.nchannels, OpenImageIO.UINT8)
            if said := source.geterror():
                return _in_words(said, path)
        return "" if source.format_name() == "jpeg" else "its reader takes it for something else"
    finally:
        source.close()


def _in_words(said: str, path: Path) -> str:
    """Return what the reader says, without our names of files."""
    kept = said.replace(f'("{path}")', "").replace(str(path), "it").removeprefix("JPEG error:")
    return " ".join(kept.replace("Corrupt JPEG data:", "").split())[:200] or "its reader says no more"
