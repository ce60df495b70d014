"""Pictures in crumbs: files of so many pieces that reading their heads alone would take an inspection half a minute."""

import os
from typing import BinaryIO

from PIL.JpegImagePlugin import MARKER

MOST_CRUMBS, CRUMB_BYTES = 10_000, 1024
"""So many pieces a file may have, and one more for each so many bytes. Programs write rows in chunks of 8 KiB or more,
and profiles in segments of 64; each piece costs whoever reads it some 20 to 50 µs, however small it is."""
CRUMBLED = "The file is in far more pieces than its size explains."
_PNG, _JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8"
_SCAN = 0xDA
_FILL = 0xFF


def most_pieces(size_bytes: int) -> int:
    """Return how many pieces a file of a size may have."""
    return MOST_CRUMBS + size_bytes // CRUMB_BYTES


def is_crumbled(file: BinaryIO) -> bool:
    """Say whether a file is a PNG or JPEG of more pieces than that; reads little more than their heads."""
    most = most_pieces(file.seek(0, os.SEEK_END))
    file.seek(0)
    if file.read(len(_PNG)) == _PNG:
        return _chunks_exceed(file, most)
    file.seek(0)
    return file.read(len(_JPEG)) == _JPEG and _segments_exceed(file, most)


def _chunks_exceed(file: BinaryIO, most: int) -> bool:
    for _ in range(most):
        head = file.read(8)
        if len(head) < 8 or head[4:] == b"IEND":
            return False
        file.seek(int.from_bytes(head[:4], "big") + 4, os.SEEK_CUR)
    return True


def _segments_exceed(file: BinaryIO, most: int) -> bool:
    """Walk as Pillow does up to the first scan: what is no marker it passes byte by byte, which counts as a piece."""
    for _ in range(most):
        head = file.read(2)
        if len(head) < 2 or head == bytes([_FILL, _SCAN]):
            return False
        if head[0] != _FILL or head[1] == _FILL:
            file.seek(-1, os.SEEK_CUR)
        elif MARKER.get(0xFF00 | head[1], ("", "", None))[2] is not None:
            file.seek(max(0, int.from_bytes(file.read(2), "big") - 2), os.SEEK_CUR)
    return True
