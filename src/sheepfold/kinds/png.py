"""PNGs as renderers write them, judged by their bytes alone, in a third of the time that it takes to decode the pixels.

A picture passes here only where decoding would pass it, too: every checksum is right, the rows inflate to exactly
their size, and each has a filter that there is. What is unusual in any way is left to whoever decodes.
"""

import struct
from dataclasses import dataclass
from typing import Self, cast

import numpy as np
from numpy.typing import NDArray
from zlib_ng import zlib_ng

from sheepfold.kinds.colours import is_srgb
from sheepfold.kinds.crumbs import most_pieces

MOST_BYTES = 32 * 1024 * 1024
"""Of a file, and of its rows when they are inflated; larger ones would need much memory at once."""
_Broken = cast("type[Exception]", zlib_ng.error)  # its stub says that it is one
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_CHANNELS = {2: 3, 6: 4}  # bytes of a pixel by colour type: RGB, and RGB with alpha
_LENGTHS = {b"IHDR": 13, b"IEND": 0, b"pHYs": 9, b"gAMA": 4, b"sRGB": 1, b"cHRM": 32, b"tIME": 7}
_NO_FILTER, _SUB, _AVERAGE, _PAETH = 0, 1, 3, 4
_MOST_TEXT_BYTES = 256 * 1024
_MOST_WINDOW_BYTES = 1 << 15
# what is written of an alpha of 255 by each filter: none, sub, up, average, Paeth
_OPAQUE = np.array([255, 0, 0, 0, 0], np.uint8)
_OPAQUE_LEFT = np.array([255, 255, 0, 128, 0], np.uint8)
_OPAQUE_ON_TOP = np.array([255, 0, 255, 128, 0], np.uint8)

Rows = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class PlainPng:
    """A PNG of 8 bits a channel, not interlaced, whose chunks are whole; its rows are still packed."""

    width: int
    height: int
    _channels: int
    _packed: bytes

    @classmethod
    def read(cls, data: bytes) -> Self | None:
        """Read a file's bytes; None where it is anything else."""
        if len(data) > MOST_BYTES or not data.startswith(_SIGNATURE):
            return None
        try:
            chunks = _chunks(memoryview(data))
        except struct.error:  # it is cut short
            return None
        names = [name for name, _ in chunks]
        rows = [body for name, body in chunks if name == b"IDAT"]
        if not (_is_framed(names) and _is_in_a_row(names) and all(_is_usual(name, body) for name, body in chunks)):
            return None
        width, height, depth, colour, *rest = struct.unpack(">IIBBBBB", chunks[0][1])
        channels = _CHANNELS.get(colour, 0)
        is_plain = depth == 8 and channels > 0 and not any(rest)
        if not is_plain or not width or not 0 < height * (1 + width * channels) <= MOST_BYTES:
            return None
        return cls(width, height, channels, b"".join(rows))

    def rows(self) -> Rows | None:
        """Inflate the rows, each with its filter before it; None where it is not exactly all of them, and sound."""
        row_bytes = 1 + self.width * self._channels
        if not self._packed or not has_whole_window(self._packed[0], row_bytes * self.height):
            return None
        inflating = zlib_ng.decompressobj()
        try:
            rows = inflating.decompress(self._packed, row_bytes * self.height + 1)
        except _Broken:
            return None
        is_whole = len(rows) == row_bytes * self.height and inflating.eof and not inflating.unused_data
        found = np.frombuffer(rows, np.uint8).reshape(self.height, row_bytes) if is_whole else None
        return None if found is None or found[:, 0].max() > _PAETH else found

    def differs(self, rows: Rows, spread: int) -> bool:
        """Say whether opaque pixels differ by over `spread` of 255 in a colour, as is quickly seen; False says nothing.

        It is seen in the first row, or where a pixel is far from what its filter guessed of it: of its neighbours'
        values (left, above, aslant, or the mean of two), which in a picture of nearly one colour is never far.
        """
        filters, pixels = rows[:, 0], rows[:, 1:].reshape(self.height, self.width, self._channels)
        if self._channels == 4 and not _is_opaque(filters, pixels[:, :, 3]):
            return False
        if _is_colourful(filters[0], pixels[0, :, :3], spread):
            return True
        within = pixels[1:, 1:, :3][filters[1:] != _NO_FILTER]
        return bool((within + np.uint8(spread) > 2 * spread).any())


def has_whole_window(first: int, size_bytes: int) -> bool:
    """Say by the first byte of packed rows whether they can repeat nothing that is beyond the window they declare.

    That is so where the window is the largest, or holds all rows, as libpng makes it for little ones (RFC 1950, CINFO).
    """
    return 256 << (first >> 4) >= min(size_bytes, _MOST_WINDOW_BYTES)


def _is_colourful(kind: int, pixels: Rows, spread: int) -> bool:
    """Look at the first row: above it all is 0, so that it needs no other, and filters up and Paeth guess little."""
    if kind in {_SUB, _PAETH}:
        pixels = np.cumsum(pixels, axis=0, dtype=np.uint8)
    return kind != _AVERAGE and bool((np.ptp(pixels, axis=0) > spread).any())


def _is_opaque(filters: Rows, alpha: Rows) -> bool:
    """Say whether all alpha is 255, by what each filter makes of that; left of a row, and above the first, is 0."""
    left, others = _OPAQUE_LEFT[filters], _OPAQUE[filters]
    left[0], others[0] = 255, _OPAQUE_ON_TOP[filters[0]]
    return bool((alpha[:, 0] == left).all() and (alpha[:, 1:] == others[:, np.newaxis]).all())


def _chunks(data: memoryview) -> list[tuple[bytes, bytes]]:
    """Return a file's chunks, none of them where a checksum is wrong."""
    chunks: list[tuple[bytes, bytes]] = []
    at = len(_SIGNATURE)
    while at < len(data):
        if len(chunks) > most_pieces(len(data)):
            return []
        length, name = struct.unpack_from(">I4s", data, at)
        end = at + 8 + length
        body = bytes(data[at + 8:end])
        if struct.unpack_from(">I", data, end)[0] != zlib_ng.crc32(data[at + 4:end]):
            return []
        chunks.append((name, body))
        at = end + 4
    return chunks


def _is_framed(names: list[bytes]) -> bool:
    """Say whether a file begins and ends as it must, and packs one text at most, which flam3 does with its genome."""
    is_once = names.count(b"IHDR") == names.count(b"IEND") == 1
    return is_once and names[0] == b"IHDR" and names[-1] == b"IEND" and names.count(b"zTXt") <= 1


def _is_in_a_row(names: list[bytes]) -> bool:
    """Say whether the rows come in chunks one after another."""
    count = names.count(b"IDAT")
    first = names.index(b"IDAT") if count else 0
    return count > 0 and names[first:first + count] == [b"IDAT"] * count


def _is_usual(name: bytes, body: bytes) -> bool:
    """Say whether a chunk is of those that all readers understand alike."""
    if name in {b"tEXt", b"zTXt"}:  # Pillow keeps texts where it keeps what it reads by, such as `interlace`
        is_harmless = body.startswith(b"flam3_") or not body[:1].islower()
        return is_harmless and (name == b"tEXt" or _is_packed_text(body))
    return name == b"IDAT" or (_LENGTHS.get(name) == len(body) and is_srgb(name, body))


def _is_packed_text(body: bytes) -> bool:
    _key, _, packed = body.partition(b"\0")
    inflating = zlib_ng.decompressobj()
    try:
        inflating.decompress(packed[1:], _MOST_TEXT_BYTES)
    except _Broken:
        return False
    return packed.startswith(b"\0") and inflating.eof
