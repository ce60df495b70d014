"""Branch-free float32 functions for the processor's back end; Cephes' way, with polynomials fitted anew.

A call into libm keeps LLVM from vectorising a loop; these are plain arithmetic. Errors are a few units in the last
place within the ranges that chaos games visit. Outside (angles beyond a million turns) values stay bounded; of no
number sine, cosine and exponential are no number, so that a point which is bad in flam3 is bad here, too.
"""

import math
from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

F = np.float32
EPS, PI, TAU, PI_2, PI_4 = F(1e-10), F(math.pi), F(2 * math.pi), F(math.pi / 2), F(math.pi / 4)
I_PI, I_TAU, TWO_I_PI, I_LN10 = F(1 / math.pi), F(0.5 / math.pi), F(2 / math.pi), F(1 / math.log(10))

_inline = njit(forceinline=True, error_model="numpy", fastmath={"contract", "nsz"})

# pi in three parts, the first two short enough for exact products (Cody and Waite)
_PI_A, _PI_B, _PI_C = F(3.140625), F(0.0009670257568359375), F(6.2771141529083251953e-7)
_LN2_A, _LN2_B, _LOG2E = F(0.693359375), F(-2.12194440e-4), F(1.44269504)
_S = tuple(map(F, (-0.16666658222675323, 0.008333050645887852, -0.00019809033256024122, 2.605136842248612e-06)))
_C = tuple(map(F, (-0.5, 0.04166663438081741, -0.0013888360699638724, 2.4760118321864866e-05, -2.6050781798403477e-07)))
_A = tuple(map(F, (-0.3333306610584259, 0.19992484152317047, -0.14202570915222168, 0.10636754333972931,
                   -0.07495445758104324, 0.042587608098983765, -0.016005029901862144, 0.0028340641874819994)))  # fmt: skip  # noqa: E501
_E = tuple(map(F, (0.5, 0.16666413843631744, 0.041666217148303986, 0.008375212550163269, 0.0013948699925094843)))
_L = tuple(map(F, (-0.49999988079071045, 0.3333418369293213, -0.2500215470790863, 0.19956977665424347,
                   -0.16560696065425873, 0.14949095249176025, -0.14377330243587494, 0.08743945509195328)))  # fmt: skip
_ONE, _ZERO, _HALF, _TWO = F(1), F(0), F(0.5), F(2)
_S1, _S2, _S3, _S4 = _S
_C1, _C2, _C3, _C4, _C5 = _C
_A1, _A2, _A3, _A4, _A5, _A6, _A7, _A8 = _A
_E1, _E2, _E3, _E4, _E5 = _E
_L1, _L2, _L3, _L4, _L5, _L6, _L7, _L8 = _L
_FAR, _EXP_LOW, _EXP_HIGH, _TINY = F(1.6), F(-87.0), F(88.0), F(1e-37)
_BIAS, _MANTISSA, _SHIFT, _ROOT = np.int32(127), np.int32(0x7FFFFF), np.int32(23), np.int32(0x3F3504F3)


@intrinsic
def bits_as_float(_context, bits):  # type: ignore[no-untyped-def]
    """Reinterpret 32 bits as a float32."""
    return types.float32(types.int32), lambda _c, builder, _s, args: builder.bitcast(args[0], ir.FloatType())


@intrinsic
def float_as_bits(_context, value):  # type: ignore[no-untyped-def]
    """Reinterpret a float32 as 32 bits."""
    return types.int32(types.float32), lambda _c, builder, _s, args: builder.bitcast(args[0], ir.IntType(32))


def _llvm(name):  # type: ignore[no-untyped-def]
    """Return LLVM's own float32 function of one argument, which is an instruction on the processor."""

    @intrinsic
    def call(_context, value):  # type: ignore[no-untyped-def]
        def build(_c, builder, _s, args):  # type: ignore[no-untyped-def]
            function = builder.module.declare_intrinsic(f"llvm.{name}", [ir.FloatType()])
            return builder.call(function, args)

        return types.float32(types.float32), build

    return call


floor, trunc, rint, sqrt = _llvm("floor"), _llvm("trunc"), _llvm("rint"), _llvm("sqrt")  # type: ignore[no-untyped-call]


def instruction(typing) -> Any:  # type: ignore[no-untyped-def]
    """Return numba's `intrinsic`, whose stub counts the context among a call's arguments."""
    return intrinsic(typing)


