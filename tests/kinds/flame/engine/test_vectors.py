import re

import numpy as np
import pytest
from numba import njit

from sheepfold.kinds.flame.engine import cpu, loops
from sheepfold.kinds.flame.engine.approx import pick
from sheepfold.kinds.flame.engine.codegen import Shape, Structure
from sheepfold.kinds.flame.engine.variations import TABLE
from sheepfold.kinds.flame.engine.vectors import add_four, add_scaled_four, prefetch


@njit
def added(sums, addends, factor):
    prefetch(sums, 1 << 40)  # far beyond: a hint to the memory faults nowhere
    add_four(sums, 1, addends, 2)
    add_scaled_four(sums, 5, addends, 0, factor)


def test_four_numbers_are_added_to_four_others():
    sums, addends = np.arange(10, dtype=np.float32), np.arange(100, 110, dtype=np.float32)
    added(sums, addends, np.float32(0.5))
    assert sums.tolist() == [0, 103, 105, 107, 109, 55, 56.5, 58, 59.5, 9]


@njit
def picked(condition):
    return pick(condition, np.float32(1), np.float32(2))


def test_pick_returns_one_of_two():
    assert (picked(True), picked(False)) == (1, 2)


def test_points_outside_and_points_without_a_place_add_nothing():
    x, colour = np.array([0.0, 5.0, -5.0, np.nan, 1e30], np.float32), np.full(5, 0.5, np.float32)
    places, shades = np.empty(5, np.int32), np.empty(5, np.int32)
    camera = np.array([1, 0, 2, 0, 1, 2, 4, 4, 256, 256], np.float32)  # 4x4 buckets around the origin
    loops.plot(camera, 0, x, x, colour, places, shades)
    assert shades.tolist() == [128, 256, 256, 256, 256]
    table, buckets = np.ones((257, 4), np.float32), np.zeros((16, 4), np.float32)
    table[256] = 0
    loops.scatter(buckets.reshape(-1), table.reshape(-1), places, shades)
    assert buckets.sum() == 4.0
    assert buckets[10].tolist() == [1, 1, 1, 1]


@pytest.mark.slow
@pytest.mark.skipif(cpu.VECTOR_BITS < 256, reason="a processor with narrow vectors")
@pytest.mark.parametrize("name", TABLE)
def test_each_variations_loop_takes_as_many_points_at_once_as_the_processor_has_lanes(name):
    kernel = cpu.compile_structure(Structure((Shape((name,), has_post=True),)))
    bend = njit(**loops.OPTIONS)(kernel._bends[0].py_func)  # code from the disk cannot be looked into
    points = [np.ones(64, np.float32) for _ in range(3)]
    bend(np.ones(64, np.float32), *points, np.ones(64, np.uint32))
    text = next(iter(bend.inspect_llvm().values()))
    assert max(map(int, re.findall(r"<(\d+) x float>", text)), default=1) >= 8
