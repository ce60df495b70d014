"""Pictures in crumbs: told apart from those in many pieces by their heads."""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sheepfold.kinds import pictures
from sheepfold.kinds.crumbs import CRUMB_BYTES, MOST_CRUMBS
from sheepfold.kinds.seam import Inspection, Soundness

REFUSED = "The file is in far more pieces than its size explains."
NOISE = Image.fromarray(np.random.default_rng(1).integers(0, 256, (48, 64, 3), np.uint8))
MANY = 2 * MOST_CRUMBS


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def segment(marker: int, body: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def encoded(sort: str) -> bytes:
    target = io.BytesIO()
    NOISE.save(target, sort)
    return target.getvalue()


def with_pieces(pieces: bytes) -> bytes:
    """Return a picture with pieces behind its first head."""
    whole, at = (encoded("JPEG"), 2) if pieces[0] else (encoded("PNG"), 33)
    return whole[:at] + pieces + whole[at:]


def judged(data: bytes, folder: Path) -> Inspection:
    path = folder / "picture"
    path.write_bytes(data)
    return pictures.examine(path, lambda width, height: "")


CRUMBS = {
    "times": chunk(b"tIME", bytes(7)), "texts": chunk(b"tEXt", b"a\0b"), "rows of nothing": chunk(b"IDAT", b""),
    "comments": segment(0xFE, b""), "cameras": segment(0xE1, b"Exif\0\0ab"), "fill": b"\xff", "restarts": b"\xff\xd0",
    "reserved": b"\xff\xf0\0\x02",
}


@pytest.mark.parametrize("name", CRUMBS)
def test_a_picture_in_crumbs_is_refused_by_its_heads(name, tmp_path: Path):
    found = judged(with_pieces(CRUMBS[name] * MANY), tmp_path)
    assert (found.soundness, found.reason) == (Soundness.UNDECODABLE, REFUSED)


def behind_its_scan(pieces: bytes) -> bytes:
    whole = encoded("JPEG")
    return whole[:-2] + pieces + whole[-2:]


@pytest.mark.parametrize("name", ["comments", "cameras", "fill"])
def test_a_jpeg_in_crumbs_behind_its_scan_is_refused(name, tmp_path: Path):
    found = judged(behind_its_scan(CRUMBS[name].replace(b"Exif", b"exif") * MANY), tmp_path)
    assert (found.soundness, found.reason) == (Soundness.UNDECODABLE, REFUSED)


@pytest.mark.parametrize("name", ["comments", "fill", "restarts"])
def test_a_jpeg_in_many_pieces_behind_its_scan_is_read(name, tmp_path: Path):
    assert judged(behind_its_scan(CRUMBS[name] * (MOST_CRUMBS // 3)), tmp_path).soundness is Soundness.SOUND


@pytest.mark.parametrize("name", ["times", "comments", "fill"])
def test_a_picture_in_many_pieces_is_read(name, tmp_path: Path):
    assert judged(with_pieces(CRUMBS[name] * (MOST_CRUMBS // 3)), tmp_path).soundness is Soundness.SOUND


def test_a_large_picture_may_be_in_more_pieces(tmp_path: Path):
    pieces = chunk(b"tEXt", b"a\0" + bytes(CRUMB_BYTES).replace(b"\0", b"b")) * (MOST_CRUMBS + 10)
    assert judged(with_pieces(pieces), tmp_path).reason != REFUSED