@instruction
def pick(_context, condition, yes, no):  # type: ignore[no-untyped-def]
    """Return one of two values of a type, both made: LLVM's own choice, as a branch may keep a loop from vectors."""
    return yes(types.boolean, yes, yes), lambda _c, builder, _s, args: builder.select(*args)


@_inline
def held(x, low, high):  # type: ignore[no-untyped-def]
    """Return x, held between two bounds; no number stays none, which Python's `min` and `max` would hide."""
    return pick(x < low, low, pick(x > high, high, x))


@_inline
def odd(k):  # type: ignore[no-untyped-def]
    """Return 1 for an odd whole number, 0 for an even one."""
    return k - _TWO * floor(k * _HALF)


@_inline
def _turned(x, n):  # type: ignore[no-untyped-def]
    t = ((x - n * _PI_A) - n * _PI_B) - n * _PI_C
    return held(t, -_FAR, _FAR)


@_inline
def sin(x):  # type: ignore[no-untyped-def]
    """Return the sine of x radians."""
    n = rint(x * I_PI)
    t = _turned(x, n)
    s = t * t
    value = t + t * s * (_S1 + s * (_S2 + s * (_S3 + s * _S4)))
    return pick(odd(n) > _HALF, -value, value)


@_inline
def cos(x):  # type: ignore[no-untyped-def]
    """Return the cosine of x radians."""
    n = rint(x * I_PI)
    t = _turned(x, n)
    s = t * t
    value = _ONE + s * (_C1 + s * (_C2 + s * (_C3 + s * (_C4 + s * _C5))))
    return pick(odd(n) > _HALF, -value, value)


@_inline
def tan(x):  # type: ignore[no-untyped-def]
    """Return the tangent of x radians."""
    return sin(x) / cos(x)


@_inline
def atan2(y, x):  # type: ignore[no-untyped-def]
    """Return the angle of a point in radians."""
    a, b = abs(y), abs(x)
    t = min(a, b) / (max(a, b) + _TINY)
    s = t * t
    value = _A4 + s * (_A5 + s * (_A6 + s * (_A7 + s * _A8)))
    value = t + t * s * (_A1 + s * (_A2 + s * (_A3 + s * value)))
    value = pick(a > b, PI_2 - value, value)
    value = pick(x < _ZERO, PI - value, value)
    return pick(y < _ZERO, -value, value)


@_inline
def acos(x):  # type: ignore[no-untyped-def]
    """Return the arc cosine in radians."""
    return atan2(sqrt(max(_ONE - x * x, _ZERO)), x)


@_inline
def exp(x):  # type: ignore[no-untyped-def]
    """Return e to the power of x, which is held between -87 and 88."""
    x = held(x, _EXP_LOW, _EXP_HIGH)
    n = rint(x * _LOG2E)
    t = (x - n * _LN2_A) - n * _LN2_B
    value = _ONE + t + t * t * (_E1 + t * (_E2 + t * (_E3 + t * (_E4 + t * _E5))))
    return value * bits_as_float(np.int32((np.int32(n) + _BIAS) << _SHIFT))  # type: ignore[call-arg]


@_inline
def log(x):  # type: ignore[no-untyped-def]
    """Return the natural logarithm; of 0 and less about -88."""
    bits = np.int32(float_as_bits(max(x, _TINY)) - _ROOT)  # type: ignore[call-arg]  # so that the mantissa is between the roots of 1/2 and 2
    n = F(np.int32(bits >> _SHIFT))
    t = bits_as_float(np.int32(np.int32(bits & _MANTISSA) + _ROOT)) - _ONE
    value = _L4 + t * (_L5 + t * (_L6 + t * (_L7 + t * _L8)))
    value = t + t * t * (_L1 + t * (_L2 + t * (_L3 + t * value)))
    return n * _LN2_A + (n * _LN2_B + value)


@_inline
def power(base, exponent):  # type: ignore[no-untyped-def]
    """Return a power of a base that is not negative."""
    return exp(exponent * log(base))


@_inline
def sinh(x):  # type: ignore[no-untyped-def]
    """Return the hyperbolic sine."""
    e = exp(x)
    return _HALF * (e - _ONE / e)


@_inline
def cosh(x):  # type: ignore[no-untyped-def]
    """Return the hyperbolic cosine."""
    e = exp(x)
    return _HALF * (e + _ONE / e)


@_inline
def fmod(x, y):  # type: ignore[no-untyped-def]
    """Return the remainder of a division, with the sign of x."""
    return x - y * trunc(x / y)
