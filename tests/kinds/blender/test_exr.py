"""OpenEXR frames: judged by their headers, read in bands, seen through a tone map."""

import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import OpenImageIO
import pytest

from sheepfold.kinds import pictures
from sheepfold.kinds.blender import assemble, compare, exr, inspect, preview, spec
from sheepfold.kinds.inspector import Inspector
from sheepfold.kinds.seam import Facts, Picture, Soundness
from sheepfold.model.errors import UndecodablePicture

WIDTH, HEIGHT = 40, 150  # more rows than a band
REC_709 = 0.64, 0.33, 0.3, 0.6, 0.15, 0.06, 0.3127, 0.329
FACTS = Facts(spec.parse({"width": WIDTH, "height": HEIGHT, "format": "EXR"}), 1)
Written = Callable[..., Path]


def light(spread: float = 1.0) -> "np.ndarray":
    return (np.random.default_rng(7).random((HEIGHT, WIDTH, 4)) * spread).astype(np.float32)


@pytest.fixture
def written(tmp_path: Path) -> Written:
    """Return a function that writes an OpenEXR file."""

    def write(values: "np.ndarray", name: str = "a.exr", **attributes: object) -> Path:
        height, width, channels = values.shape
        header = OpenImageIO.ImageSpec(width, height, channels, OpenImageIO.HALF)
        header.full_width, header.full_height = attributes.get("shown", (width, height))
        header.attribute("compression", attributes.get("codec", "zip"))
        if "points" in attributes:
            header.attribute("chromaticities", OpenImageIO.TypeDesc("float[8]"), attributes["points"])
        if "tile" in attributes:
            header.tile_width = header.tile_height = 16
        out = OpenImageIO.ImageOutput.create(str(tmp_path / name))
        assert out.open(str(tmp_path / name), header), out.geterror()
        assert out.write_image(values)
        out.close()
        return tmp_path / name

    return write


def test_a_frame_is_sound_where_it_was_ordered_as_openexr(written: Written) -> None:
    found = inspect.inspect(written(light()), FACTS)
    assert (found.soundness, found.media_type, found.width, found.height) == (
        Soundness.SOUND, "image/x-exr", WIDTH, HEIGHT)  # fmt: skip
    ordered_else = Facts(spec.parse({"width": WIDTH, "height": HEIGHT}), 1)
    assert inspect.inspect(written(light()), ordered_else).soundness is Soundness.UNDECODABLE


def test_another_size_is_told_before_a_pixel_is_read(written: Written) -> None:
    path = written(light())
    path.write_bytes(path.read_bytes()[:-4000])
    assert inspect.inspect(path, Facts(spec.parse({"format": "EXR"}), 1)).soundness is Soundness.WRONG_SIZE


@pytest.mark.parametrize("shown", [(1, 1), (10 * WIDTH, 10 * HEIGHT)])
def test_a_frame_that_others_would_show_in_another_size_is_refused(written: Written, shown: tuple[int, int]) -> None:
    assert inspect.inspect(written(light(), shown=shown), FACTS).soundness is Soundness.UNDECODABLE


def test_a_header_whose_names_are_no_text_is_told_in_a_sentence(written: Written) -> None:
    path = written(light())
    path.write_bytes(path.read_bytes().replace(b"\0chlist\0", b"\0chl\xffst\0", 1))
    found = inspect.inspect(path, FACTS)
    assert found.soundness is Soundness.UNDECODABLE
    assert found.reason.startswith("The picture's header")


def changed(path: Path, name: bytes, value: int) -> Path:
    """Change the one byte that an attribute of the header has."""
    head, _, tail = path.read_bytes().partition(name + b"\0" + name + b"\0\1\0\0\0")
    path.write_bytes(head + name + b"\0" + name + b"\0\1\0\0\0" + bytes([value]) + tail[1:])
    return path


@pytest.mark.parametrize(("name", "value"), [
    (b"compression", 12), (b"compression", 127), (b"compression", 255), (b"lineOrder", 2), (b"lineOrder", 255)])
def test_a_choice_that_the_format_does_not_know_is_told(written: Written, name: bytes, value: int) -> None:
    found = inspect.inspect(changed(written(light()), name, value), FACTS)
    assert found.soundness is Soundness.UNDECODABLE
    assert (name.decode() in found.reason, str(value) in found.reason) == (True, True)


def test_a_header_that_says_a_thing_twice_or_leaves_it_out_is_refused(written: Written) -> None:
    path = written(light())
    order = b"lineOrder\0lineOrder\0\1\0\0\0\0"
    for instead in (order * 2, b""):
        path.write_bytes(written(light()).read_bytes().replace(order, instead))
        assert inspect.inspect(path, FACTS).soundness is Soundness.UNDECODABLE


@pytest.mark.parametrize("points", [REC_709, (*REC_709[:7], 0.335)])
def test_a_frame_may_say_what_its_colours_are(written: Written, points: tuple[float, ...]) -> None:
    path = written(light(), points=points)
    assert b"chromaticities" in path.read_bytes()
    assert inspect.inspect(path, FACTS).soundness is Soundness.SOUND


@pytest.mark.parametrize("points", [(*REC_709[2:4], *REC_709[:2], *REC_709[4:]), (*REC_709[:7], float("nan"))])
def test_a_frame_whose_colours_others_would_tint_is_refused(written: Written, points: tuple[float, ...]) -> None:
    found = inspect.inspect(written(light(), points=points), FACTS)
    assert (found.soundness, "colours" in found.reason) == (Soundness.UNDECODABLE, True)


