import hashlib
import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sheepfold.kinds import film, pictures

Noise = Callable[..., Image.Image]


def probe(path: Path) -> dict[str, str]:
    """Return what ffprobe says of a film's only stream, its frames counted by decoding."""
    fields = "codec_name,codec_tag_string,width,height,pix_fmt,has_b_frames,avg_frame_rate,nb_frames,nb_read_frames"
    argv = ["ffprobe", "-v", "error", "-count_frames", "-show_entries", f"stream={fields}", "-of", "json", str(path)]
    streams = json.loads(subprocess.run(argv, capture_output=True, check=True, timeout=60).stdout)["streams"]
    assert len(streams) == 1
    return dict(streams[0])


def decoded(path: Path) -> np.ndarray:
    """Return all pictures of a film as ffmpeg shows them: frames x height x width x 3."""
    size = probe(path)
    argv = ["ffmpeg", "-v", "error", "-i", str(path), "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    done = subprocess.run(argv, capture_output=True, check=True, timeout=60)
    assert done.stderr == b""
    return np.frombuffer(done.stdout, np.uint8).reshape(-1, int(size["height"]), int(size["width"]), 3)


@pytest.fixture
def ramp(tmp_path: Path) -> list[Path]:
    """Return seven smooth pictures of one size, each of another colour."""
    paths = []
    for index in range(7):
        image = Image.linear_gradient("L").resize((64, 48))
        paths.append(tmp_path / f"{index}.png")
        Image.merge("RGB", [image.point(lambda v, k=k: v * k // 7) for k in (index + 1, 7 - index, 3)]).save(paths[-1])
    return paths


def test_a_film_has_each_picture_once_in_its_place(tmp_path: Path, ramp: list[Path]) -> None:
    target = tmp_path / "film.mp4"
    film.make_film(ramp, target, 20)
    found = probe(target)
    assert (found["codec_name"], found["pix_fmt"], int(found["has_b_frames"])) == ("h264", "yuv420p", 0)
    assert (found["avg_frame_rate"], found["nb_read_frames"]) == ("20/1", "7")
    for shown, path in zip(decoded(target), ramp, strict=True):
        assert pictures.psnr(shown, pictures.pixels(path)) > 35


def test_a_films_index_comes_first_so_that_it_plays_while_it_loads(tmp_path: Path, ramp: list[Path]) -> None:
    target = tmp_path / "film.mp4"
    film.make_film(ramp, target, 20)
    text = target.read_bytes()
    assert text.index(b"moov") < text.index(b"mdat")


def test_the_same_pictures_give_the_same_film(tmp_path: Path, ramp: list[Path]) -> None:
    digests = set()
    for name in ("a", "b"):
        film.make_film(ramp, tmp_path / f"{name}.mp4", 20)
        film.remux_to_avi(tmp_path / f"{name}.mp4", tmp_path / f"{name}.avi")
        digests.add(
            tuple(hashlib.sha256((tmp_path / f"{name}.{end}").read_bytes()).hexdigest() for end in ("mp4", "avi"))
        )
    assert len(digests) == 1


@pytest.mark.parametrize("fps", [1, 20, 24, 30])
def test_the_avi_shows_the_very_same_pictures(tmp_path: Path, ramp: list[Path], fps: int) -> None:
    mp4, avi = tmp_path / "film.mp4", tmp_path / "film.avi"
    film.make_film(ramp, mp4, fps)
    film.remux_to_avi(mp4, avi)
    found = probe(avi)
    assert (found["codec_tag_string"], found["avg_frame_rate"]) == ("H264", f"{fps}/1")
    assert (found["nb_frames"], found["nb_read_frames"]) == ("7", "7")
    assert np.array_equal(decoded(mp4), decoded(avi))
    assert avi.read_bytes()[:4] == b"RIFF"


def test_an_odd_size_becomes_even_and_keeps_all_its_pixels(tmp_path: Path, noise: Noise) -> None:
    path, target = tmp_path / "a.png", tmp_path / "film.mp4"
    noise(5, 3).resize((97, 71), Image.Resampling.BICUBIC).save(path)
    film.make_film([path, path], target, 20)
    assert (probe(target)["width"], probe(target)["height"]) == (98, 72)
    assert pictures.psnr(decoded(target)[0][:71, :97], pictures.pixels(path)) > 30


@pytest.mark.parametrize("color", [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255), (0, 0, 0), (200, 120, 40)])
def test_colours_stay_what_they_are(tmp_path: Path, color: tuple[int, int, int]) -> None:
    path, target = tmp_path / "a.png", tmp_path / "film.mp4"
    Image.new("RGB", (64, 48), color).save(path)
    film.make_film([path], target, 20)
    assert np.abs(decoded(target)[0].astype(int) - color).max() <= 4


def test_pictures_of_two_sizes_make_no_film(tmp_path: Path, noise: Noise) -> None:
    noise(40, 30).save(tmp_path / "a.png")
    noise(30, 40).save(tmp_path / "b.png")
    with pytest.raises(ValueError, match=r"b\.png differs in size"):
        film.make_film([tmp_path / "a.png", tmp_path / "b.png"], tmp_path / "film.mp4", 20)


def test_no_pictures_make_no_film_and_no_sheet(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least one"):
        film.make_film([], tmp_path / "film.mp4", 20)
    with pytest.raises(ValueError, match="at least one"):
        film.make_sheet([], tmp_path / "sheet.jpg", 5, 100)


def test_a_sheet_shows_every_picture_at_its_place(tmp_path: Path, ramp: list[Path]) -> None:
    target = tmp_path / "sheet.jpg"
    film.make_sheet(ramp, target, columns=3, cell_width=64)
    sheet = pictures.pixels(target)
    assert sheet.shape == (4 + 3 * (48 + 4), 4 + 3 * (64 + 4), 3)
    for index, path in enumerate(ramp):
        top, left = 4 + index // 3 * 52, 4 + index % 3 * 68
        assert pictures.psnr(sheet[top : top + 48, left : left + 64], pictures.pixels(path)) > 28


def test_a_sheet_shows_the_upper_part_of_a_tall_picture(tmp_path: Path, noise: Noise) -> None:
    noise(40, 160).save(tmp_path / "a.png")
    film.make_sheet([tmp_path / "a.png"], tmp_path / "sheet.jpg", columns=3, cell_width=40)
    assert pictures.pixels(tmp_path / "sheet.jpg").shape == (88, 48, 3)


def test_a_long_sequence_is_spread_evenly_over_its_sheet() -> None:
    paths = [Path(str(index)) for index in range(100)]
    assert film.spread(paths, 4) == [Path("0"), Path("25"), Path("50"), Path("75")]
    assert film.spread(paths[:3], 4) == paths[:3]
