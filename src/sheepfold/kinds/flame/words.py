"""The words of flam3 3.1.1's genome language: its elements' attributes and what each may hold.

The numbers' bounds keep a stranger's genome from costing more than its order says: filters and estimators widen a
picture's borders and its time, a symmetry multiplies transforms. What an order decides (size aside) is no word here,
so that it is left out and the template's stands.
"""

VARIATIONS = frozenset(
    """
    linear sinusoidal spherical swirl horseshoe polar handkerchief heart disc spiral hyperbolic diamond ex julia
    bent waves fisheye popcorn exponential power cosine rings fan blob pdj fan2 rings2 eyefish bubble cylinder
    perspective noise julian juliascope blur gaussian_blur radial_blur pie ngon curl rectangles arch tangent
    square rays blade secant2 twintrian cross disc2 super_shape flower conic parabola bent2 bipolar boarders
    butterfly cell cpow curve edisc elliptic escher foci lazysusan loonie pre_blur modulus oscilloscope polar2
    popcorn2 scry separation split splits stripes wedge wedge_julia wedge_sph whorl waves2 exp log sin cos tan
    sec csc cot sinh cosh tanh sech csch coth auger flux mobius
    """.split()  # noqa: SIM905 - a hundred quoted words would be harder to read
)

PARAMETERS = frozenset(
    """
    blob_low blob_high blob_waves pdj_a pdj_b pdj_c pdj_d fan2_x fan2_y rings2_val perspective_angle
    perspective_dist julian_power julian_dist juliascope_power juliascope_dist radial_blur_angle pie_slices
    pie_rotation pie_thickness ngon_sides ngon_power ngon_circle ngon_corners curl_c1 curl_c2 rectangles_x
    rectangles_y amw_amp disc2_rot disc2_twist super_shape_rnd super_shape_m super_shape_n1 super_shape_n2
    super_shape_n3 super_shape_holes flower_petals flower_holes conic_eccentricity conic_holes parabola_height
    parabola_width bent2_x bent2_y bipolar_shift cell_size cpow_i cpow_r cpow_power curve_xamp curve_yamp
    curve_xlength curve_ylength escher_beta lazysusan_x lazysusan_y lazysusan_spin lazysusan_space
    lazysusan_twist modulus_x modulus_y oscilloscope_separation oscilloscope_frequency oscilloscope_amplitude
    oscilloscope_damping popcorn2_x popcorn2_y popcorn2_c separation_x separation_xinside separation_y
    separation_yinside split_xsize split_ysize splits_x splits_y stripes_space stripes_warp wedge_angle
    wedge_hole wedge_count wedge_swirl wedge_julia_angle wedge_julia_count wedge_julia_power wedge_julia_dist
    wedge_sph_angle wedge_sph_hole wedge_sph_count wedge_sph_swirl whorl_inside whorl_outside waves2_scalex
    waves2_scaley waves2_freqx waves2_freqy auger_freq auger_weight auger_sym auger_scale flux_spread
    mobius_re_a mobius_re_b mobius_re_c mobius_re_d mobius_im_a mobius_im_b mobius_im_c mobius_im_d
    """.split()  # noqa: SIM905 - a hundred quoted words would be harder to read
)

# Attributes that hold numbers: how many (least, most) and between what bounds.
ANY_NUMBER = (-1e9, 1e9)
Numbers = tuple[int, int, tuple[float, float]]

XFORM_NUMBERS: dict[str, Numbers] = {
    "weight": (1, 1, (0, 1e9)),
    "color": (1, 2, ANY_NUMBER),
    "color_speed": (1, 1, ANY_NUMBER),
    "symmetry": (1, 1, ANY_NUMBER),
    "animate": (1, 1, ANY_NUMBER),
    "opacity": (1, 1, (0, 1)),
    "chaos": (1, 100, (0, 1e9)),
    "coefs": (6, 6, ANY_NUMBER),
    "post": (6, 6, ANY_NUMBER),
    "motion_frequency": (1, 1, ANY_NUMBER),
    "var": (1, 99, ANY_NUMBER),
    "var1": (1, 1, (0, 98)),
} | dict.fromkeys(VARIATIONS | PARAMETERS, (1, 1, ANY_NUMBER))

FLAME_NUMBERS: dict[str, Numbers] = {
    "size": (2, 2, (1, 1e6)),  # only its proportion to `scale` matters: the template's is what is rendered
    "center": (2, 2, ANY_NUMBER),
    "scale": (1, 1, (1e-6, 1e9)),
    "rotate": (1, 1, ANY_NUMBER),
    "zoom": (1, 1, (-20, 20)),
    "filter": (1, 1, (0, 10)),
    "temporal_filter_width": (1, 1, (0, 20)),
    "temporal_filter_exp": (1, 1, (-100, 100)),
    "background": (3, 3, (-255, 255)),
    "brightness": (1, 1, (0, 1e6)),
    "gamma": (1, 1, (0.01, 100)),
    "highlight_power": (1, 1, (-100, 100)),
    "vibrancy": (1, 1, (-100, 100)),
    "hue": (1, 1, (-1, 1)),
    "estimator_radius": (1, 1, (0, 50)),
    "estimator_minimum": (1, 1, (0, 50)),
    "estimator_curve": (1, 1, (0, 10)),
    "gamma_threshold": (1, 1, (0, 100)),
    "hsv_rgb_palette_blend": (1, 1, (0, 1)),
    "palette": (1, 1, (-1, 1e6)),
}

XFORM_WORDS: dict[str, frozenset[str]] = {
    "plotmode": frozenset({"off"}),
    "motion_function": frozenset({"sin", "triangle", "hill"}),
}

FLAME_WORDS: dict[str, frozenset[str]] = {
    "filter_shape": frozenset(
        {"gaussian", "hermite", "box", "triangle", "bell", "bspline", "mitchell", "blackman", "catrom", "hanning"}
        | {"hamming", "lanczos3", "lanczos2", "quadratic"}
    ),
    "temporal_filter_type": frozenset({"box", "gaussian", "exp"}),
    "palette_mode": frozenset({"step", "linear"}),
    "interpolation": frozenset({"linear", "smooth"}),
    "interpolation_type": frozenset({"linear", "log", "old", "older"}),
    "interpolation_space": frozenset({"linear", "log", "old", "older"}),
    "palette_interpolation": frozenset({"hsv", "sweep", "rgb", "hsv_circular"}),
}
