from dataclasses import replace
from pathlib import Path

import numpy as np
import OpenImageIO as oiio  # noqa: N813 - as its manual has it
import pytest
from lxml import etree
from PIL import Image
from typer.testing import CliRunner, Result

from sheepfold.cli.flame import app
from sheepfold.kinds.flame import flam3
from sheepfold.kinds.flame.engine import exposures, xml
from sheepfold.kinds.flame.engine.genome import Xform
from sheepfold.model.errors import InvalidSpec


@pytest.fixture
def genomes() -> Path:
    return Path(__file__).parents[1] / "genomes"


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)


def test_info_tells_what_a_genome_is_made_of(genomes: Path) -> None:
    told = run("info", genomes / "final.flam3").output
    assert "800x592, quality 50" in told
    assert "transform 3" in told
    assert "final transform: linear 0.8" in told


@pytest.mark.parametrize("command", ["random", "mutate", "breed"])
def test_the_same_seed_breeds_the_same_genome(genomes: Path, tmp_path: Path, command: str) -> None:
    parents = {"random": [], "mutate": ["r1"], "breed": ["r1", "s11"]}[command]
    files = [genomes / f"{name}.flam3" for name in parents]
    for name in ("one", "two"):
        assert run(command, *files, "--seed", "3", "--tries", "0", "-o", tmp_path / name).exit_code == 0
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    child = xml.read_one((tmp_path / "one").read_bytes())
    assert child.xforms
    assert "<edit action=" in child.edits


def test_a_genome_is_printed_where_no_file_is_named() -> None:
    printed = run("random", "--tries", "0", "--variations", "julian,swirl").stdout
    assert etree.fromstring(printed).tag == "flame"


def test_a_sequence_has_a_control_point_a_frame(genomes: Path, tmp_path: Path) -> None:
    run("sequence", genomes / "r1.flam3", genomes / "s11.flam3", "--frames", "4", "-o", tmp_path / "film")
    assert len(xml.read((tmp_path / "film").read_bytes())) == 13


def test_unknown_variations_and_sizes_are_refused(genomes: Path, tmp_path: Path) -> None:
    assert run("random", "--variations", "wobble").exit_code == 2
    assert run("render", genomes / "r1.flam3", "--size", "big", "-o", tmp_path / "a.png").exit_code == 2
    assert run("render", genomes / "r1.flam3", "-o", tmp_path / "a.gif").exit_code == 2


def test_a_genome_is_rendered_and_animated(genomes: Path, tmp_path: Path) -> None:
    genome = genomes / "s11.flam3"
    assert run("render", genome, "--size", "64x48", "--quality", "5", "-o", tmp_path / "a.png").exit_code == 0
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.size == (64, 48)
        assert len(picture.convert("RGB").getcolors(10_000) or []) > 100
    small = ("--size", "32x24", "--quality", "1", "--frames", "3", "--blur", "2")
    assert run("animate", genome, *small, "-o", tmp_path / "film.mp4").exit_code == 0
    assert (tmp_path / "film.mp4").stat().st_size > 500


def test_a_picture_is_of_the_form_that_its_name_and_options_ask_for(genomes: Path, tmp_path: Path) -> None:
    small = (genomes / "s11.flam3", "--size", "64x48", "--quality", "2")
    forms = {"deep.png": ["--bits", "16"], "clear.png": ["--transparent"], "a.jpg": [], "raw.exr": []}
    for name, words in forms.items():
        assert run("render", *small, *words, "-o", tmp_path / name).exit_code == 0
    assert (tmp_path / "deep.png").read_bytes()[24] == 16  # the depth in a PNG's head
    with Image.open(tmp_path / "clear.png") as clear, Image.open(tmp_path / "a.jpg") as lossy:
        assert (clear.mode, clear.size) == ("RGBA", (64, 48))
        assert (lossy.format, lossy.size) == ("JPEG", (64, 48))
    raw = oiio.ImageInput.open(str(tmp_path / "raw.exr"))
    assert raw.spec().nchannels == 4
    assert raw.spec().width > 64  # the gutter is in it
    buckets = raw.read_image(oiio.FLOAT)
    raw.close()
    assert buckets[:, :, 3].max() >= 255.0


def test_sixteen_bits_that_are_clear_have_the_colours_of_eight(genomes: Path, tmp_path: Path) -> None:
    for bits in ("8", "16"):
        words = ("--size", "48x36", "--quality", "5", "--transparent", "--bits", bits, "--threads", "1")
        assert run("render", genomes / "s11.flam3", *words, "-o", tmp_path / f"{bits}.png").exit_code == 0
    with Image.open(tmp_path / "8.png") as eight, Image.open(tmp_path / "16.png") as sixteen:
        assert np.abs(np.asarray(eight, int) - np.asarray(sixteen, int)).max() <= 1


