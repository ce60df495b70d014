import ctypes

import numpy as np
import pytest

from sheepfold.kinds.flame.engine import filters


@pytest.mark.parametrize("shape", sorted(filters.SHAPES))
@pytest.mark.parametrize("supersample", [1, 2, 3])
def test_a_pixels_kernel_sums_to_one_and_is_even(shape, supersample):
    kernel = filters.spatial(shape, 0.9, supersample)
    assert kernel.sum() == pytest.approx(1.0)
    assert len(kernel) % 2 == supersample % 2
    if shape != "box":  # which holds one of its two ends
        assert kernel == pytest.approx(kernel[::-1])


@pytest.mark.parametrize(("shape", "number"), list(filters.NUMBERS.items()))
def test_a_filter_is_flam3s(shape, number):
    try:
        library = ctypes.CDLL("libflam3.so.0")
    except OSError:
        pytest.skip("libflam3 is not installed")
    library.flam3_spatial_filter.restype = ctypes.c_double
    function, reach = filters.SHAPES[shape]
    for x in np.linspace(-reach * 0.99, reach * 0.99, 41):
        theirs = library.flam3_spatial_filter(number, ctypes.c_double(x))
        assert function(float(x)) == pytest.approx(theirs, abs=1e-12)


@pytest.mark.parametrize(("kind", "exponent"), [("box", 0.0), ("gaussian", 0.0), ("exp", 2.0), ("exp", -2.0)])
def test_moments_span_the_width_and_the_greatest_weight_is_one(kind, exponent):
    deltas, weights, mean = filters.temporal(kind, 9, 1.5, exponent)
    assert (deltas[0], deltas[-1]) == (-0.75, 0.75)
    assert weights.max() == 1.0
    assert mean == pytest.approx(weights.mean())


def test_one_moment_is_the_frames_own():
    deltas, weights, mean = filters.temporal("gaussian", 1, 2.0, 1.0)
    assert (deltas.tolist(), weights.tolist(), mean) == ([0.0], [1.0], 1.0)
