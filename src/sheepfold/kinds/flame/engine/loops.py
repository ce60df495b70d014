"""The loops that every kernel of the processor's back end calls: shuffling the pool, plotting, mending.

How numba must be told: arrays never overlap (`noalias` is in numba, but not among its options: see below), no
exceptions for divisions by zero, products and sums may be fused. Loops run over whole slices from zero: a signed
start would make LLVM think of wrapped indices. A shift of a uint32 is a uint64 to numba and is cut back each time.
"""

from typing import Any

import numpy as np
from numba import njit
from numba.core.cpu import CPUTargetOptions
from numba.core.options import TargetOptions

from sheepfold.kinds.flame.engine.approx import F, pick
from sheepfold.kinds.flame.engine.vectors import add_four, prefetch

if not hasattr(CPUTargetOptions, "noalias"):
    CPUTargetOptions.noalias = TargetOptions.Mapping("noalias")  # type: ignore[no-untyped-call]

OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy", "fastmath": {"contract", "nsz"}, "noalias": True}
kernel = njit(cache=True, **OPTIONS)
inline = njit(forceinline=True, error_model="numpy")

NONE, ONE = np.int32(0), np.int32(1)
"""What bad points are counted with: one number of 64 bits in a loop would halve how many float32 go into a vector."""

_MASK = np.int64(4095)
_UNIT = F(2.0**-24)
_U5, _U13, _U17, _U8 = np.uint32(5), np.uint32(13), np.uint32(17), np.uint32(8)
_W13, _W7, _W17, _W11 = np.uint64(13), np.uint64(7), np.uint64(17), np.uint64(11)
_DOUBLE = 2.0**-53
_FOUR, _FIVE = np.uint64(4), np.uint64(5)
_AHEAD = 128
"""How many points in advance a bucket is asked for; measured: 64 to 256 are alike, none doubles the time."""

_NOWHERE = np.int32(31)
"""Points outside share the first buckets, to which they add nothing: one alone would make each wait for the last."""


@inline
def xorshift(h):  # type: ignore[no-untyped-def]
    """Return a lane's next random state (Marsaglia's xorshift32); never 0 where it was not 0."""
    h = np.uint32(h ^ np.uint32(h << _U13))
    h = np.uint32(h ^ np.uint32(h >> _U17))
    return np.uint32(h ^ np.uint32(h << _U5))


@inline
def unit(h):  # type: ignore[no-untyped-def]
    """Return a state as a float32 in [0, 1)."""
    return F(np.int32(np.uint32(h >> _U8))) * _UNIT


@inline
def next_word(rng):  # type: ignore[no-untyped-def]
    """Return the pool's next 64 random bits (xorshift64); `rng` holds the state."""
    w = rng[0]
    w ^= w << _W13
    w ^= w >> _W7
    w ^= w << _W17
    rng[0] = w
    return w


@inline
def as_double(word):  # type: ignore[no-untyped-def]
    """Return 64 random bits as a double in [0, 1)."""
    return np.float64(word >> _W11) * _DOUBLE


@kernel
def permute(X, Y, C, X2, Y2, C2, rng):  # type: ignore[no-untyped-def]
    """Copy the pool in another order: ((a i + b) xor c) mod 4096 with a odd, all three at random.

    Each chain's place is even over the pool; the exclusive or keeps LLVM from vectorising for a = 1 alone.
    """
    word = np.int64(next_word(rng) >> _W17)
    a, b, c = (word & _MASK) | 1, (word >> 12) & _MASK, (word >> 24) & _MASK
    for i in range(4096):
        j = np.uint32(((a * i + b) ^ c) & _MASK)
        X2[i] = X[j]
        Y2[i] = Y[j]
        C2[i] = C[j]


@kernel
def permute_rows(X, Y, C, X2, Y2, C2, shares, bounds, old, spans, rng):  # type: ignore[no-untyped-def]
    """Shuffle for chains whose next transform hangs on their last: within the stretch of each, by its own shares.

    `shares[k]` are the summed probabilities of what follows transform k; the stretches are laid out anew.
    """
    count = len(bounds) - 1
    for k in range(count + 1):
        old[k] = bounds[k]
    for k in range(count):
        size = old[k + 1] - old[k]
        u = as_double(next_word(rng))
        for d in range(count):
            spans[k, d] = int(shares[k, d + 1] * size + u) - int(shares[k, d] * size + u)
    bounds[0] = 0
    for d in range(count):
        total = 0
        for k in range(count):
            total += spans[k, d]
        bounds[d + 1] = bounds[d] + total
    for k in range(count):
        size = old[k + 1] - old[k]
        if size > 0:
            _deal(X, Y, C, X2, Y2, C2, old[k], size, k, bounds, spans, rng)


@kernel
def _deal(X, Y, C, X2, Y2, C2, start, size, k, bounds, spans, rng):  # type: ignore[no-untyped-def]
    """Deal one stretch out to its successors, in an order made of a random stride and start."""
    stride = 1 + int(as_double(next_word(rng)) * (size - 1))
    while _divisor(stride, size) != 1:
        stride += 1
    j = int(as_double(next_word(rng)) * size)
    for d in range(len(bounds) - 1):
        place = bounds[d]
        for before in range(k):
            place += spans[before, d]
        for i in range(place, place + spans[k, d]):
            X2[i] = X[start + j]
            Y2[i] = Y[start + j]
            C2[i] = C[start + j]
            j += stride
            if j >= size:
                j -= size


