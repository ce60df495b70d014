from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from sheepfold.kinds import pictures
from sheepfold.kinds.screenshot import assemble, compare, inspect, preview, spec
from sheepfold.kinds.seam import Facts, Picture, Soundness

Noise = Callable[..., Image.Image]
ORDER = spec.parse({"url": "http://example.org/", "browsers": ["Firefox", "Chromium"], "widths": [640, 1024]})


@pytest.mark.parametrize(
    ("width", "height", "soundness"),
    [
        (1024, 512, Soundness.SOUND),
        (1024, 4096, Soundness.SOUND),
        (1024, 511, Soundness.WRONG_SIZE),
        (1024, 4097, Soundness.WRONG_SIZE),
        (1023, 768, Soundness.WRONG_SIZE),
        (640, 768, Soundness.WRONG_SIZE),
    ],
)
def test_the_width_is_the_views_and_the_height_within_reason(
    tmp_path: Path, width: int, height: int, soundness: Soundness
) -> None:
    Image.linear_gradient("L").resize((width, height)).save(tmp_path / "a.png")
    found = inspect.inspect(tmp_path / "a.png", Facts(ORDER, 1))
    assert found.soundness is soundness
    assert (found.reason[:3] in {"412", "413", "414"}) is (soundness is Soundness.WRONG_SIZE)


def test_two_pictures_of_a_page_are_compared_as_far_as_both_go(tmp_path: Path, noise: Noise) -> None:
    page = noise(80, 60).resize((640, 480), Image.Resampling.NEAREST)
    page.save(tmp_path / "a.png")
    page.crop((0, 0, 640, 400)).save(tmp_path / "short.png")
    noise(80, 60, 1).resize((640, 480), Image.Resampling.NEAREST).save(tmp_path / "other.png")
    page.crop((0, 0, 600, 480)).save(tmp_path / "narrow.png")
    facts = Facts(ORDER, 0)
    assert compare.same(tmp_path / "a.png", tmp_path / "short.png", facts)
    assert not compare.same(tmp_path / "a.png", tmp_path / "other.png", facts)
    assert not compare.same(tmp_path / "a.png", tmp_path / "narrow.png", facts)


def test_an_order_becomes_one_sheet(tmp_path: Path, noise: Noise) -> None:
    shots = []
    for frame, (width, height) in enumerate([(640, 480), (1024, 3000), (640, 320), (1024, 768)]):
        path = tmp_path / f"{frame}.png"
        noise(width, height).save(path)
        shots.append(Picture(frame, 0, path))
    (product,) = assemble.assemble(shots, ORDER, tmp_path)
    assert (product.name, product.media_type) == ("sheet.jpg", "image/jpeg")
    assert pictures.open_picture(product.path).size == (4 + 4 * 324, 4 + 640 + 4)


def test_a_screenshot_is_made_small(tmp_path: Path, noise: Noise) -> None:
    noise(640, 1600).save(tmp_path / "a.png")
    preview.preview(tmp_path / "a.png", tmp_path / "p.png", 160)
    assert pictures.open_picture(tmp_path / "p.png").size == (160, 400)
