import io
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms, PngImagePlugin

from sheepfold.kinds import pictures
from sheepfold.kinds.seam import Soundness
from sheepfold.model.errors import UndecodablePicture

Noise = Callable[..., Image.Image]


def any_size(width: int, height: int) -> str:
    return ""


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def bomb(width: int, height: int) -> bytes:
    """Return a tiny PNG whose header promises a monstrous picture."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    rows = zlib.compress(bytes(10_000_000), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_a_whole_picture_is_sound(tmp_path: Path, noise: Noise, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    noise(40, 30).save(path)
    found = pictures.examine(path, pictures.wrong_size(40, 30))
    assert (found.soundness, found.width, found.height) == (Soundness.SOUND, 40, 30)
    assert found.media_type == {"png": "image/png", "jpg": "image/jpeg"}[suffix]


def test_the_contents_count_and_not_the_name(tmp_path: Path, noise: Noise) -> None:
    path = tmp_path / "a.png"
    noise(40, 30).save(path, "JPEG")
    assert pictures.examine(path, any_size).media_type == "image/jpeg"


def test_another_size_is_told_with_what_was_expected(tmp_path: Path, noise: Noise) -> None:
    path = tmp_path / "a.png"
    noise(40, 30).save(path)
    found = pictures.examine(path, pictures.wrong_size(30, 40))
    assert found.soundness is Soundness.WRONG_SIZE
    assert found.reason == "expected 30x40, found 40x30"


@pytest.mark.parametrize("suffix", ["png", "jpg"])
@pytest.mark.parametrize("share", [0.0, 0.02, 0.5, 0.9, 0.99])
def test_a_picture_cut_short_anywhere_is_undecodable(tmp_path: Path, noise: Noise, suffix: str, share: float) -> None:
    path = tmp_path / f"a.{suffix}"
    noise(64, 64).save(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    assert pictures.examine(path, any_size).soundness is Soundness.UNDECODABLE


def test_a_png_without_its_end_is_undecodable(tmp_path: Path, noise: Noise) -> None:
    path = tmp_path / "a.png"
    noise(64, 64).save(path)
    path.write_bytes(path.read_bytes()[:-12])
    assert pictures.examine(path, any_size).soundness is Soundness.UNDECODABLE


def test_a_png_with_one_flipped_bit_is_undecodable(tmp_path: Path, noise: Noise) -> None:
    path = tmp_path / "a.png"
    noise(64, 64).save(path)
    bytes_ = bytearray(path.read_bytes())
    bytes_[len(bytes_) // 2] ^= 1
    path.write_bytes(bytes_)
    assert pictures.examine(path, any_size).soundness is Soundness.UNDECODABLE


def test_a_png_without_its_palette_is_told_so(tmp_path: Path, noise: Noise) -> None:
    path = tmp_path / "a.png"
    noise(64, 64).quantize(256).save(path)
    assert pictures.examine(path, any_size).soundness is Soundness.SOUND
    whole = path.read_bytes()
    begin, end = whole.index(b"PLTE") - 4, whole.index(b"IDAT") - 4
    path.write_bytes(whole[:begin] + whole[end:])
    found = pictures.examine(path, any_size)
    assert (found.soundness, found.reason) == (Soundness.UNDECODABLE, "The PNG lacks the palette of its colours.")


@pytest.mark.parametrize(("width", "height"), [(50_000, 50_000), (9_000, 9_000), (2**31 - 1, 2**31 - 1)])
def test_a_bomb_is_undecodable_and_told_by_its_header(tmp_path: Path, width: int, height: int) -> None:
    path = tmp_path / "bomb.png"
    path.write_bytes(bomb(width, height))
    assert pictures.examine(path, any_size).soundness is Soundness.UNDECODABLE
    with pytest.raises(UndecodablePicture):
        pictures.open_picture(path)


def test_a_bomb_in_a_text_chunk_is_undecodable(tmp_path: Path, noise: Noise) -> None:
    path = tmp_path / "a.png"
    noise(16, 16).save(path)
    whole = path.read_bytes()
    text = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(100_000_000), 9))
    path.write_bytes(whole[:33] + text + whole[33:])
    assert pictures.examine(path, any_size).soundness is Soundness.UNDECODABLE


def test_an_animated_png_is_undecodable(tmp_path: Path, noise: Noise) -> None:
    path = tmp_path / "a.png"
    noise(16, 16).save(path, save_all=True, append_images=[noise(16, 16, 1)])
    found = pictures.examine(path, any_size)
    assert found.soundness is Soundness.UNDECODABLE
    assert "several pictures" in found.reason


def test_a_jpeg_of_several_pictures_is_undecodable(tmp_path: Path, noise: Noise) -> None:
    path = tmp_path / "a.jpg"
    noise(16, 16).save(path, "MPO", save_all=True, append_images=[noise(16, 16, 1)])
    assert pictures.examine(path, any_size).soundness is Soundness.UNDECODABLE


@pytest.mark.parametrize("form", ["GIF", "BMP", "TIFF", "WEBP", "PPM", "ICO"])
def test_other_formats_are_undecodable(tmp_path: Path, noise: Noise, form: str) -> None:
    path = tmp_path / "a.png"
    noise(16, 16).save(path, form)
    assert pictures.examine(path, any_size).soundness is Soundness.UNDECODABLE


@pytest.mark.parametrize("bytes_", [b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"<html></html>", bytes(1000)])
def test_what_is_no_picture_is_undecodable(tmp_path: Path, bytes_: bytes) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(bytes_)
    assert pictures.examine(path, any_size).soundness is Soundness.UNDECODABLE


def test_an_openexr_picture_is_named_as_such(tmp_path: Path) -> None:
    path = tmp_path / "a.exr"
    path.write_bytes(b"\x76\x2f\x31\x01" + bytes(100))
    with pytest.raises(UndecodablePicture, match="OpenEXR"):
        pictures.open_picture(path)


def test_a_jpeg_that_is_an_archive_too_counts_as_its_jpeg_and_previews_without_it(tmp_path: Path, noise: Noise) -> None:
    path, small = tmp_path / "a.jpg", tmp_path / "small.jpg"
    noise(40, 30).save(path)
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("evil.txt", "evil words")
    path.write_bytes(path.read_bytes() + archive.getvalue())
    assert zipfile.is_zipfile(path)
    assert pictures.examine(path, any_size).soundness is Soundness.SOUND
    pictures.write_preview(path, small, 20)
    assert not zipfile.is_zipfile(small)
    assert b"evil" not in small.read_bytes()


def test_a_missing_file_is_no_verdict(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        pictures.examine(tmp_path / "none.png", any_size)


@pytest.mark.parametrize("color", [(0, 0, 0), (255, 255, 255), (12, 200, 7)])
@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_a_single_colour_is_blank(tmp_path: Path, color: tuple[int, int, int], suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    Image.new("RGB", (40, 30), color).save(path)
    assert pictures.examine(path, any_size).soundness is Soundness.BLANK
    assert pictures.examine(path, any_size, allow_blank=True).soundness is Soundness.SOUND


def test_a_wholly_transparent_picture_is_blank_whatever_lies_beneath(tmp_path: Path, noise: Noise) -> None:
    path = tmp_path / "a.png"
    image = noise(40, 30)
    image.putalpha(0)
    image.save(path)
    assert pictures.examine(path, any_size).soundness is Soundness.BLANK


def test_one_bright_dot_is_not_blank(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    image = Image.new("RGB", (40, 30))
    image.putpixel((20, 10), (0, 200, 0))
    image.save(path)
    assert pictures.examine(path, any_size).soundness is Soundness.SOUND


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16", "CMYK"])
def test_every_mode_becomes_rgb(tmp_path: Path, noise: Noise, mode: str) -> None:
    path = tmp_path / ("a.jpg" if mode == "CMYK" else "a.png")
    if mode == "I;16":
        Image.fromarray(np.arange(1200, dtype=np.uint16).reshape(30, 40) * 50).save(path)
    else:
        noise(40, 30).convert(mode).save(path)
    opened = pictures.open_picture(path)
    assert (opened.mode, opened.size) == ("RGB", (40, 30))
    assert not pictures.is_blank(opened)


def test_a_preview_is_small_and_keeps_no_metadata(tmp_path: Path, noise: Noise) -> None:
    path = tmp_path / "a.png"
    text = PngImagePlugin.PngInfo()
    text.add_text("genome", "secret words")
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
    noise(40, 30).save(path, pnginfo=text, icc_profile=srgb.tobytes(), dpi=(72, 72))
    for name, size in {"p.png": 20, "p.jpg": 20}.items():
        pictures.write_preview(path, tmp_path / name, size)
        made = Image.open(tmp_path / name)
        assert made.size == (20, 15)
        kept = (tmp_path / name).read_bytes()
        assert not any(words in kept for words in (b"secret", b"iCCP", b"ICC_PROFILE"))


def test_a_preview_is_never_larger_than_its_picture(tmp_path: Path, noise: Noise) -> None:
    path = tmp_path / "a.png"
    noise(40, 30).save(path)
    pictures.write_preview(path, tmp_path / "p.jpg", 4000)
    assert Image.open(tmp_path / "p.jpg").size == (40, 30)


def test_psnr_is_infinite_for_equals_and_zero_for_black_against_white() -> None:
    black, white = np.zeros((700, 5, 3), np.uint8), np.full((700, 5, 3), 255, np.uint8)
    assert pictures.psnr(black, black) == pictures.IDENTICAL
    assert pictures.psnr(black, white) == pytest.approx(0)
    assert pictures.psnr(black, black + 1) == pytest.approx(48.13, abs=0.01)
