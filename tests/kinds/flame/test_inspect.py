from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image

from sheepfold.kinds.flame.inspect import inspect
from sheepfold.kinds.seam import Facts, Soundness


def test_every_frame_of_a_real_loop_is_sound(loop: Any) -> None:
    for picture in loop.pictures:
        assert inspect(picture.path, Facts(loop.spec, picture.frame)).soundness is Soundness.SOUND


def test_a_jpeg_counts_where_a_png_was_ordered(tmp_path: Path, noise: Callable[..., Image.Image]) -> None:
    noise(40, 30).save(tmp_path / "a.jpg")
    spec = {"width": 40, "height": 30, "format": "png"}
    assert inspect(tmp_path / "a.jpg", Facts(spec, 0)).soundness is Soundness.SOUND


def test_a_black_frame_is_blank_unless_the_order_allows_it(tmp_path: Path) -> None:
    Image.new("RGB", (40, 30)).save(tmp_path / "a.png")
    spec = {"width": 40, "height": 30}
    assert inspect(tmp_path / "a.png", Facts(spec, 0)).soundness is Soundness.BLANK
    assert inspect(tmp_path / "a.png", Facts(spec | {"allow_blank": True}, 0)).soundness is Soundness.SOUND


def test_a_frame_of_another_size_is_refused(loop: Any) -> None:
    found = inspect(loop.pictures[0].path, Facts({"width": 96, "height": 72}, 0))
    assert (found.soundness, found.reason) == (Soundness.WRONG_SIZE, "expected 96x72, found 97x72")
