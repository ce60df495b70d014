"""Pictures beside flam3-render's: ours may differ from flam3's no more than flam3's own do between two seeds."""

import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sheepfold.kinds.flame.engine import develop as darkroom
from sheepfold.kinds.flame.engine import filters, output, render, xml
from sheepfold.kinds.flame.engine.develop import Tone
from sheepfold.kinds.flame.engine.genome import Genome
from sheepfold.kinds.flame.engine.params import FUSE, LONGEST_FUSE, params_of
from sheepfold.kinds.flame.engine.render import Frame

GENOMES = Path(__file__).parents[3] / "genomes"
SLACK_DB = 0.3
PALETTE = "".join(f'<color index="{i}" rgb="{i} {255 - i} {(i * 7) % 256}"/>' for i in range(256))
PLAIN = (
    '<xform weight="0.5" color="0" {one} julian="1" julian_power="2" julian_dist="1" coefs="0.6 0.4 -0.4 0.6 0.3 0.1"/>'
    '<xform weight="0.3" color="1" {two} linear="0.6" spherical="0.4" coefs="0.5 -0.3 0.3 0.5 -0.4 0.2"/>'
    '<xform weight="0.2" color="0.5" {three} linear="1" coefs="0.4 0 0 0.4 0.5 -0.5"/>'
)


def flame(words: str = "", one: str = "", two: str = "", three: str = "", more: str = "") -> str:
    said = {
        "size": "128 96", "center": "0 0", "scale": "30", "rotate": "0", "supersample": "1", "filter": "0.5",
        "quality": "150", "temporal_samples": "1", "background": "0 0 0", "brightness": "4", "gamma": "4",
        "estimator_radius": "9", "estimator_minimum": "0", "estimator_curve": "0.4", "time": "0",
    }  # fmt: skip
    said |= dict(word.split("=") for word in words.split(";") if word)
    attributes = " ".join(f'{key}="{value}"' for key, value in said.items())
    return f"<flame {attributes}>{PLAIN.format(one=one, two=two, three=three)}{more}{PALETTE}</flame>"


FEATURES = {
    "plain": flame(),
    "turned": flame("rotate=35;center=0.2 -0.1;zoom=0.5"),
    "supersampled": flame("supersample=2;filter=0.8"),
    "supersampled three times": flame("supersample=3;filter_shape=mitchell"),
    "a filter by another's name": flame("supersample=3;filter_shape=hanning;filter=0.8"),
    "without estimation": flame("estimator_radius=0"),
    "narrow estimation": flame("estimator_radius=5;estimator_minimum=1;estimator_curve=0.7"),
    "linear palette": flame("palette_mode=linear"),
    "highlights": flame("highlight_power=1;brightness=30"),
    "strong highlights": flame("highlight_power=-0.3;brightness=30"),
    "background": flame("background=0.2 0.1 0.3;vibrancy=0.4"),
    "threshold": flame("gamma_threshold=0.2;gamma=2.5"),
    "a sharp filter and no gamma": flame("filter_shape=catrom;filter=1.2;gamma=1;brightness=30;vibrancy=0.6"),
    "opacity": flame(one='opacity="0.5"'),
    "unseen transform": flame(two='opacity="0"'),
    "xaos": flame(one='chaos="1 0.2 1"', two='chaos="1 0 2"', three='chaos="0.5 1 1"'),
    "post": flame(two='post="0.8 0.1 -0.1 0.8 0.2 0"'),
    "final": flame(more='<finalxform color="0" color_speed="0.2" swirl="1" coefs="1 0 0 1 0.1 0"/>'),
    "partial final": flame(more='<finalxform color="0" opacity="0.5" swirl="1" coefs="1 0 0 1 0.1 0"/>'),
    "colour speed": flame(one='color_speed="0.1"'),
    "symmetry": flame(more='<symmetry kind="-3"/>'),
    "passes": flame("passes=3"),
    "passes that weigh": flame("passes=2;temporal_samples=4;temporal_filter_type=exp;temporal_filter_exp=2"),
}


def flam3(text: str, seed: str, folder: Path, **environment: str) -> np.ndarray:
    if shutil.which("flam3-render") is None:
        pytest.skip("flam3-render is not installed")
    target = folder / f"{seed}.png"
    own = {"out": str(target), "isaac_seed": seed, "nthreads": "1", "verbose": "0"} | environment
    subprocess.run(["flam3-render"], input=text.encode(), env=os.environ | own, check=True, capture_output=True)
    return np.asarray(Image.open(target), float)


def psnr(one: np.ndarray, other: np.ndarray) -> float:
    return 10 * float(np.log10(255**2 / np.square(one - other).mean()))


def assert_as_flam3(theirs: list[np.ndarray], pictures: list[np.ndarray]) -> None:
    """Hold each picture against the mean of flam3's without one, as that one is held."""
    means = [np.mean([other for at, other in enumerate(theirs) if at != left], axis=0) for left in range(len(theirs))]
    noise = np.mean([psnr(mean, one) for mean, one in zip(means, theirs, strict=True)])
    assert np.mean([psnr(mean, one) for mean, one in zip(means, pictures, strict=True)]) > noise - SLACK_DB