@pytest.mark.parametrize(("aspect", "soundness"), [
    (1.0, Soundness.SOUND), (2.0, Soundness.SOUND), (0.5, Soundness.SOUND),  # Blender writes its scene's
    (0.0, Soundness.UNDECODABLE), (-1.0, Soundness.UNDECODABLE), (1e7, Soundness.UNDECODABLE),
    (float("inf"), Soundness.UNDECODABLE), (float("nan"), Soundness.UNDECODABLE)])
def test_pixels_have_a_shape_that_there_is(written: Written, aspect: float, soundness: Soundness) -> None:
    path = written(light())
    line = b"pixelAspectRatio\0float\0" + struct.pack("<i", 4)
    head, _, tail = path.read_bytes().partition(line)
    path.write_bytes(head + line + struct.pack("<f", aspect) + tail[4:])
    assert inspect.inspect(path, FACTS).soundness is soundness


@pytest.mark.parametrize("codec", ["none", "rle", "zips", "zip", "piz", "pxr24", "b44", "b44a", "dwaa", "dwab"])
def test_every_codec_of_blender_is_sound(written: Written, codec: str) -> None:
    assert inspect.inspect(written(light(), codec=codec), FACTS).soundness is Soundness.SOUND


@pytest.mark.parametrize("cut", [4, 100, 300, -4000, -1])
def test_a_cut_frame_is_undecodable(written: Written, cut: int) -> None:
    path = written(light())
    path.write_bytes(path.read_bytes()[:cut])
    found = inspect.inspect(path, FACTS)
    assert found.soundness is Soundness.UNDECODABLE
    assert str(path) not in found.reason


def test_a_png_is_no_openexr(tmp_path: Path) -> None:
    (tmp_path / "a.exr").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(100))
    assert inspect.inspect(tmp_path / "a.exr", FACTS).soundness is Soundness.UNDECODABLE


def test_tiles_are_refused_by_the_header(written: Written) -> None:
    found = inspect.inspect(written(light(), tile=True), FACTS)
    assert (found.soundness, "tiled" in found.reason) == (Soundness.UNDECODABLE, True)


@pytest.mark.parametrize(("side", "soundness"), [(50_000, Soundness.UNDECODABLE), (2**31 - 1, Soundness.UNDECODABLE)])
def test_a_bomb_is_refused_by_the_header(written: Written, side: int, soundness: Soundness) -> None:
    path = written(light())
    body = path.read_bytes()
    small = struct.pack("<4i", 0, 0, WIDTH - 1, HEIGHT - 1)
    assert body.count(small) == 2  # its data window and its display window
    path.write_bytes(body.replace(small, struct.pack("<4i", 0, 0, side - 1, side - 1)))
    with Inspector(1, memory_mib=2048) as inspector:
        assert inspector.inspect("blender", path, FACTS).soundness is soundness


def test_an_inspection_child_judges_and_compares(written: Written) -> None:
    path, other = written(light()), written(light() * 1.001, "b.exr")
    with Inspector(1) as inspector:
        assert inspector.inspect("blender", path, FACTS).soundness is Soundness.SOUND
        assert inspector.same("blender", path, other, FACTS)


def test_one_colour_is_blank_however_bright(written: Written) -> None:
    path = written(np.full((HEIGHT, WIDTH, 4), 7.5, np.float32))
    assert inspect.inspect(path, FACTS).soundness is Soundness.BLANK
    nothing = written(np.full((HEIGHT, WIDTH, 4), np.nan, np.float32))
    assert inspect.inspect(nothing, FACTS).soundness is Soundness.BLANK


def test_rounding_leaves_a_frame_the_same_and_other_contents_do_not(written: Written) -> None:
    one, alike, other = written(light()), written(light() * 1.002, "b.exr"), written(1 - light(), "c.exr")
    assert compare.same(one, alike, FACTS)
    assert not compare.same(one, other, FACTS)
    assert not compare.same(one, written(light()[:-1], "d.exr"), FACTS)


def test_the_tone_map_keeps_what_a_screen_can_show_and_rolls_off_the_rest() -> None:
    values = np.array([[[0.0, 0.0031308, 0.18], [1.0, 16.0, np.inf], [np.nan, -1.0, 0.5]]], np.float32)
    shown = exr.tone_mapped(values)[0]
    assert shown[0].tolist() == [0, 10, 118]  # black, and middle grey as sRGB has them
    assert 204 < shown[1][0] < shown[1][1] <= shown[1][2] == 255
    assert shown[2].tolist() == [0, 0, 188]


def test_a_film_and_a_preview_are_made_of_openexr(written: Written, tmp_path: Path) -> None:
    path = written(light())
    frames = [Picture(number, 0, path) for number in (1, 2)]
    (tmp_path / "products").mkdir()
    products = assemble.assemble(frames, FACTS.spec, tmp_path / "products")
    assert [product.name for product in products] == ["film.mp4", "film.avi", "sheet.jpg"]
    assert set((tmp_path / "products").iterdir()) == {product.path for product in products}
    (still,) = assemble.assemble(frames[:1], FACTS.spec, tmp_path)
    assert (pictures.pixels(still.path) == exr.pixels(path)).all()
    preview.preview(path, tmp_path / "small.jpg", 20)
    assert pictures.open_picture(tmp_path / "small.jpg").size == (20, 75)


def test_what_cannot_be_read_is_never_seen(tmp_path: Path) -> None:
    (tmp_path / "a.exr").write_bytes(b"\x76\x2f\x31\x01" + bytes(200))
    with pytest.raises(UndecodablePicture):
        exr.pixels(tmp_path / "a.exr")
