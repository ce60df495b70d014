"""The 99 variations of flam3 3.1.1, a row each: the one source from which both back ends are written.

A row says what a variation adds to the point, times its weight: `x_plus` and `y_plus`. `first` are statements before
that, for each point; `once` are statements before the loop, whose names must begin with the variation's own. In them:

| name         | meaning                                                                        |
|--------------|--------------------------------------------------------------------------------|
| x, y         | the point after the affine part                                                |
| w            | the variation's weight                                                         |
| r2, r        | the squared distance from the origin, and the distance                         |
| at, ay       | atan2(x, y) and atan2(y, x): flam3 counts some angles from the upper axis      |
| sina, cosa   | x / r and y / r                                                                |
| c10 ... c21  | the affine part's numbers as flam3 counts them: column, then row               |
| u1 ... u5    | fresh random numbers in [0, 1)                                                 |
| others       | the variation's parameters, functions of `approx`, and names from the row      |

Numbers are written with a decimal point: they become float32. A conditional is `pick(condition, yes, no)`, so that
loops have no branches. The formulas are those of flam3's `variations.c`; where a value has no limit there, as a
division by zero, ours may be another large number: both leave the picture.
"""

import re
from dataclasses import dataclass
from functools import cache

from sheepfold.kinds.flame.words import PARAMETERS


@dataclass(frozen=True, slots=True)
class Variation:
    """A row of the table; see the module's docstring for its little language."""

    x_plus: str
    y_plus: str
    first: str = ""
    once: str = ""

    @property
    def text(self) -> str:
        """Return all of the row's source, to look for names in."""
        return f"{self.once}; {self.first}; {self.x_plus}; {self.y_plus}"

    @property
    def parameters(self) -> tuple[str, ...]:
        """Return the parameters that the row uses, sorted by name."""
        return tuple(sorted(names_in(self.text) & PARAMETERS))

    @property
    def draws(self) -> int:
        """Return how many random numbers a point needs."""
        return max((int(name[1]) for name in names_in(self.text) if re.fullmatch(r"u[1-9]", name)), default=0)


@cache
def names_in(text: str) -> frozenset[str]:
    """Return all identifiers of a source text."""
    return frozenset(re.findall(r"[A-Za-z_]\w*", text))


_GAUSS = "(u1 + u2 + u3 + u4 - 2.0)"

