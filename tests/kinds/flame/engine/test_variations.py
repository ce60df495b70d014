"""Each variation's point map against flam3's own: libflam3 applies a transform to a grid of points."""

import ctypes
import ctypes.util
from functools import lru_cache

import numpy as np
import pytest

from sheepfold.kinds.flame.engine import cpu, params
from sheepfold.kinds.flame.engine.codegen import Shape, Structure
from sheepfold.kinds.flame.engine.genome import Genome
from sheepfold.kinds.flame.engine.names import NAMES, PARAMETERS
from sheepfold.kinds.flame.engine.variations import TABLE

DETERMINISTIC = [name for name in NAMES if not TABLE[name].draws and name != "pre_blur"]
RANDOM = [name for name in NAMES if TABLE[name].draws or name == "pre_blur"]
HALF_GRID = 20
"""Odd numbers, so that no default hides a mistake; powers and counts are whole."""
ODD = {
    "julian_power": 3, "juliascope_power": -3, "wedge_julia_power": 3, "wedge_count": 2, "wedge_julia_count": 2,
    "wedge_sph_count": 2, "cpow_power": 3, "ngon_sides": 5, "pie_slices": 5, "super_shape_m": 5, "flower_petals": 5,
    "blob_waves": 3, "perspective_dist": 2.2, "bipolar_shift": 0.7, "disc2_twist": 7.1, "cell_size": 0.37,
}  # fmt: skip


def genome_text(name: str) -> str:
    values = {key: ODD.get(key, 0.3 + 0.17 * index) for index, key in enumerate(PARAMETERS.get(name, {}))}
    words = 'linear="1" ' * (name == "pre_blur") + " ".join(f'{key}="{value}"' for key, value in values.items())
    colors = "".join(f'<color index="{index}" rgb="255 255 255"/>' for index in range(256))
    return (
        '<flame time="0" size="100 100" center="0 0" scale="20" rotate="0" supersample="1" filter="0.5" quality="1"'
        ' temporal_samples="1" background="0 0 0" brightness="4" gamma="4">'
        f'<xform weight="1" color="0" color_speed="0.5" {name}="0.83" {words}'
        f' coefs="0.9 0.2 -0.31 1.07 0.17 -0.23" opacity="1"/>{colors}</flame>'
    )


@lru_cache(1)
def libflam3() -> ctypes.CDLL:
    try:
        library = ctypes.CDLL("libflam3.so.0")
    except OSError:
        pytest.skip("libflam3 is not installed; Debian has it in libflam3-0")
    library.flam3_parse_xml2.restype = ctypes.c_void_p
    return library


def flam3_map(text: str, salt: int = 0) -> np.ndarray:
    """Return where flam3 puts each point of the grid."""
    library = libflam3()
    count = ctypes.c_int()
    words = ctypes.create_string_buffer(text.encode())
    genome = library.flam3_parse_xml2(words, ctypes.create_string_buffer(b"test"), 1, ctypes.byref(count))
    assert count.value == 1
    side = 2 * HALF_GRID + 1
    result = np.zeros(2 * side * side)
    state = (ctypes.c_ulong * 4096)(*range(salt, salt + 4096))
    library.irandinit(state, 1)
    call = library.flam3_xform_preview
    call(ctypes.c_void_p(genome), 0, ctypes.c_double(2.0), HALF_GRID, 1, result.ctypes.data_as(ctypes.c_void_p), state)
    return result.reshape(-1, 2)


def grid() -> np.ndarray:
    line = np.linspace(-2.0, 2.0, 2 * HALF_GRID + 1)
    return np.array([(x, y) for x in line for y in line])


def our_map(text: str, seed: int = 1) -> np.ndarray:
    """Return where our compiled kernel puts them."""
    genome = Genome.from_xml(text)
    structure = params.structure_of([genome])
    module = cpu.compile_structure(structure)
    numbers = params.params_of(genome, structure, params.Window(100, 100, 0)).vector
    points = grid().astype(np.float32)
    x, y, colors = (np.ascontiguousarray(axis) for axis in (points[:, 0], points[:, 1], np.zeros(len(points), "f4")))
    lanes = np.random.default_rng(seed).integers(1, 2**32, len(points), np.uint32)
    module.bend(0, numbers, x, y, colors, lanes)
    return np.stack([x, y], axis=1).astype(float)


def test_table_has_all_variations_of_flam3():
    assert set(TABLE) == set(NAMES)
    assert len(TABLE) == 99
    assert all(set(TABLE[name].parameters) == set(PARAMETERS.get(name, {})) for name in NAMES)


@pytest.mark.parametrize("name", DETERMINISTIC)
def test_variation_maps_points_as_flam3_does(name):
    theirs, ours = flam3_map(genome_text(name)), our_map(genome_text(name))
    usual = np.isfinite(theirs).all(axis=1) & (np.abs(theirs) < 1e3).all(axis=1)
    error = np.abs(theirs - ours)[usual].max(axis=1) / (1.0 + np.abs(theirs[usual]).max(axis=1))
    assert usual.mean() > 0.9
    assert np.mean(error < 2e-4) > 0.985  # the rest lie on a cut, or where a tangent is steep


def test_rings2_of_no_width_is_what_overflows_in_flam3():
    """An alignment pads with such: where its rings are too many for C's int, points move by 0.43."""
    text = genome_text("rings2").replace('rings2_val="0.3"', 'rings2_val="0"')
    theirs, ours = flam3_map(text), our_map(text)
    assert np.mean(np.abs(theirs - ours).max(axis=1) < 1e-4) > 0.99


@pytest.mark.parametrize("name", RANDOM)
def test_random_variation_spreads_points_as_flam3_does(name):
    theirs = np.concatenate([flam3_map(genome_text(name), salt) for salt in range(1, 9)])
    ours = np.concatenate([our_map(genome_text(name), seed) for seed in range(1, 9)])
    for axis in range(2):
        assert distribution_gap(theirs[:, axis], ours[:, axis]) < 0.03


def distribution_gap(one: np.ndarray, other: np.ndarray) -> float:
    """Return Kolmogorov and Smirnov's distance: the most that the two shares below any value differ."""
    at = np.concatenate([one, other])
    below = [np.searchsorted(np.sort(points), at, side="right") / len(points) for points in (one, other)]
    return float(np.abs(below[0] - below[1]).max())


def test_a_shape_counts_its_numbers():
    structure = Structure((Shape(("linear", "julian"), has_post=True),))
    assert structure.shapes[0].size == 8 + 2 + 2 + 6
