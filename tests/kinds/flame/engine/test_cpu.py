import math

import numpy as np
import pytest
from numba import njit

from sheepfold.kinds.flame.engine import approx, cpu, loops, render, xml
from sheepfold.kinds.flame.engine.codegen import Shape, Structure
from sheepfold.kinds.flame.engine.params import params_of

TWO = (
    '<flame size="40 30" scale="10" filter="0.5"><xform weight="1" color="0" linear="1" coefs="0.5 0 0 0.5 0.3 0"/>'
    '<xform weight="1" color="1" spherical="1" coefs="0.5 0.2 0.2 0.5 0 0.4"/><color index="0" rgb="9 99 199"/></flame>'
)


def mapped(function, values):
    @njit(error_model="numpy")
    def run(into, out):
        for i in range(len(into)):
            out[i] = function(into[i])

    out = np.zeros(len(values), np.float32)
    run(values.astype(np.float32), out)
    return out


@pytest.mark.parametrize(
    ("name", "low", "high"), [("sin", -90, 90), ("cos", -90, 90), ("exp", -20, 20), ("log", 1e-6, 1e6)]
)
def test_an_approximation_is_close(name, low, high):
    values = np.linspace(low, high, 4001).astype(np.float32)
    exact = np.array([getattr(math, name)(float(value)) for value in values])
    error = np.abs(mapped(getattr(approx, name), values) - exact)
    assert (error <= 3e-6 * np.maximum(1.0, np.abs(exact))).all()


@pytest.mark.parametrize("name", ["sin", "cos", "exp"])
def test_of_no_number_there_is_none(name):
    """Else points that are bad in flam3 would go on here: a parameter of 0 that is divided by makes them all bad."""
    assert np.isnan(mapped(getattr(approx, name), np.array([np.nan]))).all()
    if name != "exp":
        assert np.isnan(mapped(getattr(approx, name), np.array([np.inf, -np.inf]))).all()


def test_a_shuffle_keeps_every_chain():
    rows = [np.arange(4096, dtype=np.float32) for _ in range(6)]
    loops.permute(*rows, np.array([12345], np.uint64))
    assert sorted(rows[3]) == list(range(4096))
    assert not np.array_equal(rows[3], rows[0])


def test_a_kernel_is_compiled_once_for_all_that_is_played():
    """Compiling is most of a cold start's seconds: a whole number among the floats would double it."""
    structure = Structure((Shape(("linear",)), Shape(("spherical",))))
    genome = xml.read_one(TWO)
    window = render.window_of(genome)
    kernel = cpu.compile_structure(structure)
    moments = [(params_of(genome, structure, window), number) for number in (10_000, 10_000.5)]
    buckets, samples = cpu.accumulate(kernel, moments, (window.height, window.width), 1)
    assert buckets.sum() > 0
    assert samples == 20_001
    assert len(kernel.signatures) == 1


def test_buckets_are_added_to_where_there_are_earlier_ones():
    structure = Structure((Shape(("linear",)), Shape(("spherical",))))
    genome = xml.read_one(TWO)
    window = render.window_of(genome)
    shape = (window.height, window.width)
    moments = [(params_of(genome, structure, window), 10_000.0)]
    kernel = cpu.compile_structure(structure)
    apart = [cpu.accumulate(kernel, moments, shape, seed, threads=2)[0] for seed in (1, 2)]
    first, _ = cpu.accumulate(kernel, moments, shape, 1, threads=2)
    both, _ = cpu.accumulate(kernel, moments, shape, 2, 2, first)
    assert both is first
    assert np.array_equal(both, apart[0] + apart[1])


def test_what_goes_bad_five_times_in_a_row_is_seen_anywhere():
    """So flam3 does. Of two transforms one makes all points bad here, and one puts all on one place."""
    text = TWO.replace('size="40 30" scale="10"', 'size="60 60" scale="24"')
    text = text.replace("0.5 0 0 0.5 0.3 0", "0 0 0 0 1e11 0").replace("0.5 0.2 0.2 0.5 0 0.4", "0 0 0 0 2 0")
    structure = Structure((Shape(("linear",)), Shape(("spherical",))))
    genome = xml.read_one(text)
    window = render.window_of(genome)
    moments = [(params_of(genome, structure, window), 60_000.0)]  # more would be rounded
    buckets, samples = cpu.accumulate(cpu.compile_structure(structure), moments, (window.height, window.width), 1)
    hits = buckets[:, :, 3] / 255.0
    assert hits.sum() == samples
    assert 1.0 - hits.max() / samples == pytest.approx(0.5**5, rel=0.1)
    rows, columns = np.nonzero(hits)
    assert np.ptp(rows) in {47, 48}
    assert np.ptp(columns) in {47, 48}


def test_the_vectors_width_is_known():
    assert cpu.VECTOR_BITS in {128, 256, 512}
