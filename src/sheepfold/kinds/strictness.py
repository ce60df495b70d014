"""What every reader of PNGs agrees on: those that some readers forgive and others refuse are none here.

The farm's own reader is a lenient one, so a picture that it takes might stay dark in a volunteer's browser, in a film's
maker, or show something else there: another size, an animation, the upper half.
"""

import struct
import zlib
from collections.abc import Iterator
from typing import BinaryIO

from sheepfold.kinds import colours
from sheepfold.kinds.orientation import check_upright
from sheepfold.kinds.png import has_whole_window
from sheepfold.model.errors import UndecodablePicture

_PNG = b"\x89PNG\r\n\x1a\n"
_HEADER = struct.Struct(">IIBBBBB")
_COLOUR_AT, _PALETTE = 9, 3  # where the header has the colour type, and that of pixels which are numbers of colours
_CHANNELS = {0: 1, 2: 3, _PALETTE: 1, 4: 2, 6: 4}  # by colour type
_CRITICAL = {b"PLTE", b"IDAT", b"IEND"}
_EXIF = b"eXIf"
_NOT_AFTER = {
    b"PLTE": {b"PLTE", b"tRNS", b"IDAT"},
    b"tRNS": {b"tRNS", b"IDAT"},
    _EXIF: {_EXIF, b"IDAT"},
    colours.PROFILE: {colours.PROFILE, b"PLTE", b"IDAT"},
}
"""What may not be before a chunk; libpng drops a profile behind the palette, and what is see-through before it."""
_MOST_PALETTE_BYTES = 3 * 256
_ANIMATION = {b"acTL", b"fcTL", b"fdAT"}
_PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
_PIECE_BYTES = 1 << 20
_SIP_BYTES = 256
_LEAST_MATCH = 3  # RFC 1951: what is repeated of the rows before has 3 bytes at least
_TEXTS = {b"tEXt", b"zTXt", b"iTXt"}
_OBEYED = {b"interlace", b"bbox", b"transparency", b"icc_profile"}
"""Keys by which Pillow would decode or show pixels otherwise, since it keeps texts where it keeps what it reads by."""


def check_png(file: BinaryIO) -> None:
    """Read a whole PNG; raises UndecodablePicture where its chunks or its rows are not just as they must be."""
    file.seek(len(_PNG))
    name, length = _head(file)
    head = file.read(_HEADER.size)
    if (name, length) != (b"IHDR", _HEADER.size) or file.read(4) != _sum(zlib.crc32(head, zlib.crc32(name))):
        raise UndecodablePicture("The PNG does not begin with its header.")
    rows = _Rows(_rows_bytes(head))
    seen = {name}
    said: list[tuple[bytes, bytes]] = []
    while name != b"IEND":
        before, (name, length) = name, _head(file)
        _check_place(name, before, seen)
        _check_length(name, length)
        seen.add(name)
        crc = zlib.crc32(name)
        for number, piece in enumerate(_pieces(file, length)):
            crc = zlib.crc32(piece, crc)
            if name == b"IDAT":
                rows.take(piece)
            elif number:
                continue  # the begin tells all that is asked of others
            elif name == colours.PROFILE or name in colours.CHUNKS:
                said.append((name, piece))
            elif name in _TEXTS:
                _check_text(piece)
            elif name == _EXIF:
                check_upright(piece)
        if file.read(4) != _sum(crc):
            raise UndecodablePicture(f"The PNG is cut short or damaged: the checksum of {name!r} is wrong.")
    rows.end()
    _check_whole(head, seen)
    colours.check_chunks(said)


def _head(file: BinaryIO) -> tuple[bytes, int]:
    head = file.read(8)
    if len(head) < 8:
        raise UndecodablePicture("The PNG is cut short: it has no end.")
    return head[4:], int.from_bytes(head[:4], "big")


def _sum(crc: int) -> bytes:
    return crc.to_bytes(4, "big")


