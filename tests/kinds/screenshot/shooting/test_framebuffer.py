"""That the screen's file is read at every depth."""

import struct
from pathlib import Path

import numpy as np
import pytest

from sheepfold.kinds.screenshot.shooting import framebuffer


def dump(bits: int, masks: tuple[int, int, int], rows: bytes, line: int, colours: bytes = b"") -> bytes:
    """Return a screen of 2 x 1 pixels in xwd's format."""
    head = [104, 7, 2, 24, 2, 1, 0, 0, 32, 0, 32, bits, line, 4, *masks, 8, 256, len(colours) // 12, 2, 1, 0, 0, 0]
    return struct.pack(">25I", *head) + b"name"[:4] + colours + rows


@pytest.mark.parametrize(("bits", "masks", "rows"), [
    (32, (0xFF0000, 0xFF00, 0xFF), struct.pack("<2I", 0xFF0000, 0x0080FF)),
    (16, (0xF800, 0x7E0, 0x1F), struct.pack("<2H", 0xF800, 0x041F)),
], ids=["24", "16"])  # fmt: skip
def test_colours_are_read_by_their_masks(tmp_path: Path, bits: int, masks: tuple[int, int, int], rows: bytes):
    path = tmp_path / "screen"
    path.write_bytes(dump(bits, masks, rows, len(rows)))
    picture = framebuffer.read(path)
    assert picture.shape == (1, 2, 3)
    assert picture[0, 0].tolist() == [255, 0, 0]
    assert np.abs(picture[0, 1].astype(int) - [0, 128, 255]).max() <= 2


def test_a_palette_is_looked_up(tmp_path: Path):
    path = tmp_path / "screen"
    colours = struct.pack(">IHHHBB", 3, 0xFFFF, 0x8080, 0, 7, 0)
    path.write_bytes(dump(8, (0, 0, 0), bytes([3, 0]), 2, colours))
    assert framebuffer.read(path)[0].tolist() == [[255, 128, 0], [0, 0, 0]]


@pytest.mark.parametrize("raw", [b"", b"\0" * 100, b"nonsense" * 40], ids=["empty", "zeros", "words"])
def test_what_is_no_screen_is_refused(tmp_path: Path, raw: bytes):
    path = tmp_path / "screen"
    path.write_bytes(raw)
    with pytest.raises(ValueError, match="screen dump"):
        framebuffer.read(path)
