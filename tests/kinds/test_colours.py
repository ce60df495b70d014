"""Pictures are judged in the colours that viewers show, or not taken where viewers would differ."""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from sheepfold.kinds import pictures
from sheepfold.kinds.seam import Soundness

SIDE = 48
NOISE = np.random.default_rng(1).integers(0, 256, (SIDE, SIDE, 3), np.uint8)
POINTS = 31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000
WIDE = 31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000  # Display P3's
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
SWAPPED = SRGB.replace(b"rXYZ", b"tmp!").replace(b"bXYZ", b"rXYZ").replace(b"tmp!", b"bXYZ")


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png(*chunks: bytes, late: bytes = b"") -> bytes:
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", SIDE, SIDE, 8, 2, 0, 0, 0))
    rows = chunk(b"IDAT", zlib.compress(b"".join(b"\0" + row.tobytes() for row in NOISE)))
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(chunks) + rows + late + chunk(b"IEND", b"")


def gamma(value: int) -> bytes:
    return chunk(b"gAMA", value.to_bytes(4, "big"))


def points(*values: int) -> bytes:
    return chunk(b"cHRM", struct.pack(">8I", *values))


def profile(data: bytes, name: bytes = b"a name") -> bytes:
    return chunk(b"iCCP", name + b"\0\0" + zlib.compress(data))


