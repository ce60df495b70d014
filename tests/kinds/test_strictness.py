"""Pictures that one reader takes and another refuses, or shows otherwise, are undecodable; honest ones are not."""

import io
import struct
import zlib
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sheepfold.kinds import pictures
from sheepfold.kinds.jpeg import MOST_SCANS
from sheepfold.kinds.seam import Inspection, Soundness
from sheepfold.kinds.strictness import check_png
from sheepfold.model.errors import UndecodablePicture

SIDE = 48
NOISE = np.random.default_rng(1).integers(0, 256, (SIDE, SIDE, 3), np.uint8)
ROWS = b"".join(b"\0" + row.tobytes() for row in NOISE)


def chunk(name: bytes, body: bytes = b"", crc: int | None = None) -> bytes:
    proof = zlib.crc32(name + body) if crc is None else crc
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", proof)


def head(**other: int) -> bytes:
    told = {"width": SIDE, "height": SIDE, "depth": 8, "colour": 2, "packing": 0, "filters": 0, "interlace": 0} | other
    return chunk(b"IHDR", struct.pack(">IIBBBBB", *told.values()))


def png(*chunks: bytes) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def encoded(form: str, image: Image.Image | None = None, **more: object) -> bytes:
    target = io.BytesIO()
    (image or Image.fromarray(NOISE)).save(target, form, **more)
    return target.getvalue()


def declaring(window_bits: int, packed: bytes) -> bytes:
    """Return packed rows that declare another window than they were packed with."""
    first = (window_bits - 8) << 4 | 8
    return bytes([first, -first * 256 % 31]) + packed[2:]


def packed_within(window_bits: int, rows: bytes) -> bytes:
    packing = zlib.compressobj(9, wbits=window_bits)
    return packing.compress(rows) + packing.flush()


def text(name: bytes, key: bytes, said: bytes = b"") -> bytes:
    """Return a text as each of its chunks has it."""
    body = {b"tEXt": said, b"zTXt": b"\0" + zlib.compress(said), b"iTXt": bytes(4) + said}[name]
    return chunk(name, key + b"\0" + body)


def turned() -> Image.Exif:
    said = Image.Exif()
    said[0x112] = 6
    return said


def tiff(*ways: int) -> bytes:
    """Return Exif without its head, with an entry for each way that a picture is to be turned."""
    entries = b"".join(struct.pack("<HHIHH", 0x112, 3, 1, way, 0) for way in ways)
    return b"II*\0" + struct.pack("<IH", 8, len(ways)) + entries + bytes(4)


def with_exif(*bodies: bytes) -> bytes:
    """Return a JPEG with bodies of APP1, whose heads are theirs."""
    segments = (b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body for body in bodies)
    return BASELINE[:2] + b"".join(segments) + BASELINE[2:]


def judged(data: bytes, folder: Path) -> Inspection:
    path = folder / "picture"
    path.write_bytes(data)
    return pictures.examine(path, lambda width, height: "" if (width, height) == (SIDE, SIDE) else "another size")


PACKED = zlib.compress(ROWS)
WHOLE, END = chunk(b"IDAT", PACKED), chunk(b"IEND")
ALIKE = (ROWS[:290] * SIDE)[:len(ROWS)]  # each row is as the last but one, 290 bytes before
FRAME = struct.pack(">IIIIIHHBB", 0, SIDE, SIDE, 0, 0, 1, 1, 0, 0)
PALETTE = bytes(range(256)) * 3
INDICES = chunk(b"IDAT", zlib.compress(b"".join(b"\0" + row[:, 0].tobytes() for row in NOISE)))
TEXTS = b"tEXt", b"zTXt", b"iTXt"
PROGRESSIVE = encoded("JPEG", progressive=True)
LAST_SCAN = PROGRESSIVE[PROGRESSIVE.rindex(b"\xff\xda"):-2]
BASELINE = encoded("JPEG")
ARITHMETIC = BASELINE.replace(b"\xff\xc0", b"\xff\xc9", 1)
BLENDERS = bytes.fromhex("""
    4d4d002a 00000018 00000048 00000001 00000048 00000001 0002 011a0005 00000001 00000008 011b0005 00000001 00000010
    00000000""")  # of every PNG that Blender 4.5 renders: 72 dots to the inch
