import math

import numpy as np
import pytest
from numba import njit

from sheepfold.kinds.flame.engine import approx, cpu, loops


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


def test_a_shuffle_keeps_every_chain():
    rows = [np.arange(4096, dtype=np.float32) for _ in range(6)]
    loops.permute(*rows, np.array([12345], np.uint64))
    assert sorted(rows[3]) == list(range(4096))
    assert not np.array_equal(rows[3], rows[0])


def test_the_vectors_width_is_known():
    assert cpu.VECTOR_BITS in {128, 256, 512}