def jpeg(*parts: tuple[int, int], before: bytes = b"\xff\xe0") -> bytes:
    """Return a JPEG with a profile before a marker, in parts: each with its number and how many there are to be."""
    whole, size = encoded("JPEG"), -(-len(SWAPPED) // len(parts))
    at = whole.rindex(before)
    bodies = [b"ICC_PROFILE\0" + bytes(part) + SWAPPED[place * size:place * size + size]
              for place, part in enumerate(parts)]
    return whole[:at] + b"".join(b"\xff\xe2" + struct.pack(">H", len(body) + 2) + body for body in bodies) + whole[at:]


def encoded(form: str, image: Image.Image | None = None, **more: object) -> bytes:
    target = io.BytesIO()
    (image or Image.fromarray(NOISE)).save(target, form, **more)
    return target.getvalue()


def gray_profile() -> bytes:
    """Return a profile of one channel: sRGB's, told to be grey, with a curve and a white point alone."""
    curve = b"curv" + bytes(4) + struct.pack(">IH", 1, 0x0233) + bytes(2)
    white = b"XYZ " + bytes(4) + struct.pack(">3i", 0xF6D6, 0x10000, 0xD32D)
    at = 128 + 4 + 2 * 12
    tags = struct.pack(">I4sII4sII", 2, b"kTRC", at, len(curve), b"wtpt", at + len(curve), len(white))
    body = tags + curve + white
    return struct.pack(">I", 128 + len(body)) + SRGB[4:16] + b"GRAY" + SRGB[20:128] + body


PLAIN = {
    "nothing": png(),
    "sRGB": png(chunk(b"sRGB", b"\0")),
    "sRGB with what stands for it": png(chunk(b"sRGB", b"\0"), gamma(45455), points(*POINTS)),
    "a gamma of 0.45": png(gamma(45000)),
    "sRGB's code points": png(chunk(b"cICP", bytes([1, 13, 0, 1]))),
    "a gamma twice": png(gamma(45455), gamma(45455)),
    "sRGB's profile": png(profile(SRGB)),
    "sRGB's profile and another gamma, which it overrules": png(gamma(55556), profile(SRGB)),
}
TINTED = {
    "a gamma of 1": png(gamma(100_000)),
    "a gamma of 1 beside sRGB": png(chunk(b"sRGB", b"\0"), gamma(100_000)),
    "a gamma of 0": png(gamma(0)),
    "a gamma of five bytes": png(chunk(b"gAMA", b"\0\0\xb1\x8f\0")),
    "wide primaries": png(points(*WIDE)),
    "code points of HDR": png(chunk(b"cICP", bytes([9, 16, 0, 1]))),
    "code points that overrule a profile": png(chunk(b"cICP", bytes([12, 13, 0, 1])), profile(SRGB)),
    "two gammas": png(gamma(45455), gamma(100_000)),
    "a gamma behind the rows": png(late=gamma(100_000)),
    "two profiles": png(profile(SRGB), profile(SWAPPED)),
    "a profile behind the rows": png(late=profile(SRGB)),
    "a profile behind the palette": png(chunk(b"PLTE", bytes(3)), profile(SWAPPED)),
    "a profile of a long name": png(profile(SWAPPED, b"k" * 80)),
    "a profile of no name": png(profile(SWAPPED, b"")),
    "a profile behind a JPEG's frame": jpeg((1, 1), before=b"\xff\xda"),
    "a profile behind a JPEG's scan": jpeg((1, 1), before=b"\xff\xd9"),
    "a JPEG's profile in parts 1 and 3": jpeg((1, 2), (3, 2)),
    "a JPEG's profile in parts 0 and 2": jpeg((0, 2), (2, 2)),
    "a JPEG's profile without its last part": jpeg((1, 2)),
    "a JPEG's profile whose parts are of two minds": jpeg((1, 2), (2, 3)),
    "a JPEG's profile twice": jpeg((1, 1), (1, 1)),
    "a profile of nothing": png(profile(b"")),
    "a profile that does not unpack": png(chunk(b"iCCP", b"a name\0\0nothing")),
    "a damaged profile": png(profile(SRGB[:200])),
    "a damaged profile in a JPEG": encoded("JPEG", icc_profile=SRGB[:200]),
    "a profile of grey for colours": encoded("JPEG", Image.fromarray(NOISE).convert("CMYK"), icc_profile=SRGB),
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "picture"


@pytest.mark.parametrize("name", PLAIN)
def test_what_says_srgb_in_any_way_is_sound_and_shown_as_it_lies(name: str, path: Path) -> None:
    path.write_bytes(PLAIN[name])
    found = pictures.examine(path, pictures.wrong_size(SIDE, SIDE))
    assert (found.soundness, found.reason) == (Soundness.SOUND, "")
    assert np.abs(pictures.pixels(path).astype(int) - NOISE).max() <= 1


@pytest.mark.parametrize("name", TINTED)
def test_what_viewers_would_tint_is_undecodable(name: str, path: Path) -> None:
    path.write_bytes(TINTED[name])
    found = pictures.examine(path, pictures.wrong_size(SIDE, SIDE))
    assert found.soundness == Soundness.UNDECODABLE, found
    assert "colour" in found.reason or "wrong place" in found.reason


@pytest.mark.parametrize("form", ["PNG", "JPEG"])
def test_a_profile_is_followed_as_viewers_do(form: str, path: Path) -> None:
    even = Image.fromarray(np.full((SIDE, SIDE, 3), (200, 20, 20), np.uint8))
    path.write_bytes(encoded(form, even, icc_profile=SWAPPED))
    red, green, blue = pictures.pixels(path)[20, 20].tolist()
    assert (red < 60, green < 60, blue > 150) == (True, True, True)  # red is blue, says the profile


@pytest.mark.parametrize("parts", [[(1, 1)], [(1, 2), (2, 2)], [(1, 3), (2, 3), (3, 3)]])
def test_a_profile_in_parts_is_followed(parts: list[tuple[int, int]], path: Path) -> None:
    path.write_bytes(jpeg(*parts))
    assert pictures.examine(path, pictures.wrong_size(SIDE, SIDE)).soundness == Soundness.SOUND
    plain = np.asarray(Image.open(io.BytesIO(encoded("JPEG"))))
    assert np.abs(pictures.pixels(path).astype(int) - plain[:, :, ::-1]).mean() < 10


@pytest.mark.parametrize("name", [b"k", b"k" * 79])
def test_a_profile_may_have_any_name_that_there_is(name: bytes, path: Path) -> None:
    path.write_bytes(png(profile(SRGB, name)))
    assert pictures.examine(path, pictures.wrong_size(SIDE, SIDE)).soundness == Soundness.SOUND


def test_a_grey_picture_follows_a_profile_of_grey(path: Path) -> None:
    path.write_bytes(encoded("PNG", Image.fromarray(NOISE[:, :, 0]), icc_profile=gray_profile()))
    assert pictures.examine(path, pictures.wrong_size(SIDE, SIDE)).soundness == Soundness.SOUND
