"""The pixels of an X screen, read from the file in which Xvfb keeps them.

Xvfb's `-fbdir` maps its framebuffer as a file in the format of xwd (X11's XWDFile.h, version 7). So no program is
needed to take a picture, nothing is copied through the X protocol, and 8, 16 and 24 bits a pixel are read alike.
"""

import struct
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]

_HEADER = struct.Struct(">25I")
_COLOUR = struct.Struct(">IHHHBB")
_VERSION = 7


@dataclass(frozen=True, slots=True)
class _Form:
    """What the header tells of the pixels: where they begin, their shape, and how colours lie in them."""

    begin: int
    width: int
    height: int
    bits: int
    line_bytes: int
    is_big: bool
    masks: tuple[int, int, int]
    colours_at: int
    colours: int


FILE = Path("screen") / "Xvfb_screen0"
"""Where a shot's screen is, in its folder."""
_FRAME_S = 0.04  # two frames of a screen of 50 Hz
_STILL_S = 2.0


def still(path: Path, before: Pixels | None = None) -> Pixels:
    """Return the screen once it has not changed for two frames, or after a while as it is then.

    What was done to a window shows some frames later: the screen must have changed from what it was `before`.
    """
    end = time.monotonic() + _STILL_S
    last = read(path)
    while time.monotonic() < end:
        time.sleep(_FRAME_S)
        now = read(path)
        if np.array_equal(last, now) and (before is None or not np.array_equal(before, now)):
            return now
        last = now
    return last


def read(path: Path) -> Pixels:
    """Return the screen as rows of RGB; raises ValueError for a file that is no screen dump."""
    raw = path.read_bytes()
    form = _form(raw)
    if form.bits == 8:
        coloured: Pixels = _palette(raw, form)[_plain(raw, form, "u1")]
        return coloured
    values = _plain(raw, form, f"{'>' if form.is_big else '<'}u{form.bits // 8}")
    return np.stack([_channel(values, mask) for mask in form.masks], axis=2)


def _form(raw: bytes) -> _Form:
    if len(raw) < _HEADER.size:
        raise ValueError("expected a screen dump, found a shorter file")
    told = _HEADER.unpack_from(raw)
    size, version, width, height, is_big, bits = told[0], told[1], told[4], told[5], told[7] == 1, told[11]
    if version != _VERSION or bits not in {8, 16, 32}:
        raise ValueError(f"expected a screen dump of version {_VERSION}, found {version} with {bits} bits a pixel")
    colours = told[19]
    return _Form(size + colours * _COLOUR.size, width, height, bits, told[12], is_big, told[14:17], size, colours)


def _plain(raw: bytes, form: _Form, kind: str) -> npt.NDArray[np.integer]:
    rows = np.frombuffer(raw, np.uint8, form.line_bytes * form.height, form.begin).reshape(form.height, form.line_bytes)
    values: npt.NDArray[np.integer] = rows[:, :form.width * form.bits // 8].copy().view(kind)
    return values


def _channel(values: npt.NDArray[np.integer], mask: int) -> Pixels:
    """Return one colour of each pixel, spread over 0 to 255."""
    low = (mask & -mask).bit_length() - 1
    most = mask >> low
    part = (values.astype(np.uint32) & mask) >> low
    return ((part * 255 + most // 2) // most).astype(np.uint8)


def _palette(raw: bytes, form: _Form) -> Pixels:
    table = np.zeros((256, 3), np.uint8)
    for number in range(form.colours):
        pixel, *colour = _COLOUR.unpack_from(raw, form.colours_at + number * _COLOUR.size)[:4]
        table[pixel & 255] = [one >> 8 for one in colour]
    return table