@kernel
def _divisor(a, b):  # type: ignore[no-untyped-def]
    while b:
        a, b = b, a % b
    return a


@kernel
def plot(camera, base, X, Y, C, I, K):  # type: ignore[no-untyped-def]
    """Tell for each point its bucket and its shade; one outside has the blank shade.

    `camera`: six numbers, width, height, shades, and which shade is blank.
    """
    a, b, c, d, e, f = camera[0], camera[1], camera[2], camera[3], camera[4], camera[5]
    width, height, shades, top = camera[6], camera[7], camera[8], camera[8] - F(1)
    stride, blank = np.int32(width), np.int32(camera[9])
    for i in range(len(X)):
        x = a * X[i] + b * Y[i] + c
        y = d * X[i] + e * Y[i] + f
        inside = (x >= F(0)) & (x < width) & (y >= F(0)) & (y < height)
        x, y = pick(inside, x, F(0)), pick(inside, y, F(0))
        place = np.int32(np.int32(y) * stride + np.int32(x))
        I[i] = pick(inside, place, np.int32(i & _NOWHERE))
        K[i] = pick(inside, np.int32(base + np.int32(min(max(C[i] * shades, F(0)), top))), blank)


@kernel
def thin(camera, many, I, K, rng):  # type: ignore[no-untyped-def]
    """Leave `many` of a round's points, any of them: of a last round that would be too many."""
    word = np.int64(next_word(rng) >> _W17)
    a, b = (word & _MASK) | 1, (word >> 12) & _MASK
    for i in range(many, 4096):
        j = (a * i + b) & _MASK
        I[j], K[j] = np.int32(j & np.int64(_NOWHERE)), np.int32(camera[9])


@kernel
def scatter(hist, shades, I, K):  # type: ignore[no-untyped-def]
    """Add each point's shade to its bucket."""
    last = len(I) - 1
    for i in range(len(I)):
        prefetch(hist, np.uint64(I[min(i + _AHEAD, last)]) * _FOUR)
        add_four(hist, np.uint64(I[i]) * _FOUR, shades, np.uint64(K[i]) * _FOUR)


@kernel
def scatter_apart(hist, shades, I, K):  # type: ignore[no-untyped-def]
    """Add each point's shade to its bucket, and 255 to its hits."""
    last = len(I) - 1
    for i in range(len(I)):
        prefetch(hist, np.uint64(I[min(i + _AHEAD, last)]) * _FIVE)
        b, s = np.uint64(I[i]) * _FIVE, np.uint64(K[i]) * _FIVE
        add_four(hist, b, shades, s)
        hist[b + _FOUR] += shades[s + _FOUR]


@kernel
def mend(X, Y, H):  # type: ignore[no-untyped-def]
    """Give points that went bad a random place in the square from -1 to 1, as flam3 does."""
    for i in range(len(X)):
        if _is_bad(X[i], Y[i]):
            _reseed(X, Y, H, i)


@kernel
def take_bad(X, Y, C, X3, Y3, C3, H, I, bounds, cuts, rng):  # type: ignore[no-untyped-def]
    """List the points that went bad, mended, with their places in `I`, to be tried again; return how many.

    Each transform is to have the part of the list, `cuts`, that it has of the pool, `bounds`.
    """
    many = 0
    for i in range(len(X)):
        if _is_bad(X[i], Y[i]):
            X3[many], Y3[many], C3[many], I[many] = X[i], Y[i], C[i], i
            _reseed(X3, Y3, H, many)
            many += 1
    _deal_list(many, len(X), bounds, cuts, rng)
    return many


@kernel
def give_back(many, X, Y, C, X3, Y3, C3, H, I, bounds, cuts, rng):  # type: ignore[no-untyped-def]
    """Return the points of the list to their places, and keep those on it that went bad again; return how many."""
    left = 0
    for n in range(many):
        i = I[n]
        X[i], Y[i], C[i] = X3[n], Y3[n], C3[n]
        if _is_bad(X3[n], Y3[n]):
            _reseed(X, Y, H, i)
            X3[left], Y3[left], C3[left], I[left] = X[i], Y[i], C[i], i
            left += 1
    _deal_list(left, len(X), bounds, cuts, rng)
    return left


@inline
def _deal_list(many, whole, bounds, cuts, rng):  # type: ignore[no-untyped-def]
    u = as_double(next_word(rng))
    for k in range(len(bounds)):
        cuts[k] = int(bounds[k] / whole * many + u)
    cuts[0], cuts[len(bounds) - 1] = 0, many


@inline
def _is_bad(x, y):  # type: ignore[no-untyped-def]
    return not (abs(x) < F(1e10) and abs(y) < F(1e10))


@inline
def _reseed(X, Y, H, i):  # type: ignore[no-untyped-def]
    h = xorshift(H[i])
    X[i] = unit(h) * F(2) - F(1)
    h = xorshift(h)
    Y[i] = unit(h) * F(2) - F(1)
    H[i] = h
