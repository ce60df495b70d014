"""The 99 variations of flam3 3.1.1 by name and number, with their parameters' names and defaults.

The numbers are what `var1` and the lists of old genomes count by; the order of parameters is that in which flam3
prints them. The formulas are in variations.py.
"""

import math

NAMES: tuple[str, ...] = tuple(
    """
    linear sinusoidal spherical swirl horseshoe polar handkerchief heart disc spiral hyperbolic diamond ex
    julia bent waves fisheye popcorn exponential power cosine rings fan blob pdj fan2 rings2 eyefish bubble
    cylinder perspective noise julian juliascope blur gaussian_blur radial_blur pie ngon curl rectangles
    arch tangent square rays blade secant2 twintrian cross disc2 super_shape flower conic parabola bent2
    bipolar boarders butterfly cell cpow curve edisc elliptic escher foci lazysusan loonie pre_blur modulus
    oscilloscope polar2 popcorn2 scry separation split splits stripes wedge wedge_julia wedge_sph whorl
    waves2 exp log sin cos tan sec csc cot sinh cosh tanh sech csch coth auger flux mobius
    """.split()  # noqa: SIM905 - a hundred quoted words would be harder to read
)

NUMBERS: dict[str, int] = {name: number for number, name in enumerate(NAMES)}

PARAMETERS: dict[str, dict[str, float]] = {
    "blob": {"blob_low": 0.0, "blob_high": 1.0, "blob_waves": 1.0},
    "pdj": {"pdj_a": 0.0, "pdj_b": 0.0, "pdj_c": 0.0, "pdj_d": 0.0},
    "fan2": {"fan2_x": 0.0, "fan2_y": 0.0},
    "rings2": {"rings2_val": 0.0},
    "perspective": {"perspective_angle": 0.0, "perspective_dist": 0.0},
    "julian": {"julian_power": 1.0, "julian_dist": 1.0},
    "juliascope": {"juliascope_power": 1.0, "juliascope_dist": 1.0},
    "radial_blur": {"radial_blur_angle": 0.0},
    "pie": {"pie_slices": 6.0, "pie_rotation": 0.0, "pie_thickness": 0.5},
    "ngon": {"ngon_sides": 5.0, "ngon_power": 3.0, "ngon_corners": 2.0, "ngon_circle": 1.0},
    "curl": {"curl_c1": 1.0, "curl_c2": 0.0},
    "rectangles": {"rectangles_x": 1.0, "rectangles_y": 1.0},
    "disc2": {"disc2_rot": 0.0, "disc2_twist": 0.0},
    "super_shape": {
        "super_shape_rnd": 0.0, "super_shape_m": 0.0, "super_shape_n1": 1.0, "super_shape_n2": 1.0,
        "super_shape_n3": 1.0, "super_shape_holes": 0.0,
    },
    "flower": {"flower_petals": 0.0, "flower_holes": 0.0},
    "conic": {"conic_eccentricity": 1.0, "conic_holes": 0.0},
    "parabola": {"parabola_height": 0.0, "parabola_width": 0.0},
    "bent2": {"bent2_x": 1.0, "bent2_y": 1.0},
    "bipolar": {"bipolar_shift": 0.0},
    "cell": {"cell_size": 1.0},
    "cpow": {"cpow_i": 0.0, "cpow_r": 1.0, "cpow_power": 1.0},
    "curve": {"curve_xamp": 0.0, "curve_yamp": 0.0, "curve_xlength": 1.0, "curve_ylength": 1.0},
    "escher": {"escher_beta": 0.0},
    "lazysusan": {
        "lazysusan_x": 0.0, "lazysusan_y": 0.0, "lazysusan_spin": 0.0, "lazysusan_space": 0.0,
        "lazysusan_twist": 0.0,
    },
    "modulus": {"modulus_x": 0.0, "modulus_y": 0.0},
    "oscilloscope": {
        "oscilloscope_separation": 1.0, "oscilloscope_frequency": math.pi, "oscilloscope_amplitude": 1.0,
        "oscilloscope_damping": 0.0,
    },
    "popcorn2": {"popcorn2_x": 0.0, "popcorn2_y": 0.0, "popcorn2_c": 0.0},
    "separation": {"separation_x": 0.0, "separation_y": 0.0, "separation_xinside": 0.0, "separation_yinside": 0.0},
    "split": {"split_xsize": 0.0, "split_ysize": 0.0},
    "splits": {"splits_x": 0.0, "splits_y": 0.0},
    "stripes": {"stripes_space": 0.0, "stripes_warp": 0.0},
    "wedge": {"wedge_angle": 0.0, "wedge_hole": 0.0, "wedge_count": 1.0, "wedge_swirl": 0.0},
    "wedge_julia": {
        "wedge_julia_angle": 0.0, "wedge_julia_count": 1.0, "wedge_julia_power": 1.0, "wedge_julia_dist": 0.0,
    },
    "wedge_sph": {"wedge_sph_angle": 0.0, "wedge_sph_hole": 0.0, "wedge_sph_count": 1.0, "wedge_sph_swirl": 0.0},
    "whorl": {"whorl_inside": 0.0, "whorl_outside": 0.0},
    "waves2": {"waves2_scalex": 0.0, "waves2_scaley": 0.0, "waves2_freqx": 0.0, "waves2_freqy": 0.0},
    "auger": {"auger_sym": 0.0, "auger_weight": 0.5, "auger_freq": 1.0, "auger_scale": 1.0},
    "flux": {"flux_spread": 0.0},
    "mobius": {
        "mobius_re_a": 0.0, "mobius_im_a": 0.0, "mobius_re_b": 0.0, "mobius_im_b": 0.0, "mobius_re_c": 0.0,
        "mobius_im_c": 0.0, "mobius_re_d": 0.0, "mobius_im_d": 0.0,
    },
}
"""A variation's parameters with the values they have where a genome says nothing."""

DEFAULTS: dict[str, float] = {name: value for row in PARAMETERS.values() for name, value in row.items()}

ALIASES: dict[str, str] = {
    f"oscope_{part}": f"oscilloscope_{part}" for part in ("separation", "frequency", "amplitude", "damping")
}
"""Names of parameters in motion elements that flam3 prints by its inner names."""
