"""Toning a row of pixels: density to brightness by gamma, then highlights, vibrancy and background.

All conditionals are `pick`, so that LLVM tones as many pixels at once as the processor has lanes. The numbers are in
this order: 1 / gamma, vibrancy, gamma threshold, highlight power, and the background's red, green and blue, 0 to 256.
"""

import numpy as np

from sheepfold.kinds.flame.engine.approx import F, floor, pick, power
from sheepfold.kinds.flame.engine.loops import inline, kernel

_0, _1, _WHITE, _256 = F(0), F(1), F(255), F(256)


@kernel
def tone(R, G, B, A, numbers, is_transparent):  # type: ignore[no-untyped-def]
    """Change log densities into red, green and blue, 0 to 255, and alpha, 0 to 1, in place."""
    gamma, vibrancy, threshold, highlights = numbers[0], numbers[1], numbers[2], numbers[3]
    red_behind, green_behind, blue_behind = numbers[4], numbers[5], numbers[6]
    extra = np.zeros((3, len(A)), np.float32)
    if vibrancy != _1:
        rest = (_1 - vibrancy) * _256
        _add_powers(R, extra[0], gamma, rest)
        _add_powers(G, extra[1], gamma, rest)
        _add_powers(B, extra[2], gamma, rest)
    red_extra, green_extra, blue_extra = extra[0], extra[1], extra[2]
    has_root, ramp = gamma != floor(gamma), power(threshold, gamma) / threshold
    for i in range(len(A)):
        density = A[i] / _WHITE
        grown, part = power(density, gamma), density / threshold
        grown = pick(density < threshold, (_1 - part) * density * ramp + part * grown, grown)
        alpha = pick(density > _0, min(max(grown, _0), _1), _0)
        scale = pick(density > _0, vibrancy * _256 * grown / density, _0)
        red, green, blue = R[i] / _WHITE, G[i] / _WHITE, B[i] / _WHITE
        most = max(red, green, blue)
        is_blank = (scale == _0) | ((red == _0) & (green == _0) & (blue == _0))
        is_burnt = scale * most > _WHITE
        is_pale = is_burnt & (highlights >= _0)
        pale = power(_WHITE / most / scale, max(highlights, _0))
        held = min(-highlights, _1)
        factor = pick(is_burnt, (_1 - held) * _WHITE / most + held * scale, scale)
        clear = pick(is_transparent, pick(alpha > _0, _1 / alpha, _0), _1)
        behind = pick(is_transparent, _0, _1 - alpha)
        is_no_number = has_root & ((alpha > _0) | (not is_transparent))
        R[i] = _seen(red, most, factor, pale, is_blank, is_pale, red_extra[i], clear, behind * red_behind, is_no_number)
        G[i] = _seen(green, most, factor, pale, is_blank, is_pale, green_extra[i], clear, behind * green_behind,
                     is_no_number)  # fmt: skip
        B[i] = _seen(blue, most, factor, pale, is_blank, is_pale, blue_extra[i], clear, behind * blue_behind,
                     is_no_number)  # fmt: skip
        A[i] = alpha


@inline
def _seen(value, most, factor, pale, is_blank, is_pale, extra, clear, behind, is_no_number):  # type: ignore[no-untyped-def]
    """Return one channel: scaled, or where it would burn out paled, a blend towards white as HSV's saturation is.

    A root of less than 0 is no number, and Debian's flam3 clips that to the most.
    """
    bright = pick(is_pale, _WHITE * (_1 - pale * (_1 - value / most)), value * factor)
    seen = (pick(is_blank, _0, bright) + extra) * clear + behind
    return pick(is_no_number & (value < _0), _WHITE, min(max(seen, _0), _WHITE))


@kernel
def _add_powers(values, extra, gamma, rest):  # type: ignore[no-untyped-def]
    """Add the powers of values, which less than 0 have only where the exponent is whole."""
    negative = pick(gamma != floor(gamma), _0, pick(gamma % F(2) == _1, -_1, _1))
    for i in range(len(values)):
        value = values[i] / _WHITE
        extra[i] += rest * power(abs(value), gamma) * pick(value > _0, _1, pick(value < _0, negative, _0))
