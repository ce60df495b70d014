"""Which way up a picture is shown, as cameras say it in Exif: here only as its pixels lie.

Of several words on it readers follow the first, the last or all joined, so that a picture may have one at most. What
Blender writes there is its resolution; flam3 and browsers write none.
"""

import struct

from sheepfold.model.errors import UndecodablePicture

_ORDERS = {b"II*\0": "<", b"MM\0*": ">"}
_ORIENTATION, _SHORT = 0x112, 3
_UPRIGHT = {0, 1}


def check_upright(exif: bytes) -> None:
    """Raise UndecodablePicture where Exif, which is a TIFF without pixels, cannot be read or asks for a turn."""
    order = _ORDERS.get(exif[:4])
    try:
        entries = _entries(exif, order) if order else None
    except struct.error:
        entries = None
    if entries is None:
        raise UndecodablePicture("The picture's Exif is damaged.")
    for tag, sort, count, value in entries:
        if tag == _ORIENTATION and not (sort == _SHORT and count == 1 and value in _UPRIGHT):
            raise UndecodablePicture(
                "The picture asks to be turned or mirrored when it is shown, which not all would do.")


def _entries(exif: bytes, order: str) -> list[tuple[int, int, int, int]]:
    """Read tag, type, count and value of the first directory's entries; a value as if it had two bytes."""
    (at,) = struct.unpack_from(f"{order}I", exif, 4)
    (count,) = struct.unpack_from(f"{order}H", exif, at)
    return [struct.unpack_from(f"{order}HHIH", exif, at + 2 + 12 * number) for number in range(count)]