def ours(text: str, seed: int = 1, tone: Tone | None = None) -> np.ndarray:
    return render.render(Frame(xml.read(text)), seed, tone, threads=1, device=render.CPU).astype(float)


@pytest.mark.parametrize("feature", FEATURES)
def test_a_feature_looks_as_flam3_renders_it(feature, tmp_path):
    text = FEATURES[feature]
    theirs = [flam3(text, seed, tmp_path)[:, :, :3] for seed in ("a", "b", "c")]
    assert_as_flam3(theirs, [ours(text, seed) for seed in (1, 2, 3)])


@pytest.mark.slow  # a kernel of its own; test_cpu counts such points
def test_points_that_go_bad_are_seen_as_in_flam3(tmp_path):
    text = flame(one='cpow="1" cpow_power="0"', more='<finalxform opacity="0.2" cpow="1" cpow_power="0"/>')
    theirs = [flam3(text, seed, tmp_path)[:, :, :3] for seed in ("a", "b", "c")]
    assert_as_flam3(theirs, [ours(text, seed) for seed in (1, 2, 3)])


def test_chains_stay_unseen_for_longer_where_colours_fade_slowly():
    def fuse(text: str) -> int:
        frame = Frame(xml.read(text))
        return params_of(frame.middle, render.compile_frame(frame), render.window_of(frame.middle)).fuse

    assert fuse(flame()) == FUSE
    assert 200 < fuse(flame(more='<symmetry kind="25"/>')) < LONGEST_FUSE
    still = 'color_speed="0"'
    assert fuse(flame(one=still, two=still, three=still)) == LONGEST_FUSE


def test_a_scale_below_nothing_shows_nothing_as_in_flam3(tmp_path):
    text = flame("scale=-30;background=0.2 0.1 0.3;size=16 12")
    picture = ours(text)
    assert np.array_equal(picture, flam3(text, "a", tmp_path)[:, :, :3])
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) == 1


@pytest.mark.parametrize(
    ("form", "wanted"),
    [
        (Tone(True), {"transparency": "1"}),
        (Tone(early_clip=True), {"earlyclip": "1"}),
        (Tone(has_estimation=False), {"bits": "32"}),
        (Tone(early_clip=True, has_estimation=False), {"earlyclip": "1", "bits": "32"}),
    ],
    ids=["clear", "early", "whole numbers", "early in whole numbers"],
)
def test_a_tone_looks_as_flam3_renders_it(form, wanted, tmp_path):
    text = flame("background=0.2 0.1 0.3;estimator_radius=0;filter=1.2;vibrancy=0.6;brightness=20")
    pictures = [ours(text, seed, form) for seed in (1, 2, 3)]
    theirs = [flam3(text, seed, tmp_path, **wanted)[:, :, : pictures[0].shape[2]] for seed in ("a", "b", "c")]
    assert_as_flam3(theirs, pictures)


@pytest.mark.parametrize("kind", ["box", "gaussian", "exp"])
def test_motion_blurs_as_flam3_blurs_it(kind, tmp_path):
    words = f"temporal_samples=20;temporal_filter_type={kind};temporal_filter_exp=2;temporal_filter_width=1.2"
    moved = [
        flame(f"{words};time={time};scale={30 + 9 * time}").replace("0.3 0.1", f"{0.3 + 0.2 * time} 0.1")
        for time in (-1, 0, 1)
    ]
    text = "<frame>" + "".join(moved) + "</frame>"
    pictures = []
    for seed in ("a", "b"):
        source = tmp_path / "frame.flam3"
        source.write_text(text)
        target = tmp_path / f"{seed}.png"
        own = {"in": str(source), "out": str(target), "time": "0", "isaac_seed": seed, "nthreads": "1", "verbose": "0"}
        if shutil.which("flam3-animate") is None:
            pytest.skip("flam3-animate is not installed")
        subprocess.run(["flam3-animate"], env=os.environ | own, check=True, capture_output=True)
        pictures.append(np.asarray(Image.open(target), float)[:, :, :3])
    assert psnr(pictures[0], ours(text)) > psnr(*pictures) - SLACK_DB


@pytest.mark.slow
@pytest.mark.parametrize("name", ["r1", "r2", "r3", "r4", "s11", "s12", "s14", "s16", "final"])
def test_a_genome_looks_as_flam3_renders_it(name, tmp_path):
    genome = replace(xml.read((GENOMES / f"{name}.flam3").read_bytes())[0], temporal_samples=1)
    is_small = genome.size[0] * genome.size[1] < 50_000  # whose noise hangs on a few pixels
    text = xml.write(replace(genome, quality=500.0 if is_small else 100.0)).decode()
    seeds = 3 if is_small else 2
    theirs = [flam3(text, seed, tmp_path)[:, :, :3] for seed in "abc"[:seeds]]
    assert_as_flam3(theirs, [ours(text, seed) for seed in range(seeds)])


