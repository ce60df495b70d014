"""Credit: what a valid result earns, what a machine is worth, and what points are good for."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sheepfold.model.credit import (
    BOUND,
    FAVOUR,
    MEASURABLE_S,
    Effort,
    Millipoints,
    Purse,
    earned,
    favour,
    power,
)

COSTS = st.integers(1, 10**8)
SPANS = st.integers(0, 10**6)
POWERS = st.none() | st.floats(0.001, 1000)


@pytest.mark.parametrize(("cost_ms", "millipoints"), [(1, 1), (1000, 1000), (30_000, 30_000)])
def test_a_second_of_a_reference_core_earns_a_point(cost_ms: int, millipoints: int):
    assert earned(Effort(cost_ms)) == millipoints


def test_a_minute_earns_by_the_power_of_its_machine():
    assert earned(Effort(100_000, 60), 1.0) == 60_000
    assert earned(Effort(100_000, 60), 2.0) == 120_000
    assert earned(Effort(100_000, 120), 2.0) == 240_000


@given(COSTS, SPANS, POWERS)
@example(1, 10**6, 0.001)
def test_no_minutes_lead_far_from_what_was_expected(cost_ms: int, taken_s: int, machine_power: float | None):
    assert max(1, cost_ms // BOUND) <= earned(Effort(cost_ms, taken_s), machine_power) <= cost_ms * BOUND


@given(st.lists(st.builds(Effort, COSTS, st.integers(MEASURABLE_S, 10**6)), min_size=1, max_size=32))
def test_points_by_minutes_are_points_by_expected_cost_seen_over_a_machines_pictures(efforts: list[Effort]):
    """A machine's seconds times cost over seconds is its cost; none is a pause here, so that no time is cut."""
    fastest = min(effort.taken_s / effort.cost_ms for effort in efforts)
    steady = [effort for effort in efforts if effort.taken_s / effort.cost_ms <= BOUND * fastest]
    machine_power = power(steady)
    assert machine_power is not None
    by_minutes = sum(effort.taken_s for effort in steady) * machine_power
    assert by_minutes == pytest.approx(sum(effort.cost_ms for effort in steady) / 1000)


@given(st.integers(2, 200), st.integers(1, 60))
def test_no_machine_earns_more_in_an_hour_by_dawdling(cost_s: int, speed: int):
    """Who has a known power and waits before it sends gets at most what it would have earned by work in that time."""
    machine_power = float(speed)
    honest_s = max(MEASURABLE_S, cost_s)
    honest = earned(Effort(round(honest_s * machine_power * 1000), honest_s), machine_power) / honest_s
    for delay_s in (honest_s, 10 * honest_s, 1000 * honest_s):
        lazy = earned(Effort(round(honest_s * machine_power * 1000), honest_s + delay_s), machine_power)
        assert lazy / (honest_s + delay_s) <= honest


def test_a_machine_is_worth_cost_over_time():
    assert power([Effort(60_000, 30)] * 5) == 2.0
    assert power([Effort(60_000, 120), Effort(120_000, 240)]) == 0.5


def test_too_little_tells_nothing_of_a_machine():
    assert power([]) is None
    assert power([Effort(1000, 1)] * (MEASURABLE_S - 1)) is None


def test_short_pictures_tell_of_a_machine_together():
    assert power([Effort(500, n % 2) for n in range(2 * MEASURABLE_S)]) == 1.0


def test_a_night_at_rest_makes_no_machine_slow():
    rested = [Effort(60_000, 30)] * 20 + [Effort(60_000, 36_000)]
    assert power(rested) == pytest.approx(2.0, rel=0.15)


@pytest.mark.parametrize(("earned_", "spent", "share"), [(0, 0, 1), (1, 0, FAVOUR), (5, 5, 1), (5, 6, 1)])
def test_points_to_spend_are_a_larger_share(earned_: int, spent: int, share: int):
    assert favour(Purse(Millipoints(earned_), Millipoints(spent))) == share
