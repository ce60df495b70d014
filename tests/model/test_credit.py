"""Credit: what a valid result earns."""

import pytest

from sheepfold.model.credit import earned


@pytest.mark.parametrize(("cost_ms", "millipoints"), [(1, 1), (1000, 1000), (30_000, 30_000)])
def test_a_second_of_a_reference_core_earns_a_point(cost_ms: int, millipoints: int):
    assert earned(cost_ms) == millipoints


@pytest.mark.parametrize("cost_ms", [0, -5])
def test_no_valid_result_earns_nothing(cost_ms: int):
    assert earned(cost_ms) == 1