def test_a_hit_adds_whole_numbers_as_in_flam3s_buckets():
    frame = Frame((replace(Genome.from_xml(flame(one='opacity="0.5"', words="palette_mode=step")), quality=1.0),))
    buckets = render.accumulate(frame, 1.0, 1, device=render.CPU).buckets
    assert buckets.sum() > 0
    assert np.array_equal(buckets, np.floor(buckets))


def test_a_colour_that_a_sharp_filter_makes_negative_is_full_as_in_debians_flam3():
    genome = replace(Genome.from_xml(flame("size=9 9;estimator_radius=0;filter=0.8")), filter_shape="hamming")
    rim = darkroom.gutter(genome)
    buckets = np.zeros((9 + 2 * rim, 9 + 2 * rim, 4), np.float32)
    buckets[rim + 4, rim + 4] = 2550.0
    buckets[rim + 4, rim + 4, 2] = 0.0
    picture = darkroom.develop(buckets, genome, 150.0)
    values = filters.spatial("hamming", 0.8, 1)
    lost = values[:, None] * values[None, :] < -1e-6
    assert lost.any()
    seen = picture[4 - len(values) // 2 : 5 + len(values) // 2, 4 - len(values) // 2 : 5 + len(values) // 2]
    assert (seen[lost][:, :2] == 255).all()
    assert (picture[:, :, 2] == 0).all()


def small(quality: float = 20.0) -> Frame:
    return Frame((replace(Genome.from_xml(flame()), quality=quality),))


def test_the_same_seed_makes_the_same_picture_and_another_does_not():
    pictures = [render.render(small(), seed, threads=2, device=render.CPU) for seed in (1, 1, 2)]
    assert np.array_equal(pictures[0], pictures[1])
    assert not np.array_equal(pictures[0], pictures[2])


def test_exposures_add_up_to_a_finer_picture():
    frame = small()
    good = render.render(small(2000.0), 9, device=render.CPU).astype(float)
    parts = [render.accumulate(frame, 20.0, seed, device=render.CPU) for seed in range(4)]
    one = render.develop(parts[0], frame).astype(float)
    four = render.develop(parts[0] + parts[1] + parts[2] + parts[3], frame).astype(float)
    assert psnr(good, four) > psnr(good, one) + 3.0


def test_strips_make_the_whole_picture():
    frame = small(100.0)
    whole, strips = (render.render(frame, 1, device=render.CPU, strip_rows=rows).astype(float) for rows in (0, 40))
    other = render.render(frame, 2, device=render.CPU).astype(float)
    assert strips.shape == whole.shape
    assert psnr(whole, strips) > psnr(whole, other) - SLACK_DB


def test_sixteen_bits_are_eight_bits_and_more(tmp_path):
    exposure = render.accumulate(small(), 20.0, 1, device=render.CPU)
    eight, sixteen = (render.develop(exposure, small(), Tone(bits=bits)) for bits in (8, 16))
    assert np.array_equal(eight, sixteen >> 8)
    output.save(sixteen, tmp_path / "deep.png")
    output.save(eight, tmp_path / "plain.jpg")
    output.save_buckets(exposure.buckets, tmp_path / "raw.exr")
    assert all(path.stat().st_size > 1000 for path in tmp_path.iterdir())


def test_progress_ends_at_one():
    told: list[float] = []
    render.render(small(), 1, device=render.CPU, progress=told.append)
    assert told[-1] == 1.0


def test_strips_and_sums_hold_every_pass():
    frame = Frame((replace(Genome.from_xml(flame("passes=3")), quality=60.0),))
    whole, strips = (render.render(frame, 1, device=render.CPU, strip_rows=rows).astype(float) for rows in (0, 40))
    other = render.render(frame, 2, device=render.CPU).astype(float)
    parts = [render.accumulate(frame, 20.0, seed, device=render.CPU) for seed in range(3)]
    summed = render.develop(parts[0] + parts[1] + parts[2], frame).astype(float)
    assert np.abs(whole - strips).max() <= 1.0
    assert psnr(whole, summed) > psnr(whole, other) - SLACK_DB


def test_each_pass_has_its_own_part_of_the_time():
    words = "passes=2;temporal_samples=3;temporal_filter_width=1.2"
    genomes = tuple(Genome.from_xml(flame(f"{words};time={time};rotate={time * 10}")) for time in (0, 1))
    times = [[round(moment.time, 6) for moment in moments] for moments, _ in Frame(genomes, 0.5).passes]
    assert times == [[-0.1, 0.14, 0.38], [0.62, 0.86, 1.1]]


def test_what_the_engine_cannot_do_is_said():
    with pytest.raises(render.Unsupported, match="passes"):
        render.render(Frame((replace(Genome.from_xml(flame()), passes=10_000),)), 1)
