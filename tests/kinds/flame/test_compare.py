from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from sheepfold.kinds import pictures
from sheepfold.kinds.flame import compare
from sheepfold.kinds.seam import Facts

GENOMES = ["r1", "r2", "r3", "s11", "s14", "final"]
ORDER: dict[str, Any] = {"width": 200, "height": 148, "frames": 20}


@pytest.fixture(scope="session")
def takes(rendered: Callable[..., Any]) -> Callable[[str, int], dict[str, Any]]:
    """Return a function that renders frame 3 twice, with two seeds, and frames 4 and 9 once."""
    made: dict[tuple[str, int], dict[str, Any]] = {}

    def take(name: str, quality: int) -> dict[str, Any]:
        if (name, quality) not in made:
            first = rendered(name, frames_wanted=(3, 4, 9), **ORDER, quality=quality, seed=1)
            again = rendered(name, frames_wanted=(3,), **ORDER, quality=quality, seed=2)
            frame, following, far = (picture.path for picture in first.pictures)
            made[name, quality] = {
                "frame": frame, "again": again.pictures[0].path, "next": following, "far": far, "spec": first.spec,
            }  # fmt: skip
        return made[name, quality]

    return take


@pytest.mark.parametrize("quality", [5, 20])
@pytest.mark.parametrize("name", GENOMES)
def test_a_frame_with_other_noise_is_the_same_frame(takes: Any, name: str, quality: int) -> None:
    take = takes(name, quality)
    assert pictures.psnr(pictures.pixels(take["frame"]), pictures.pixels(take["again"])) < 60  # noise there is
    assert compare.same(take["frame"], take["again"], Facts(take["spec"], 3))


# r3 is dark and nearly still: at the lowest quality its neighbour drowns in the noise.
OTHERS = [(name, other, quality) for name in GENOMES for other in ("next", "far") for quality in (5, 20)]
OTHERS.remove(("r3", "next", 5))


@pytest.mark.parametrize(("name", "other", "quality"), OTHERS)
def test_another_frame_of_twenty_is_not_the_same(takes: Any, name: str, other: str, quality: int) -> None:
    take = takes(name, quality)
    assert not compare.same(take["frame"], take[other], Facts(take["spec"], 3))


@pytest.mark.parametrize("name", GENOMES)
def test_another_sheep_is_not_the_same(takes: Any, name: str) -> None:
    other = GENOMES[GENOMES.index(name) - 1]
    assert not compare.same(takes(name, 5)["frame"], takes(other, 5)["frame"], Facts(takes(name, 5)["spec"], 3))


@pytest.mark.parametrize("name", GENOMES)
def test_a_damaged_frame_is_not_the_same(takes: Any, tmp_path: Path, name: str) -> None:
    take = takes(name, 20)
    whole = pictures.pixels(take["frame"])
    half, black, noisy = whole.copy(), np.zeros_like(whole), whole.astype(int)
    half[74:] = 0
    noisy += np.random.default_rng(0).integers(-60, 61, whole.shape)
    for index, array in enumerate((half, black, whole[:, ::-1], noisy.clip(0, 255).astype(np.uint8))):
        Image.fromarray(array).save(tmp_path / f"{index}.png")
        assert not compare.same(take["frame"], tmp_path / f"{index}.png", Facts(take["spec"], 3))


def test_the_same_pixels_are_the_same_in_any_file(takes: Any, tmp_path: Path) -> None:
    take = takes("r3", 5)
    Image.open(take["frame"]).save(tmp_path / "b.png", compress_level=1)
    assert compare.same(take["frame"], tmp_path / "b.png", Facts(take["spec"], 3))


def test_a_jpeg_is_the_same_frame_as_its_png(takes: Any, tmp_path: Path) -> None:
    take = takes("s11", 20)
    pictures.save(pictures.open_picture(take["again"]), tmp_path / "b.jpg")
    assert compare.same(take["frame"], tmp_path / "b.jpg", Facts(take["spec"], 3))


def test_two_sizes_and_what_is_no_picture_are_never_the_same(takes: Any, tmp_path: Path) -> None:
    take = takes("r2", 5)
    Image.open(take["frame"]).resize((100, 74)).save(tmp_path / "small.png")
    (tmp_path / "junk.png").write_bytes(b"junk")
    for name in ("small.png", "junk.png"):
        assert not compare.same(take["frame"], tmp_path / name, Facts(take["spec"], 3))


def test_two_blank_frames_are_the_same_only_if_they_are_one_colour(tmp_path: Path) -> None:
    for value in (0, 1):
        Image.new("RGB", (40, 30), (value, value, value)).save(tmp_path / f"{value}.png")
    facts = Facts({"quality": 5}, 0)
    assert compare.same(tmp_path / "0.png", tmp_path / "0.png", facts)
    assert not compare.same(tmp_path / "0.png", tmp_path / "1.png", facts)


def test_a_picture_smaller_than_a_cell_can_be_compared(tmp_path: Path, noise: Callable[..., Image.Image]) -> None:
    noise(7, 5, 0).save(tmp_path / "a.png")
    noise(7, 5, 1).save(tmp_path / "b.png")
    assert not compare.same(tmp_path / "a.png", tmp_path / "b.png", Facts({"quality": 5}, 0))
