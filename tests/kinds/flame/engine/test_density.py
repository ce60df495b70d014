import numpy as np
import pytest

from sheepfold.kinds.flame.engine import density


def light_of(kernels):
    pairs = zip(kernels.rows, kernels.reach, strict=True)
    return [rows[0].sum() + 2 * rows[1 : reach + 1].sum() for rows, reach in pairs]


def test_each_kernel_but_the_narrowest_spreads_exactly_what_it_takes():
    assert np.array(light_of(density.make_kernels(9.0, 0.0, 0.4, 1))[:-1]) == pytest.approx(1.0, abs=1e-5)


def test_a_kernel_of_a_whole_width_loses_its_four_tips_as_flam3s():
    rim = 4 * np.exp(-4.5)
    assert light_of(density.make_kernels(9.0, 0.0, 0.4, 1))[-1] == pytest.approx(1 / (1 + rim), abs=1e-5)


def test_kernels_narrow_with_hits():
    reach = density.make_kernels(9.0, 0.0, 0.4, 2).reach
    assert reach[0] == 18
    assert (np.diff(reach) <= 0).all()


@pytest.mark.parametrize(("widest", "narrowest", "curve"), [(1.0, 2.0, 0.4), (9.0, 0.0, 0.0), (9.0, -1.0, 0.4)])
def test_odd_estimators_are_refused(widest, narrowest, curve):
    with pytest.raises(ValueError, match="density estimator"):
        density.make_kernels(widest, narrowest, curve, 1)


def test_spreading_keeps_the_light_and_hangs_on_no_number_of_threads():
    kernels = density.make_kernels(5.0, 0.0, 0.4, 1)
    buckets = np.zeros((200, 90, 4), np.float32)
    random = np.random.default_rng(3)
    rows, columns = random.integers(10, 190, 400), random.integers(10, 80, 400)
    buckets[rows, columns] = 255.0
    one = density.spread(buckets, kernels, 1, 1000.0, 0.01, 1)
    two = density.spread(buckets, kernels, 1, 1000.0, 0.01, 3)
    assert np.array_equal(one, two)
    assert one.sum() == pytest.approx(density.take_log(buckets, 1000.0, 0.01).sum(), rel=1e-4)
