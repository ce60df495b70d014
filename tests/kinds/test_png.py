import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from sheepfold.kinds import pictures
from sheepfold.kinds.png import PlainPng
from sheepfold.kinds.seam import Soundness

CHANNELS = {2: 3, 6: 4}
SPREAD = pictures.BLANK_SPREAD


def any_size(_width: int, _height: int) -> str:
    return ""


def looked_at(image: Image.Image) -> str:
    return pictures.single_colour(image)


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png(rows: bytes, width: int, height: int, colour: int = 2, more: bytes = b"") -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, colour, 0, 0, 0)
    packed = chunk(b"IDAT", zlib.compress(rows))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + more + packed + chunk(b"IEND", b"")


def is_plainly_sound(data: bytes, spread: int = SPREAD) -> bool:
    picture = PlainPng.read(data)
    rows = None if picture is None else picture.rows()
    return picture is not None and rows is not None and picture.differs(rows, spread)


def decoded(data: bytes, path: Path) -> Soundness:
    """Judge a file by decoding it, as what is unusual is judged."""
    path.write_bytes(data)
    return pictures.examine(path, any_size, doubt=looked_at).soundness


@st.composite
def filtered(draw: st.DrawFn) -> bytes:
    """Write rows with any filters, of bytes that make pictures of nearly one colour as likely as others."""
    colour, width, height = draw(st.sampled_from([2, 6])), draw(st.integers(1, 5)), draw(st.integers(1, 4))
    few = st.sampled_from([0, 0, 0, 1, 2, 3, 4, 128, 252, 253, 255, 255])
    row = st.lists(few, min_size=width * CHANNELS[colour], max_size=width * CHANNELS[colour]).map(bytes)
    rows = (bytes([draw(st.integers(0, 5))]) + draw(row) for _ in range(height))
    return png(b"".join(rows), width, height, colour)


@settings(max_examples=400)
@given(data=filtered())
def test_what_passes_undecoded_passes_decoded(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    if is_plainly_sound(data):
        assert decoded(data, tmp_path_factory.getbasetemp() / "plain.png") is Soundness.SOUND


@st.composite
def near_one_colour(draw: st.DrawFn) -> tuple[np.ndarray, int]:
    shape = (draw(st.integers(2, 6)), draw(st.integers(2, 6)), draw(st.sampled_from([3, 4])))
    count = shape[0] * shape[1] * shape[2]
    least = draw(st.integers(0, 255 - SPREAD))
    values = draw(st.lists(st.integers(least, least + SPREAD), min_size=count, max_size=count))
    pixels = np.array(values, np.uint8).reshape(shape)
    if shape[2] == 4:
        pixels[:, :, 3] = draw(st.sampled_from([0, 254, 255]))
    return pixels, draw(st.integers(1, 4))


def written(pixels: np.ndarray, kind: int) -> bytes:
    """Write a picture with one filter for all of its rows, by the rules of the format."""
    height, width, channels = pixels.shape
    field = np.zeros((height + 1, width + 1, channels), int)
    field[1:, 1:] = pixels
    left, up, aslant = field[1:, :-1], field[:-1, 1:], field[:-1, :-1]
    guess = left + up - aslant
    by_paeth = np.where((abs(guess - left) <= abs(guess - up)) & (abs(guess - left) <= abs(guess - aslant)), left,
                        np.where(abs(guess - up) <= abs(guess - aslant), up, aslant))
    said = (pixels - [0, left, up, (left + up) // 2, by_paeth][kind]).astype(np.uint8).reshape(height, -1)
    rows = np.concatenate([np.full((height, 1), kind, np.uint8), said], axis=1)
    return png(rows.tobytes(), width, height, {3: 2, 4: 6}[channels])


@settings(max_examples=200)
@given(case=near_one_colour())
def test_a_picture_of_nearly_one_colour_is_always_looked_at(case: tuple[np.ndarray, int]) -> None:
    assert not is_plainly_sound(written(*case))


@settings(max_examples=100)
@given(kind=st.integers(1, 4), alpha=st.booleans(), seed=st.integers(0, 2**16))
def test_a_picture_of_many_colours_passes_by_every_filter(kind: int, alpha: bool, seed: int) -> None:
    pixels = np.random.default_rng(seed).integers(0, 256, (8, 8, 3 + alpha), np.uint8)
    if alpha:
        pixels[:, :, 3] = 255
    data = written(pixels, kind)
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(data))), pixels)
    assert is_plainly_sound(data)