V = Variation
TABLE: dict[str, Variation] = {
    "linear": V("x", "y"),
    "sinusoidal": V("sin(x)", "sin(y)"),
    "spherical": V("x * s", "y * s", "s = 1.0 / (r2 + EPS)"),
    "swirl": V("s * x - c * y", "c * x + s * y", "s = sin(r2); c = cos(r2)"),
    "horseshoe": V("(x - y) * (x + y) * s", "2.0 * x * y * s", "s = 1.0 / (r + EPS)"),
    "polar": V("at * I_PI", "r - 1.0"),
    "handkerchief": V("r * sin(at + r)", "r * cos(at - r)"),
    "heart": V("r * sin(r * at)", "-r * cos(r * at)"),
    "disc": V("sin(PI * r) * s", "cos(PI * r) * s", "s = at * I_PI"),
    "spiral": V("(cosa + sin(s)) / s", "(sina - cos(s)) / s", "s = r + EPS"),
    "hyperbolic": V("sina / (r + EPS)", "cosa * (r + EPS)"),
    "diamond": V("sina * cos(r)", "cosa * sin(r)"),
    "ex": V("r * (s + c)", "r * (s - c)", "s = sin(at + r); c = cos(at - r); s = s * s * s; c = c * c * c"),
    "julia": V("s * cos(a)", "s * sin(a)", "s = sqrt(r); a = 0.5 * at + pick(u1 < 0.5, 0.0, PI)"),
    "bent": V("pick(x < 0.0, 2.0 * x, x)", "pick(y < 0.0, 0.5 * y, y)"),
    "waves": V("x + c10 * sin(y * waves_dx)", "y + c11 * sin(x * waves_dy)",
               once="waves_dx = 1.0 / (c20 * c20 + EPS); waves_dy = 1.0 / (c21 * c21 + EPS)"),
    "fisheye": V("s * y", "s * x", "s = 2.0 / (r + 1.0)"),
    "popcorn": V("x + c20 * sin(tan(3.0 * y))", "y + c21 * sin(tan(3.0 * x))"),
    "exponential": V("s * cos(PI * y)", "s * sin(PI * y)", "s = exp(x - 1.0)"),
    "power": V("s * cosa", "s * sina", "s = power(r, sina)"),
    "cosine": V("cos(PI * x) * cosh(y)", "-sin(PI * x) * sinh(y)"),
    "rings": V("s * cosa", "s * sina", "s = fmod(r + rings_d, 2.0 * rings_d) - rings_d + r * (1.0 - rings_d)",
               "rings_d = c20 * c20 + EPS"),
    "fan": V("r * cos(a)", "r * sin(a)",
             "a = at + pick(fmod(at + c21, fan_d) > 0.5 * fan_d, -0.5 * fan_d, 0.5 * fan_d)",
             "fan_d = PI * (c20 * c20 + EPS)"),
    "blob": V("sina * s", "cosa * s", "s = r * (blob_low + (blob_high - blob_low) * (0.5 + 0.5 * sin(blob_waves * at)))"),  # noqa: E501
    "pdj": V("sin(pdj_a * y) - cos(pdj_b * x)", "sin(pdj_c * x) - cos(pdj_d * y)"),
    "fan2": V("r * sin(a)", "r * cos(a)",
              "a = at + fan2_y; a = a - fan2_d * trunc(a / fan2_d);"
              " a = at + pick(a > 0.5 * fan2_d, -0.5 * fan2_d, 0.5 * fan2_d)",
              "fan2_d = PI * (fan2_x * fan2_x + EPS)"),
    "rings2": V("sina * s", "cosa * s",
                "k = trunc((r + rings2_d) / (2.0 * rings2_d)); k = pick(k < 2147483648.0, k, -2147483648.0);"  # C's int
                " s = r - 2.0 * rings2_d * k + r * (1.0 - rings2_d)",
                "rings2_d = rings2_val * rings2_val + EPS"),
    "eyefish": V("s * x", "s * y", "s = 2.0 / (r + 1.0)"),
    "bubble": V("s * x", "s * y", "s = 1.0 / (0.25 * r2 + 1.0)"),
    "cylinder": V("sin(x)", "y"),
    "perspective": V("perspective_dist * x * s", "perspective_c * y * s", "s = 1.0 / (perspective_dist - y * perspective_s)",  # noqa: E501
                     "perspective_s = sin(perspective_angle * PI * 0.5);"
                     " perspective_c = perspective_dist * cos(perspective_angle * PI * 0.5)"),
    "noise": V("x * u2 * cos(TAU * u1)", "y * u2 * sin(TAU * u1)"),
    "julian": V("s * cos(a)", "s * sin(a)",
                "a = (ay + TAU * trunc(abs(julian_power) * u1)) / julian_power; s = power(r2, julian_n)",
                "julian_n = 0.5 * julian_dist / julian_power"),
    "juliascope": V("s * cos(a)", "s * sin(a)",
                    "k = trunc(abs(juliascope_power) * u1); a = (TAU * k + pick(odd(k) > 0.5, -ay, ay)) / juliascope_power;"  # noqa: E501
                    " s = power(r2, juliascope_n)", "juliascope_n = 0.5 * juliascope_dist / juliascope_power"),
    "blur": V("u2 * cos(TAU * u1)", "u2 * sin(TAU * u1)"),
    "gaussian_blur": V("s * cos(TAU * u5)", "s * sin(TAU * u5)", f"s = {_GAUSS}"),
    "radial_blur": V("(r * cos(a) + s * x) / w", "(r * sin(a) + s * y) / w",  # its weight is in the angle
                     f"s = w * {_GAUSS}; a = ay + radial_blur_s * s; s = radial_blur_c * s - 1.0",
                     "radial_blur_s = sin(radial_blur_angle * PI * 0.5); radial_blur_c = cos(radial_blur_angle * PI * 0.5)"),  # noqa: E501
    "pie": V("u3 * cos(a)", "u3 * sin(a)",
             "a = pie_rotation + TAU * (trunc(u1 * pie_slices + 0.5) + u2 * pie_thickness) / pie_slices"),
    "ngon": V("x * s", "y * s",
              "a = ay - ngon_b * floor(ay / ngon_b); a = pick(a > 0.5 * ngon_b, a - ngon_b, a);"
              " s = ngon_corners * (1.0 / (cos(a) + EPS) - 1.0) + ngon_circle;"
              " s = s / (power(r2, 0.5 * ngon_power) + EPS)", "ngon_b = TAU / ngon_sides"),
    "curl": V("(x * a + y * b) * s", "(y * a - x * b) * s",
              "a = 1.0 + curl_c1 * x + curl_c2 * (x * x - y * y); b = curl_c1 * y + 2.0 * curl_c2 * x * y;"
              " s = 1.0 / (a * a + b * b)"),
    "rectangles": V("pick(rectangles_x == 0.0, x, (2.0 * floor(x / rectangles_x) + 1.0) * rectangles_x - x)",
                    "pick(rectangles_y == 0.0, y, (2.0 * floor(y / rectangles_y) + 1.0) * rectangles_y - y)"),
    "arch": V("s", "s * s / cos(a)", "a = u1 * w * PI; s = sin(a)"),
    "tangent": V("sin(x) / cos(y)", "tan(y)"),
    "square": V("u1 - 0.5", "u2 - 0.5"),
    "rays": V("s * cos(x)", "s * sin(y)", "s = tan(w * u1 * PI) * w / (r2 + EPS)"),
    "blade": V("x * (c + s)", "x * (c - s)", "a = u1 * w * r; s = sin(a); c = cos(a)"),
    "secant2": V("x", "1.0 / c + pick(c < 0.0, 1.0, -1.0)", "c = cos(w * r)"),
    "twintrian": V("x * c", "x * (c - PI * s)",
                   "a = u1 * w * r; s = sin(a); c = pick(s == 0.0, -30.0, log(s * s) * I_LN10 + cos(a))"),
    "cross": V("x * s", "y * s", "s = x * x - y * y; s = sqrt(1.0 / (s * s + EPS))"),
    "disc2": V("(sin(a) + disc2_c) * s", "(cos(a) + disc2_s) * s", "a = disc2_rot * PI * (x + y); s = at * I_PI",
               "disc2_k = pick(disc2_twist > TAU, 1.0 + disc2_twist - TAU,"
               " pick(disc2_twist < -TAU, 1.0 + disc2_twist + TAU, 1.0));"
               " disc2_s = sin(disc2_twist) * disc2_k; disc2_c = (cos(disc2_twist) - 1.0) * disc2_k"),
    "super_shape": V("x * s", "y * s",
                     "a = 0.25 * super_shape_m * ay + PI_4;"
                     " a = power(abs(cos(a)), super_shape_n2) + power(abs(sin(a)), super_shape_n3);"
                     " s = (super_shape_rnd * u1 + (1.0 - super_shape_rnd) * r - super_shape_holes)"
                     " * power(a, -1.0 / super_shape_n1) / r"),
    "flower": V("x * s", "y * s", "s = (u1 - flower_holes) * cos(flower_petals * ay) / r"),
    "conic": V("x * s", "y * s", "s = (u1 - conic_holes) * conic_eccentricity / (1.0 + conic_eccentricity * x / r) / r"),  # noqa: E501
    "parabola": V("parabola_height * s * s * u1", "parabola_width * cos(r) * u2", "s = sin(r)"),
    "bent2": V("pick(x < 0.0, bent2_x * x, x)", "pick(y < 0.0, bent2_y * y, y)"),
    "bipolar": V("0.25 * TWO_I_PI * log((r2 + 1.0 + 2.0 * x) / (r2 + 1.0 - 2.0 * x))", "TWO_I_PI * a",
                 "a = 0.5 * atan2(2.0 * y, r2 - 1.0) - PI_2 * bipolar_shift;"
                 " a = pick(a > PI_2, fmod(a + PI_2, PI) - PI_2, pick(a < -PI_2, PI_2 - fmod(PI_2 - a, PI), a))"),
    "boarders": V("0.5 * a + x - a + pick(u1 >= 0.75, 0.0, pick(abs(a) >= abs(b), c, k * a / b))",
                  "0.5 * b + y - b + pick(u1 >= 0.75, 0.0, pick(abs(a) >= abs(b), c * b / a, k))",
                  "a = x - rint(x); b = y - rint(y); c = pick(a >= 0.0, 0.25, -0.25); k = pick(b >= 0.0, 0.25, -0.25)"),
    "butterfly": V("s * x", "2.0 * s * y", "s = 1.30294003 * sqrt(abs(x * y) / (EPS + x * x + 4.0 * y * y))"),
    "cell": V("a + pick(c >= 0.0, 2.0 * c, -(2.0 * c + 1.0)) * cell_size",
              "-(b + pick(k >= 0.0, 2.0 * k, -(2.0 * k + 1.0)) * cell_size)",
              "c = floor(x / cell_size); k = floor(y / cell_size); a = x - c * cell_size; b = y - k * cell_size"),
    "cpow": V("s * cos(a)", "s * sin(a)",
              "k = 0.5 * log(r2); s = exp((cpow_r * k - cpow_i * ay) / cpow_power);"
              " a = (cpow_r * ay + cpow_i * k + TAU * floor(cpow_power * u1)) / cpow_power"),
    "curve": V("x + curve_xamp * exp(-y * y / max(curve_xlength * curve_xlength, 1e-20))",
               "y + curve_yamp * exp(-x * x / max(curve_ylength * curve_ylength, 1e-20))"),
    "edisc": V("cosh(b) * cos(a) * 0.0864278", "pick(y > 0.0, -sin(a), sin(a)) * sinh(b) * 0.0864278",
               "k = 0.5 * (sqrt(max(r2 + 1.0 + 2.0 * x, 0.0)) + sqrt(max(r2 + 1.0 - 2.0 * x, 0.0)));"
               " a = log(k + sqrt(max(k - 1.0, 0.0))); b = -acos(x / k)"),
    "elliptic": V("TWO_I_PI * atan2(a, b)", "TWO_I_PI * pick(y > 0.0, s, -s)",
                  "k = 0.5 * (sqrt(max(r2 + 1.0 + 2.0 * x, 0.0)) + sqrt(max(r2 + 1.0 - 2.0 * x, 0.0)));"
                  " a = x / k; b = sqrt(max(1.0 - a * a, 0.0)); s = log(k + sqrt(max(k - 1.0, 0.0)))"),
    "escher": V("s * cos(a)", "s * sin(a)",
                "k = 0.5 * log(r2); s = exp(escher_c * k - escher_s * ay); a = escher_c * ay + escher_s * k",
                "escher_c = 0.5 + 0.5 * cos(escher_beta); escher_s = 0.5 * sin(escher_beta)"),
    "foci": V("(a - b) * s", "sin(y) * s", "a = 0.5 * exp(x); b = 0.25 / a; s = 1.0 / (a + b - cos(y))"),
    "lazysusan": V("(lazysusan_x + pick(s < w, w * s * cos(k), w * (1.0 + lazysusan_space / s) * a)) / w",
                   "(pick(s < w, w * s * sin(k), w * (1.0 + lazysusan_space / s) * b) - lazysusan_y) / w",
                   "a = x - lazysusan_x; b = y + lazysusan_y; s = sqrt(a * a + b * b);"
                   " k = atan2(b, a) + lazysusan_spin + lazysusan_twist * (w - s)"),
    "loonie": V("x * s", "y * s", "s = pick(r2 < w * w, sqrt(max(w * w / r2 - 1.0, 0.0)), 1.0)"),
    "pre_blur": V("0.0", "0.0"),  # moves the point before all others: `codegen` writes it there
    "modulus": V("pick(x > modulus_x, fmod(x + modulus_x, 2.0 * modulus_x) - modulus_x,"
                 " pick(x < -modulus_x, modulus_x - fmod(modulus_x - x, 2.0 * modulus_x), x))",
                 "pick(y > modulus_y, fmod(y + modulus_y, 2.0 * modulus_y) - modulus_y,"
                 " pick(y < -modulus_y, modulus_y - fmod(modulus_y - y, 2.0 * modulus_y), y))"),
    "oscilloscope": V("x", "pick(abs(y) <= s, -y, y)",
                      "s = oscilloscope_amplitude * exp(-abs(x) * oscilloscope_damping)"
                      " * cos(TAU * oscilloscope_frequency * x) + oscilloscope_separation"),
    "polar2": V("I_PI * at", "0.5 * I_PI * log(r2)"),
    "popcorn2": V("x + popcorn2_x * sin(tan(y * popcorn2_c))", "y + popcorn2_y * sin(tan(x * popcorn2_c))"),
    "scry": V("x * s", "y * s", "s = 1.0 / (r * (r2 + 1.0 / (w + EPS)) * w)"),  # flam3's knows no weight but this
    "separation": V("pick(x > 0.0, a, -a) - x * separation_xinside", "pick(y > 0.0, b, -b) - y * separation_yinside",
                    "a = sqrt(x * x + separation_x * separation_x); b = sqrt(y * y + separation_y * separation_y)"),
    "split": V("pick(cos(y * split_ysize * PI) >= 0.0, x, -x)", "pick(cos(x * split_xsize * PI) >= 0.0, y, -y)"),
    "splits": V("x + pick(x >= 0.0, splits_x, -splits_x)", "y + pick(y >= 0.0, splits_y, -splits_y)"),
    "stripes": V("a * (1.0 - stripes_space) + x - a", "y + a * a * stripes_warp", "a = x - floor(x + 0.5)"),
    "wedge": V("s * cos(a)", "s * sin(a)",
               "a = ay + wedge_swirl * r; c = floor((wedge_count * a + PI) * I_TAU); s = r + wedge_hole;"
               " a = a * (1.0 - wedge_angle * wedge_count * I_TAU) + c * wedge_angle"),
    "wedge_julia": V("s * cos(a)", "s * sin(a)",
                     "s = power(r2, 0.5 * wedge_julia_dist / wedge_julia_power);"
                     " a = (ay + TAU * trunc(abs(wedge_julia_power) * u1)) / wedge_julia_power;"
                     " c = floor((wedge_julia_count * a + PI) * I_TAU);"
                     " a = a * (1.0 - wedge_julia_angle * wedge_julia_count * I_TAU) + c * wedge_julia_angle"),
    "wedge_sph": V("s * cos(a)", "s * sin(a)",
                   "s = 1.0 / (r + EPS); a = ay + wedge_sph_swirl * s; c = floor((wedge_sph_count * a + PI) * I_TAU);"
                   " a = a * (1.0 - wedge_sph_angle * wedge_sph_count * I_TAU) + c * wedge_sph_angle;"
                   " s = s + wedge_sph_hole"),
    "whorl": V("r * cos(a)", "r * sin(a)", "a = ay + pick(r < w, whorl_inside, whorl_outside) / (w - r)"),
    "waves2": V("x + waves2_scalex * sin(y * waves2_freqx)", "y + waves2_scaley * sin(x * waves2_freqy)"),
    "exp": V("exp(x) * cos(y)", "exp(x) * sin(y)"),
    "log": V("0.5 * log(r2)", "ay"),
    "sin": V("sin(x) * cosh(y)", "cos(x) * sinh(y)"),
    "cos": V("cos(x) * cosh(y)", "-sin(x) * sinh(y)"),
    "tan": V("sin(2.0 * x) * s", "sinh(2.0 * y) * s", "s = 1.0 / (cos(2.0 * x) + cosh(2.0 * y))"),
    "sec": V("cos(x) * cosh(y) * s", "sin(x) * sinh(y) * s", "s = 2.0 / (cos(2.0 * x) + cosh(2.0 * y))"),
    "csc": V("sin(x) * cosh(y) * s", "-cos(x) * sinh(y) * s", "s = 2.0 / (cosh(2.0 * y) - cos(2.0 * x))"),
    "cot": V("sin(2.0 * x) * s", "-sinh(2.0 * y) * s", "s = 1.0 / (cosh(2.0 * y) - cos(2.0 * x))"),
    "sinh": V("sinh(x) * cos(y)", "cosh(x) * sin(y)"),
    "cosh": V("cosh(x) * cos(y)", "sinh(x) * sin(y)"),
    "tanh": V("sinh(2.0 * x) * s", "sin(2.0 * y) * s", "s = 1.0 / (cos(2.0 * y) + cosh(2.0 * x))"),
    "sech": V("cos(y) * cosh(x) * s", "-sin(y) * sinh(x) * s", "s = 2.0 / (cos(2.0 * y) + cosh(2.0 * x))"),
    "csch": V("sinh(x) * cos(y) * s", "-cosh(x) * sin(y) * s", "s = 2.0 / (cosh(2.0 * x) - cos(2.0 * y))"),
    "coth": V("sinh(2.0 * x) * s", "sin(2.0 * y) * s", "s = 1.0 / (cosh(2.0 * x) - cos(2.0 * y))"),
    "auger": V("x + auger_sym * (b - x)", "a",
               "s = sin(auger_freq * x); c = sin(auger_freq * y);"
               " a = y + auger_weight * (0.5 * auger_scale * s + abs(y) * s);"
               " b = x + auger_weight * (0.5 * auger_scale * c + abs(x) * c)"),
    "flux": V("s * cos(a)", "s * sin(a)",
              "b = x + w; c = x - w; s = (2.0 + flux_spread) * sqrt(sqrt(y * y + b * b) / sqrt(y * y + c * c));"
              " a = 0.5 * (atan2(y, c) - atan2(y, b))"),
    "mobius": V("(a * c + b * k) * s", "(b * c - a * k) * s",
                "a = mobius_re_a * x - mobius_im_a * y + mobius_re_b; b = mobius_re_a * y + mobius_im_a * x + mobius_im_b;"  # noqa: E501
                " c = mobius_re_c * x - mobius_im_c * y + mobius_re_d; k = mobius_re_c * y + mobius_im_c * x + mobius_im_d;"  # noqa: E501
                " s = 1.0 / (c * c + k * k)"),
}  # fmt: skip

PRE_BLUR = f"s = w * {_GAUSS}; x = x + s * cos(TAU * u5); y = y + s * sin(TAU * u5)"
"""What `pre_blur` does to the point, before distances and angles are taken."""