def _check_place(name: bytes, before: bytes, seen: set[bytes]) -> None:
    """Check that a chunk may come here."""
    if not name.isalpha() or name[2:3].islower():  # libpng reads no further there
        raise UndecodablePicture(f"The PNG has a chunk {name!r} of a name that there is not.")
    if name in _ANIMATION:
        raise UndecodablePicture("The file holds several pictures, an animation perhaps, where one was expected.")
    if name[:1].isupper() and name not in _CRITICAL:
        raise UndecodablePicture(f"The PNG has a chunk {name!r} that readers do not know, or twice.")
    is_late = name == b"IDAT" and b"IDAT" in seen and before != b"IDAT"
    if is_late or not seen.isdisjoint(_NOT_AFTER.get(name, ())):
        raise UndecodablePicture(f"The PNG has a chunk {name!r} in the wrong place.")


def _check_whole(header: bytes, seen: set[bytes]) -> None:
    if header[_COLOUR_AT] == _PALETTE and b"PLTE" not in seen:
        raise UndecodablePicture("The PNG lacks the palette of its colours.")


def _check_length(name: bytes, length: int) -> None:
    if name == b"PLTE" and (length % 3 or not 0 < length <= _MOST_PALETTE_BYTES):
        raise UndecodablePicture("The PNG has a palette of no whole number of colours, or of more than 256.")
    if name == _EXIF and not 0 < length <= _PIECE_BYTES:
        raise UndecodablePicture(f"The PNG has Exif of {length} bytes.")


def _check_text(text: bytes) -> None:
    key = text.partition(b"\0")[0]
    if key in _OBEYED:
        raise UndecodablePicture(f"The PNG has a text {key.decode()!r}, which some readers would obey.")


def _pieces(file: BinaryIO, length: int) -> Iterator[bytes]:
    while length:
        piece = file.read(min(length, _PIECE_BYTES))
        if not piece:
            raise UndecodablePicture("The PNG is cut short in the middle of a chunk.")
        length -= len(piece)
        yield piece


def _rows_bytes(header: bytes) -> int:
    """Return how many bytes a PNG's rows have when they are inflated, each with its filter before it."""
    width, height, depth, colour, packing, filters, interlace = _HEADER.unpack(header)
    if packing or filters or interlace > 1 or colour not in _CHANNELS:
        raise UndecodablePicture("The PNG is coded in a way that there is not.")
    bits = depth * _CHANNELS[colour]
    passes = _PASSES if interlace else ((0, 0, 1, 1),)
    sizes = [(-((x - width) // dx), -((y - height) // dy)) for x, y, dx, dy in passes]
    return sum(down * (1 + (across * bits + 7) // 8) for across, down in sizes if across > 0)


class _Rows:
    """A PNG's rows as they inflate: counted, and let go.

    What they repeat must lie within the window that they declare, since libpng keeps no more. zlib lets a repeat reach
    back into all that the same call gave out, too; so where the window is less than the rows, a call gives out no more
    than the shortest repeat has, and each is looked at once with nothing but the window before it.
    """

    def __init__(self, size_bytes: int) -> None:
        self._left = size_bytes
        self._inflating = zlib.decompressobj(0)  # with the window that its head declares
        self._sip_bytes = self._most_bytes = 0  # in and out at a time, from the head on

    def take(self, piece: bytes) -> None:
        """Inflate the next piece; raises UndecodablePicture where there is more than the rows, or it is damaged."""
        if piece and not self._most_bytes:
            is_whole = has_whole_window(piece[0], self._left)
            self._sip_bytes, self._most_bytes = (_PIECE_BYTES,) * 2 if is_whole else (_SIP_BYTES, _LEAST_MATCH)
        for at in range(0, len(piece), max(1, self._sip_bytes)):
            sip = piece[at:at + self._sip_bytes]
            while sip and not self._inflating.eof:
                self._inflate(sip)
                sip = self._inflating.unconsumed_tail
            self._check(is_so=not sip and not self._inflating.unused_data)

    def end(self) -> None:
        """Check that all rows came; raises UndecodablePicture."""
        while self._most_bytes and not self._inflating.eof and self._inflate(b""):
            pass
        self._check(is_so=self._left == 0 and self._inflating.eof)

    def _inflate(self, packed: bytes) -> int:
        try:
            count = len(self._inflating.decompress(packed, self._most_bytes))
        except zlib.error as error:
            raise UndecodablePicture(f"The PNG is damaged: {error}") from error
        self._left -= count
        self._check(is_so=self._left >= 0)
        return count

    @staticmethod
    def _check(*, is_so: bool) -> None:
        if not is_so:
            raise UndecodablePicture("The PNG holds more or less than its rows.")

