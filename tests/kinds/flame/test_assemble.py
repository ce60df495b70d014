import json
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from sheepfold.kinds import pictures
from sheepfold.kinds.flame import assemble, spec
from sheepfold.kinds.seam import Picture

Noise = Callable[..., Image.Image]


def frames_in(path: Path) -> int:
    wanted = ["-count_frames", "-show_entries", "stream=nb_read_frames", "-of", "json"]
    argv = ["ffprobe", "-v", "error", *wanted, str(path)]
    done = subprocess.run(argv, capture_output=True, check=True, timeout=60)
    return int(json.loads(done.stdout)["streams"][0]["nb_read_frames"])


def test_a_loop_becomes_two_films_and_a_sheet(loop: Any, tmp_path: Path) -> None:
    shuffled = [*loop.pictures[4:], *loop.pictures[:4]]
    products = assemble.assemble(shuffled, loop.spec, tmp_path)
    assert [(product.name, product.media_type) for product in products] == [
        ("film.mp4", "video/mp4"),
        ("film.avi", "video/x-msvideo"),
        ("sheet.jpg", "image/jpeg"),
    ]
    assert all(product.path.parent == tmp_path for product in products)
    assert frames_in(tmp_path / "film.mp4") == frames_in(tmp_path / "film.avi") == 8


def test_frames_stand_in_the_film_by_their_numbers(loop: Any, tmp_path: Path) -> None:
    assemble.assemble(loop.pictures[::-1], loop.spec, tmp_path)
    argv = ["ffmpeg", "-v", "error", "-i", str(tmp_path / "film.avi"), "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    raw = subprocess.run(argv, capture_output=True, check=True, timeout=60).stdout
    shown = np.frombuffer(raw, np.uint8).reshape(8, 72, 98, 3)[:, :, :97]
    ordered = [pictures.pixels(picture.path) for picture in loop.pictures]
    for index, array in enumerate(shown):
        assert max(range(8), key=lambda other: pictures.psnr(array, ordered[other])) == index


def test_a_still_becomes_one_picture(tmp_path: Path, noise: Noise) -> None:
    noise(40, 30).save(tmp_path / "a.png")
    (tmp_path / "out").mkdir()
    made = assemble.assemble([Picture(0, 0, tmp_path / "a.png")], spec.parse({"shape": "still"}), tmp_path / "out")
    assert [(product.name, product.media_type) for product in made] == [("still.png", "image/png")]
    assert np.array_equal(pictures.pixels(made[0].path), pictures.pixels(tmp_path / "a.png"))


def test_the_parts_of_a_frame_are_averaged(tmp_path: Path) -> None:
    for part, value in enumerate((10, 20, 31)):
        Image.new("RGB", (40, 30), (value, 0, 255)).save(tmp_path / f"{part}.png")
    parts = [Picture(0, part, tmp_path / f"{part}.png") for part in range(3)]
    (tmp_path / "out").mkdir()
    (path,) = assemble.average_parts(parts, tmp_path / "out")
    assert pictures.pixels(path)[7, 7].tolist() == [20, 0, 255]


def test_parts_bring_an_archive_of_their_frames(tmp_path: Path, noise: Noise) -> None:
    parts = []
    for frame in range(2):
        for part in range(2):
            path = tmp_path / f"{frame}-{part}.png"
            noise(40, 30, frame * 2 + part).save(path)
            parts.append(Picture(frame, part, path))
    (tmp_path / "out").mkdir()
    made = assemble.assemble(parts, spec.parse({"frames": 2, "parts": 2}), tmp_path / "out")
    assert [product.name for product in made] == ["film.mp4", "film.avi", "sheet.jpg", "frames.zip"]
    assert zipfile.ZipFile(made[-1].path).namelist() == ["frame-00000.png", "frame-00001.png"]


def test_averaged_parts_come_nearer_to_the_whole_frame_than_one_part(rendered: Any, tmp_path: Path) -> None:
    # not by much: each part was smoothed by its own lower quality, which averaging does not undo
    order = {"shape": "still", "width": 200, "height": 148}
    fine = rendered("s11", quality=200, **order).pictures[0]
    parts = rendered("s11", quality=40, parts=8, **order).pictures
    (mean,) = assemble.average_parts(parts, tmp_path)
    truth = pictures.pixels(fine.path)
    alone = pictures.psnr(truth, pictures.pixels(parts[0].path))
    assert pictures.psnr(truth, pictures.pixels(mean)) > alone + 1


def test_parts_of_two_sizes_are_refused(tmp_path: Path, noise: Noise) -> None:
    noise(40, 30).save(tmp_path / "a.png")
    noise(30, 40).save(tmp_path / "b.png")
    with pytest.raises(ValueError, match="differs in size"):
        assemble.average_parts([Picture(0, 0, tmp_path / "a.png"), Picture(0, 1, tmp_path / "b.png")], tmp_path)
