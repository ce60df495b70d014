"""Developing made-up buckets: what comes out of known light, without a chaos game."""

from dataclasses import replace

import numpy as np
import pytest

from sheepfold.kinds.flame.engine import develop
from sheepfold.kinds.flame.engine.develop import Tone
from sheepfold.kinds.flame.engine.genome import Genome, Xform, frozen_palette

PLAIN = Genome(
    (Xform(weight=1.0),), frozen_palette(np.ones((256, 3))), size=(24, 18), scale=10.0, background=(0.2, 0.4, 0.6)
)


def buckets_of(genome: Genome, hits: np.ndarray) -> np.ndarray:
    """Return grey buckets with so many hits a pixel and none in the gutter."""
    rim, step = develop.gutter(genome), genome.supersample
    buckets = np.zeros((genome.size[1] * step + 2 * rim, genome.size[0] * step + 2 * rim, 4), np.float32)
    inner = buckets[rim : buckets.shape[0] - rim, rim : buckets.shape[1] - rim]
    inner[:] = 255.0 * hits.repeat(step, 0).repeat(step, 1)[:, :, None]
    return buckets


def noise(seed: int = 1, size: tuple[int, int] = PLAIN.size) -> np.ndarray:
    return np.random.default_rng(seed).poisson(3.0, size[::-1]).astype(np.float32)


def test_no_light_is_the_background():
    picture = develop.develop(buckets_of(PLAIN, np.zeros((18, 24))), PLAIN, 10.0)
    assert picture.shape == (18, 24, 3)
    assert (picture == np.array([51, 102, 153])).all()


def test_no_light_is_clear_where_the_picture_is_transparent():
    picture = develop.develop(buckets_of(PLAIN, np.zeros((18, 24))), PLAIN, 10.0, Tone(is_transparent=True))
    assert picture.shape == (18, 24, 4)
    assert not picture.any()


def test_more_hits_are_brighter():
    dark = replace(PLAIN, background=(0.0, 0.0, 0.0), brightness=1.0, estimator_radius=0.0)
    ramp = np.broadcast_to(np.arange(24.0), (18, 24))
    row = develop.develop(buckets_of(dark, ramp), dark, 50.0)[9, 2:-2, 0].astype(int)
    assert (np.diff(row) >= 0).all()
    assert row[-1] > row[0]


@pytest.mark.parametrize("words", [{}, {"estimator_radius": 0.0}, {"supersample": 2}, {"filter_radius": 1.2}])
def test_twice_the_hits_at_twice_the_density_are_the_same_picture_without_estimation(words):
    genome = replace(PLAIN, **words)
    plain = Tone(has_estimation=False)
    once = develop.develop(buckets_of(genome, noise()), genome, 10.0, plain).astype(int)
    twice = develop.develop(buckets_of(genome, 2 * noise()), genome, 20.0, plain).astype(int)
    assert abs(once - twice).max() <= 1


@pytest.mark.parametrize("step", [1, 2, 3])
@pytest.mark.parametrize("tone", [Tone(), Tone(early_clip=True), Tone(has_estimation=False)])
def test_strips_are_developed_as_the_whole(monkeypatch, step, tone):
    genome = replace(PLAIN, size=(20, 150), supersample=step, estimator_radius=4.0)
    buckets = buckets_of(genome, noise(2, genome.size))
    whole = develop.develop(buckets, genome, 10.0, tone).astype(int)
    monkeypatch.setattr(develop, "STRIP_BYTES", 1)  # as few rows as strips have
    assert abs(develop.develop(buckets, genome, 10.0, tone).astype(int) - whole).max() <= 1


def test_the_picture_hangs_on_no_number_of_threads():
    genome = replace(PLAIN, size=(20, 150))
    buckets = buckets_of(genome, noise(3, genome.size))
    one, three = (develop.develop(buckets, genome, 10.0, threads=threads) for threads in (1, 3))
    assert np.array_equal(one, three)


def test_a_strips_rows_are_told_by_its_buckets():
    window = buckets_of(PLAIN, noise())[:-5]
    assert develop.size_of(window, PLAIN) == (24, 13)
