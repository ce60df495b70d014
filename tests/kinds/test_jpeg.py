"""JPEGs that were cut and closed again are undecodable; whole ones of many encoders are sound."""

import io
import random
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from sheepfold.kinds import pictures
from sheepfold.kinds.inspector import Inspector
from sheepfold.kinds.seam import Facts, Inspection, Soundness

SIZE = WIDTH, HEIGHT = 203, 117  # no whole number of blocks
END = b"\xff\xd9"
SCAN = b"\xff\xda"
COLOURS = Image.fromarray(np.random.default_rng(5).integers(0, 256, (9, 16, 3), np.uint8)).resize(SIZE)


def encoded(image: Image.Image = COLOURS, **more: object) -> bytes:
    target = io.BytesIO()
    image.save(target, "JPEG", **more)
    return target.getvalue()


def by_ffmpeg() -> bytes:
    """Return a frame as FFmpeg encodes it, whose heads are unlike libjpeg's."""
    coder = av.CodecContext.create("mjpeg", "w")
    coder.width, coder.height, coder.pix_fmt, coder.time_base = WIDTH, HEIGHT, "yuvj422p", 1
    frame = av.VideoFrame.from_image(COLOURS).reformat(format="yuvj422p")
    return b"".join(bytes(packet) for packet in [*coder.encode(frame), *coder.encode(None)])


WHOLE = {
    "baseline": encoded(),
    "of every pixel's colour": encoded(subsampling=0, quality=100),
    "coarse": encoded(quality=1),
    "optimised": encoded(optimize=True),
    "progressive": encoded(progressive=True),
    "with restarts": encoded(restart_marker_rows=1),
    "with many restarts": encoded(restart_marker_blocks=3),
    "progressive, with restarts": encoded(progressive=True, restart_marker_rows=2),
    "grey": encoded(COLOURS.convert("L")),
    "for print": encoded(COLOURS.convert("CMYK")),
    "with a comment of 60 KB": encoded(comment=bytes(60_000)),
    "with what stands behind": encoded() + b"PK\5\6" + SCAN * 1000,
    "by FFmpeg": by_ffmpeg(),
}


def judged(data: bytes, folder: Path) -> Inspection:
    path = folder / "picture"
    path.write_bytes(data)
    return pictures.examine(path, pictures.wrong_size(*SIZE))


def closed(data: bytes) -> Iterator[bytes]:
    """Yield what is left where a file is cut here and there within its scans, and closed again."""
    end, chance = data.rindex(END), random.Random(6)
    first = data.index(SCAN) + 14
    for at in (first, end - 3, *chance.choices(range(first, end - 3), k=12)):
        yield data[:at].rstrip(b"\xff") + END


@pytest.mark.parametrize("name", WHOLE)
def test_a_whole_jpeg_is_sound(name: str, tmp_path: Path) -> None:
    found = judged(WHOLE[name], tmp_path)
    assert (found.soundness, found.reason) == (Soundness.SOUND, "")


@pytest.mark.parametrize("name", [name for name in WHOLE if "behind" not in name])
def test_a_jpeg_that_was_cut_and_closed_is_undecodable(name: str, tmp_path: Path) -> None:
    for data in closed(WHOLE[name]):
        found = judged(data, tmp_path)
        assert found.soundness == Soundness.UNDECODABLE, len(data)
        assert str(tmp_path) not in found.reason


def test_a_progressive_jpeg_without_its_last_scans_is_undecodable(tmp_path: Path) -> None:
    data = WHOLE["progressive"]
    for count in range(2, data.count(SCAN) + 1):
        found = judged(SCAN.join(data.split(SCAN)[:count]) + END, tmp_path)
        assert (found.soundness, "scans" in found.reason) == (Soundness.UNDECODABLE, True)


def test_a_jpeg_of_two_frames_is_refused_by_its_heads(tmp_path: Path) -> None:
    """Each would cost the time of up to 255 components, and behind the first scan no reader comes to them."""
    found = judged(WHOLE["baseline"][:-2] + WHOLE["baseline"][2:], tmp_path)
    assert (found.soundness, found.reason) == (Soundness.UNDECODABLE, "The JPEG holds two frames.")


def test_a_restart_that_holds_too_little_is_undecodable(tmp_path: Path) -> None:
    data = WHOLE["with restarts"]
    at = data.index(b"\xff\xd2")
    assert judged(data[:at - 5] + data[at:], tmp_path).soundness == Soundness.UNDECODABLE


def test_an_inspection_child_knows_a_cut_jpeg(tmp_path: Path) -> None:
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    whole.write_bytes(WHOLE["baseline"])
    cut.write_bytes(WHOLE["baseline"][:-999] + END)
    facts = Facts({"width": WIDTH, "height": HEIGHT}, 1)
    with Inspector(1) as inspector:
        assert inspector.inspect("blender", whole, facts).soundness is Soundness.SOUND
        assert inspector.inspect("blender", cut, facts).soundness is Soundness.UNDECODABLE