def test_buckets_of_other_seeds_are_added(genomes: Path, tmp_path: Path) -> None:
    small = ("render", genomes / "s11.flam3", "--size", "48x36", "--quality", "5", "--threads", "1")
    for seed in ("1", "2"):
        assert run(*small, "--seed", seed, "-o", tmp_path / f"{seed}.exr").exit_code == 0
    together = run("add", tmp_path / "1.exr", tmp_path / "2.exr", "-o", tmp_path / "added.png", "--threads", "1")
    later = run(*small, "--seed", "2", "--onto", tmp_path / "1.exr", "-o", tmp_path / "onto.png")
    assert (together.exit_code, later.exit_code) == (0, 0)
    assert (tmp_path / "added.png").read_bytes() == (tmp_path / "onto.png").read_bytes()
    with pytest.raises(InvalidSpec, match="Seed 1 is in both"):
        run("add", tmp_path / "1.exr", tmp_path / "1.exr", "-o", tmp_path / "twice.exr")
    with pytest.raises(InvalidSpec, match="another frame"):
        run("render", genomes / "s12.flam3", "--quality", "1", "--onto", tmp_path / "1.exr", "-o", tmp_path / "a.png")


def test_previews_end_in_a_picture_of_the_quality_asked_for(genomes: Path, tmp_path: Path) -> None:
    small = (genomes / "s11.flam3", "--size", "48x36", "--quality", "32", "--previews")
    assert run("render", *small, "-o", tmp_path / "a.exr").exit_code == 0
    whole = exposures.load(tmp_path / "a.exr")
    assert len(whole.seeds) == 5
    assert whole.exposure.samples >= 32 * 48 * 36
    assert run("render", *small, "-o", tmp_path / "a.png").exit_code == 0


def test_a_filter_that_lets_nothing_through_is_refused_in_words(genomes: Path, tmp_path: Path) -> None:
    narrow = replace(xml.read_one((genomes / "s11.flam3").read_bytes()), filter_shape="triangle", filter_radius=0.1)
    (tmp_path / "narrow.flam3").write_bytes(xml.write(replace(narrow, size=(9, 9), supersample=2)))
    with pytest.raises(InvalidSpec, match="lets nothing through"):
        run("render", tmp_path / "narrow.flam3", "--quality", "1", "-o", tmp_path / "a.png")


def test_an_edge_is_animated_into_a_folder_with_a_bar(genomes: Path, tmp_path: Path) -> None:
    small = ("--size", "24x16", "--quality", "1", "--frames", "2", "--blur", "1")
    done = run("animate", genomes / "s11.flam3", genomes / "s11.flam3", *small, "-o", tmp_path / "film")
    assert done.exit_code == 0
    assert sorted(path.name for path in (tmp_path / "film").iterdir()) == [f"frame-{n:05d}.png" for n in range(7)]
    assert "100 %" in done.stderr


def far_away(source: Path, folder: Path) -> Path:
    """Return a genome that is seen as ever, but so far from the middle that float32 cannot tell its pixels apart."""
    one = xml.read_one(source.read_bytes())
    final = Xform(color_speed=0.0, variations={"linear": 1.0}, coefs=(1.0, 0.0, 0.0, 1.0, 1e6, 0.0))
    center = (one.center[0] + 1e6, one.center[1])
    path = folder / "far.flam3"
    path.write_bytes(xml.write(replace(one, final=final, center=center, temporal_samples=2)))
    return path


def test_what_the_engine_cannot_do_is_rendered_by_flam3_and_said(
    genomes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if flam3.find("flam3-render") is None:
        pytest.skip("flam3 is not installed")
    far = far_away(genomes / "s11.flam3", tmp_path)
    words = ("render", far, "--size", "64x48", "--quality", "5", "-o", tmp_path / "a.png")
    done = run(*words)
    assert done.exit_code == 0
    assert "tell pixels apart: flam3 renders" in " ".join(done.stderr.split())
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.size == (64, 48)
        assert len(picture.convert("RGB").getcolors(10_000) or []) > 100
    monkeypatch.setattr(flam3, "find", lambda _: None)
    with pytest.raises(InvalidSpec, match=r"tell pixels apart.*is not installed"):
        run(*words)


def test_flam3_makes_sixteen_bits_of_what_the_engine_cannot_do(genomes: Path, tmp_path: Path) -> None:
    if flam3.find("flam3-render") is None:
        pytest.skip("flam3 is not installed")
    far = far_away(genomes / "s11.flam3", tmp_path)
    for bits in ("8", "16"):
        words = ("--size", "48x36", "--quality", "5", "--transparent", "--bits", bits, "--threads", "1")
        assert run("render", far, *words, "-o", tmp_path / f"{bits}.png").exit_code == 0
    assert (tmp_path / "16.png").read_bytes()[24] == 16
    with Image.open(tmp_path / "8.png") as eight, Image.open(tmp_path / "16.png") as sixteen:
        assert np.abs(np.asarray(eight, int) - np.asarray(sixteen, int)).max() <= 1