PASSES = (0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)  # of PNG 8.2

HONEST = {
    "plain": png(head(), WHOLE, END),
    "of three pieces": png(head(), *(chunk(b"IDAT", PACKED[at:at + 3000]) for at in range(0, len(PACKED), 3000)), END),
    "with what stands behind": png(head(), WHOLE, END) + b"PK\5\6" + bytes(18),
    "with a chunk that nobody needs": png(head(), chunk(b"vpAg", bytes(9)), WHOLE, END),
    "a window that holds what it repeats": png(head(), chunk(b"IDAT", packed_within(9, ALIKE)), END),
    "a little window, of which nothing is used": png(
        head(), chunk(b"IDAT", declaring(8, zlib.compress(ROWS, 0))), END),
    "a window as large as its rows, as libpng declares it": png(
        head(), chunk(b"IDAT", declaring(13, PACKED)), END),
    "in pieces of a byte, with a little window": png(
        head(), *(chunk(b"IDAT", bytes([each])) for each in packed_within(9, ALIKE)), END),
    "texts of ImageMagick's, Blender's and flam3's": png(head(), *(
        text(name, key, b"said") for name in TEXTS for key in (
            b"date:create", b"exif:Software", b"icc:copyright", b"signature", b"Date", b"flam3_genome")), WHOLE, END),
    "a palette with what is see-through": png(
        head(colour=3), chunk(b"PLTE", PALETTE), chunk(b"tRNS", b"\xff" * 256), INDICES, END),
    "a palette": png(head(colour=3), chunk(b"PLTE", PALETTE), INDICES, END),
    "grey": encoded("PNG", Image.fromarray(NOISE[:, :, 0])),
    "one bit": encoded("PNG", Image.fromarray(NOISE[:, :, 0]).convert("1")),
    "sixteen bits": png(head(depth=16), chunk(b"IDAT", zlib.compress(
        b"".join(b"\0" + row.astype(">u2").tobytes() for row in NOISE.astype(int) * 257))), END),
    "a progressive JPEG": PROGRESSIVE,
    "a grey JPEG": encoded("JPEG", Image.fromarray(NOISE[:, :, 0])),
    "an upright JPEG": encoded("JPEG", exif=Image.Exif()),
    "a JPEG that says so": with_exif(b"Exif\0\0" + tiff(1)),
    "a JPEG of Blender's, with another's words": with_exif(b"NeoGeo\0\0\0Z", b"http://ns.adobe.com/xap/1.0/\0<x/>",
                                                          b"Exif\0\0" + BLENDERS),
    "a PNG with Blender's resolution": png(head(), chunk(b"eXIf", BLENDERS), WHOLE, END),
}
DISHONEST = {
    "another header before its own": png(head(width=1, height=1), head(), WHOLE, END),
    "a header behind its rows": png(head(), WHOLE, head(), END),
    "packed in a way that there is not": png(head(packing=1), WHOLE, END),
    "a chunk that must be known": png(head(), chunk(b"ABCD", b"x"), WHOLE, END),
    "Apple's own": png(chunk(b"CgBI", bytes(4)), head(), WHOLE, END),
    "an end with another checksum": png(head(), WHOLE, chunk(b"IEND", crc=5)),
    "an end that is cut": png(head(), WHOLE, END)[:-4],
    "half of its rows": png(head(), chunk(b"IDAT", zlib.compress(ROWS[:len(ROWS) // 2])), END),
    "twice its rows": png(head(), chunk(b"IDAT", zlib.compress(ROWS * 2)), END),
    "a bomb behind its rows": png(head(), chunk(b"IDAT", zlib.compress(ROWS + bytes(2**24))), END),
    "rows without a checksum": png(head(), chunk(b"IDAT", PACKED[:-4]), END),
    "bytes behind its rows": png(head(), chunk(b"IDAT", PACKED + b"hidden"), END),
    "rows with a gap": png(head(), chunk(b"IDAT", PACKED[:99]), chunk(b"tEXt", b"A\0b"), chunk(b"IDAT", PACKED[99:]),
                           END),
    "a second picture that one says is none": png(
        head(), chunk(b"acTL", struct.pack(">II", 1, 0)), chunk(b"fcTL", FRAME), WHOLE,
        chunk(b"fdAT", struct.pack(">I", 1) + zlib.compress(bytes(len(ROWS)))), END),
    "two words on how it moves": png(head(), *[chunk(b"acTL", struct.pack(">II", 2, 0))] * 2, chunk(b"fcTL", FRAME),
                                     WHOLE, END),
    "a palette of 85 colours and a third": png(head(colour=3), chunk(b"PLTE", PALETTE[:-512]), INDICES, END),
    "two palettes": png(head(colour=3), chunk(b"PLTE", PALETTE), chunk(b"PLTE", PALETTE[::-1]), INDICES, END),
    "what is see-through said too late": png(head(), WHOLE, chunk(b"tRNS", bytes(6)), END),
    "a PNG to be turned": encoded("PNG", exif=turned()),
    "a JPEG to be turned": encoded("JPEG", exif=turned()),
    "turned by the first word of two": png(head(), chunk(b"eXIf", tiff(6)), chunk(b"eXIf", tiff(1)), WHOLE, END),
    "two words on its turn": png(head(), *[chunk(b"eXIf", tiff(1))] * 2, WHOLE, END),
    "turned unless its end counts": png(head(), chunk(b"eXIf", tiff(6)), WHOLE, chunk(b"eXIf", tiff(1)), END),
    "a word on its turn behind its rows": png(head(), WHOLE, chunk(b"eXIf", tiff(1)), END),
    "turned unless a text counts": png(head(), chunk(b"eXIf", tiff(6)), chunk(b"tEXt", b"exif\0" + tiff(1)), WHOLE,
                                          END),
    "turned by one entry of two": png(head(), chunk(b"eXIf", tiff(1, 6)), WHOLE, END),
    "a word that is cut": png(head(), chunk(b"eXIf", tiff(1)[:-9]), WHOLE, END),
    "a word of over 1 MiB": png(head(), chunk(b"eXIf", tiff(1) + bytes(2**20)), WHOLE, END),
    "a JPEG turned unless the sixth byte counts": with_exif(b"Exif\0\1" + tiff(6)),
    "a JPEG upright if the sixth byte does not count": with_exif(b"Exif\0\1" + tiff(1)),
    "a JPEG turned unless the first word counts": with_exif(b"Exif\0\0" + tiff(), b"Exif\0\0" + tiff(6)),
    "a JPEG with two words on its turn": with_exif(*[b"Exif\0\0" + tiff(1)] * 2),
    "a JPEG turned behind its scan": BASELINE[:-2] + with_exif(b"Exif\0\0" + tiff(6))[2:46] + BASELINE[-2:],
    "a window less than what it repeats": png(head(), chunk(b"IDAT", declaring(8, zlib.compress(ALIKE))), END),
    "a window of 64 KiB": png(head(), chunk(b"IDAT", declaring(16, PACKED)), END),
    "a chunk whose name is no letters": png(head(), chunk(b"a1_b"), WHOLE, END),
    "a chunk whose name has a small third letter": png(head(), chunk(b"abcd"), WHOLE, END),
    "a profile packed in a way that there is not": png(head(), chunk(b"iCCP", b"a\0\1" + zlib.compress(b"x")), WHOLE,
                                                       END),
    "what is see-through said before the palette": png(
        head(colour=3), chunk(b"tRNS", b"\xff" * 256), chunk(b"PLTE", PALETTE), INDICES, END),
    "an arithmetic JPEG": ARITHMETIC,
    "a JPEG in many scans": PROGRESSIVE[:-2] + LAST_SCAN * MOST_SCANS + b"\xff\xd9",
}


@pytest.mark.parametrize("name", HONEST)
def test_what_all_readers_know_is_sound(name: str, tmp_path: Path) -> None:
    found = judged(HONEST[name], tmp_path)
    assert (found.soundness, found.reason) == (Soundness.SOUND, "")


@pytest.mark.filterwarnings("ignore:Invalid APNG")
@pytest.mark.parametrize("name", DISHONEST)
def test_what_readers_take_in_two_ways_is_undecodable(name: str, tmp_path: Path) -> None:
    found = judged(DISHONEST[name], tmp_path)
    assert found.soundness == Soundness.UNDECODABLE, found
    assert found.reason


@pytest.mark.parametrize("key", [b"interlace", b"bbox", b"transparency", b"icc_profile"])
@pytest.mark.parametrize("name", TEXTS)
def test_a_text_that_our_reader_would_obey_is_refused(name: bytes, key: bytes, tmp_path: Path) -> None:
    """By `interlace` Pillow took rows that all others lay out in seven passes as one after the other."""
    for chunks in ((text(name, key), WHOLE), (WHOLE, text(name, key))):
        found = judged(png(head(), *chunks, END), tmp_path)
        assert (found.soundness, key.decode() in found.reason) == (Soundness.UNDECODABLE, True)


@pytest.mark.parametrize("distance", [255, 256, 257, 258, 259, 300])
@pytest.mark.parametrize("shift", range(4))
@pytest.mark.parametrize("count", [3, 4, 5, 258])
def test_not_a_byte_beyond_the_window_is_repeated(count: int, shift: int, distance: int) -> None:
    """However short a repeat is, and wherever it lies: zlib itself looks at the window only now and then."""
    few = np.random.default_rng(2).integers(0, 128, shift + distance, np.uint8).tobytes()
    row = few + (few[shift:] * 2)[:count] + bytes(9)
    packed = chunk(b"IDAT", declaring(8, zlib.compress(b"\0" + row, 9)))
    file = io.BytesIO(png(head(width=len(row), height=1, colour=0), packed, END))
    with nullcontext() if distance <= 256 else pytest.raises(UndecodablePicture, match="too far back"):
        check_png(file)


@pytest.mark.parametrize("at", range(8, len(HONEST["a palette"]) - 1, 61))
def test_a_png_cut_anywhere_is_undecodable(at: int, tmp_path: Path) -> None:
    assert judged(HONEST["a palette"][:at], tmp_path).soundness == Soundness.UNDECODABLE


@pytest.mark.parametrize(("side", "depth", "colour"), [(1, 8, 2), (5, 8, 0), (7, 1, 0), (9, 16, 6), (33, 4, 3)])
def test_rows_of_an_interlaced_picture_are_counted_in_its_seven_passes(side: int, depth: int, colour: int,
                                                                       tmp_path: Path) -> None:
    channels = {0: 1, 2: 3, 3: 1, 6: 4}[colour]
    rows = b""
    for x, y, dx, dy in PASSES:
        across, down = len(range(x, side, dx)), len(range(y, side, dy))
        rows += bytes(1 + (across * channels * depth + 7) // 8) * down if across else b""
    palette = [chunk(b"PLTE", bytes(48))] if colour == 3 else []
    told = head(width=side, height=side, depth=depth, colour=colour, interlace=1)
    path = tmp_path / "picture"
    for inside, soundness in ((rows, Soundness.SOUND), (rows + b"\0", Soundness.UNDECODABLE)):
        path.write_bytes(png(told, *palette, chunk(b"IDAT", zlib.compress(inside)), END))
        assert pictures.examine(path, lambda width, height: "", allow_blank=True).soundness == soundness