def test_see_through_colours_are_looked_at() -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (8, 8, 4), np.uint8)
    for kind in range(1, 5):
        pixels[:, :, 3] = 0
        assert not is_plainly_sound(written(pixels, kind))
        pixels[:, :, 3] = 255
        pixels[5, 5, 3] = 254
        assert not is_plainly_sound(written(pixels, kind))


@settings(max_examples=300)
@given(at=st.integers(0, 10**6), flip=st.integers(1, 255), cut=st.integers(0, 20))
def test_a_damaged_picture_never_passes_undecoded(at: int, flip: int, cut: int) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (8, 8, 3), np.uint8)
    data = bytearray(written(pixels, 4))
    assert is_plainly_sound(bytes(data))
    data[at % len(data)] ^= flip
    assert not is_plainly_sound(bytes(data[:len(data) - cut]))


def test_rows_whose_window_is_less_than_they_are_left_to_whoever_decodes() -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (64, 64, 3), np.uint8)
    data = written(pixels, 1)
    rows = zlib.decompress(data[41:-16])
    for bits, is_plain in ((9, False), (13, False), (14, True), (15, True)):  # of 512, 8192, 16384 and 32768 bytes
        packing = zlib.compressobj(9, wbits=bits)
        packed = packing.compress(rows) + packing.flush()
        assert is_plainly_sound(data[:33] + chunk(b"IDAT", packed) + data[-12:]) is is_plain


def test_rows_that_repeat_what_is_beyond_their_window_never_pass_undecoded() -> None:
    rows = b"".join(b"\0" + row.tobytes() for row in np.random.default_rng(1).integers(0, 256, (2, 64, 3), np.uint8))
    data = bytearray(png(rows * 32, 64, 64))
    assert is_plainly_sound(bytes(data))
    data[41:43] = bytes([8, 29])  # a window of 256 bytes
    data[-16:-12] = zlib.crc32(data[37:-16]).to_bytes(4, "big")
    assert not is_plainly_sound(bytes(data))


TEXTS = (("Comment", True), ("flam3_genome", True), ("interlace", False), ("bbox", False), ("transparency", False))


@pytest.mark.parametrize("is_packed", [False, True])
@pytest.mark.parametrize(("key", "is_harmless"), TEXTS)
def test_texts_that_a_reader_may_obey_are_left_to_it(key: str, is_harmless: bool, is_packed: bool) -> None:
    texts = PngImagePlugin.PngInfo()
    texts.add_text(key, "told", zip=is_packed)
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(1).integers(0, 256, (8, 8, 3), np.uint8)).save(file, "PNG", pnginfo=texts)
    assert is_plainly_sound(file.getvalue()) is is_harmless


def test_packed_texts_are_no_bomb() -> None:
    bomb = b"Comment\0\0" + zlib.compress(bytes(10_000_000), 9)
    rows = written(np.random.default_rng(1).integers(0, 256, (8, 8, 3), np.uint8), 1)
    assert is_plainly_sound(rows)
    for texts in (chunk(b"zTXt", bomb), chunk(b"zTXt", b"A\0\0" + zlib.compress(b"a")) * 2, chunk(b"zTXt", b"A\0\0x")):
        assert not is_plainly_sound(rows[:33] + texts + rows[33:])


@pytest.mark.parametrize("colour", [0, 3, 4])
def test_other_sorts_of_colours_are_looked_at(colour: int) -> None:
    assert PlainPng.read(png(b"\1\2\3", 1, 1, colour)) is None


@pytest.mark.parametrize("rows", [b"", b"\1" + bytes(5), b"\1" + bytes(7), b"\5" + bytes(6)])
def test_rows_must_be_there_exactly(rows: bytes) -> None:
    picture = PlainPng.read(png(rows, 2, 1))
    assert picture is not None
    assert picture.rows() is None


def test_chunks_out_of_order_are_looked_at() -> None:
    whole = png(b"\1" + bytes(6), 2, 1)
    header, end, rows = whole[8:33], whole[-12:], whole[33:-12]
    for chunks in ((rows, header, end), (header, end), (header, rows), (header, header, rows, end), (rows, end),
                   (header, rows, chunk(b"tEXt", b"A\0b"), rows, end), (header, rows, end, b"more"),
                   (header, end, rows)):
        assert PlainPng.read(whole[:8] + b"".join(chunks)) is None


def test_a_size_that_would_fill_the_memory_is_left_alone() -> None:
    assert PlainPng.read(png(b"", 100_000, 100_000)) is None
    assert PlainPng.read(png(b"", 0, 1)) is None
