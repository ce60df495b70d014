"""Source text of a chaos game, specialised on a genome's structure: which variations, not which numbers.

All numbers of a genome lie in one float32 vector, so that one compiled kernel serves each frame of an animation and
each temporal sample of a frame. `layout` tells where what lies; `params.py` fills the vector.
"""

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass

from sheepfold.kinds.flame.engine.variations import PRE_BLUR, TABLE, Variation, names_in

POOL = 4096
"""Chains in one pool; measured: 1024 are too few for long loops, 16384 leave the second-level cache."""

LANES = 16
"""Chains that a transform is given at once: whole vectors of the widest processors, so that none are done singly."""

_HEADER = 8  # six of the affine part, colour, colour speed
_NUMBER = re.compile(r"(?<![\w.])(\d+\.\d*(?:e-?\d+)?|\d+e-?\d+)")
_GIVEN = {
    "at": "at = atan2(x, y)",
    "ay": "ay = atan2(y, x)",
    "sina": "sina = x / r",
    "cosa": "cosa = y / r",
}


@dataclass(frozen=True, slots=True)
class Shape:
    """The structure of one transform: its variations in flam3's order, and whether it has a post transform."""

    variations: tuple[str, ...]
    has_post: bool = False

    @property
    def parameters(self) -> tuple[str, ...]:
        """Return all parameters of the variations, each once, in the order of the vector."""
        return tuple(dict.fromkeys(name for row in self.variations for name in TABLE[row].parameters))

    @property
    def size(self) -> int:
        """Return how many numbers the transform takes: header, weights, parameters, post."""
        return _HEADER + len(self.variations) + len(self.parameters) + 6 * self.has_post


@dataclass(frozen=True, slots=True)
class Structure:
    """What a kernel is compiled for.

    `count_apart` keeps hits apart from alpha, which differ under temporal filters and palettes with alpha.
    `final_is_partial` draws for each point whether the final transform is seen.
    """

    shapes: tuple[Shape, ...]
    final: Shape | None = None
    final_is_partial: bool = False
    has_xaos: bool = False
    has_opacity: bool = False
    count_apart: bool = False

    @property
    def channels(self) -> int:
        """Return the floats of one bucket: red, green, blue, alpha, and hits where they are apart."""
        return 5 if self.count_apart else 4

    @property
    def key(self) -> str:
        """Return a name for the kernel: equal structures have equal names, over releases of the table too."""
        text = json.dumps([asdict(self), processor_source(self)], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:24]


def typed(expression: str) -> str:
    """Return an expression with each written number made a float32."""
    return _NUMBER.sub(r"F(\1)", expression)


def statements(text: str) -> list[str]:
    """Return a row's statements, typed."""
    return [typed(part.strip()) for part in text.split(";") if part.strip()]


def loads(shape: Shape) -> list[str]:
    """Return the statements before the loop: the numbers of one transform from its slice `P`, and what follows."""
    names = ["c00", "c10", "c20", "c01", "c11", "c21", "color", "speed"]
    names += [f"w_{name}" for name in shape.variations] + list(shape.parameters)
    names += ["o00", "o10", "o20", "o01", "o11", "o21"] if shape.has_post else []
    lines = [f"{name} = P[{index}]" for index, name in enumerate(names)]
    for name in shape.variations:
        lines += statements(TABLE[name].once)
    return lines


def step(shape: Shape) -> list[str]:
    """Return the statements that take the point (x, y) to (p, q); `h` is the lane's random state."""
    lines = ["tx = c00 * x + c10 * y + c20", "y = c01 * x + c11 * y + c21", "x = tx"]
    if "pre_blur" in shape.variations:
        lines += [*_draws(5), "w = w_pre_blur", *statements(PRE_BLUR)]
    rows = [(name, TABLE[name]) for name in shape.variations if name != "pre_blur"]
    used = set().union(*(names_in(row.text) for _, row in rows)) if rows else set()
    lines += ["r2 = x * x + y * y", "r = sqrt(r2)"]
    lines += [line for name, line in _GIVEN.items() if name in used]
    lines += ["p = F(0.0)", "q = F(0.0)"]
    for name, row in rows:
        lines += _variation(name, row)
    if shape.has_post:
        lines += ["tx = o00 * p + o10 * q + o20", "q = o01 * p + o11 * q + o21", "p = tx"]
    return lines


def _variation(name: str, row: Variation) -> Iterator[str]:
    yield f"w = w_{name}"
    yield from _draws(row.draws)
    yield from statements(row.first)
    yield f"p = p + w * ({typed(row.x_plus)})"
    yield f"q = q + w * ({typed(row.y_plus)})"


def _draws(count: int) -> list[str]:
    return [line for number in range(1, count + 1) for line in ("h = xorshift(h)", f"u{number} = unit(h)")]


def is_random(shape: Shape) -> bool:
    """Say whether a transform draws random numbers."""
    return "pre_blur" in shape.variations or any(TABLE[name].draws for name in shape.variations)


def distinct(structure: Structure) -> dict[Shape, str]:
    """Return a function's name for each shape that differs: symmetries' transforms share one."""
    return {shape: f"bend{index}" for index, shape in enumerate(dict.fromkeys(structure.shapes))}


def offsets(structure: Structure) -> list[tuple[int, int]]:
    """Return each transform's slice of the vector, the final one's last."""
    shapes = [*structure.shapes, *([structure.final] if structure.final else [])]
    places, start = [], 0
    for shape in shapes:
        places.append((start, start + shape.size))
        start += shape.size
    return places


def processor_source(structure: Structure) -> str:
    """Return the module that the processor's back end compiles: one function a shape, and `play`."""
    parts = ['"""A chaos game, written by sheepfold for one structure of genomes."""', _IMPORTS]
    parts += [_bend(name, shape) for shape, name in distinct(structure).items()]
    if structure.final:
        parts.append(_final(structure.final, is_partial=structure.final_is_partial))
    parts.append(_play(structure))
    return "\n\n\n".join(parts) + "\n"


_IMPORTS = """\
import numpy as np

from sheepfold.kinds.flame.engine.approx import (
    EPS, F, I_LN10, I_PI, I_TAU, PI, PI_2, PI_4, TAU, TWO_I_PI,
    acos, atan2, cos, cosh, exp, floor, fmod, log, odd, pick, power, rint, sin, sinh, sqrt, tan, trunc,
)
from sheepfold.kinds.flame.engine.loops import (
    NONE, ONE, as_double, give_back, kernel, mend, next_word, permute, permute_rows, plot, scatter, scatter_apart,
    take_bad, thin, unit, xorshift,
)"""


_COUNT_BAD = "bad = np.int32(bad + (pick(abs({0}) < F(1e10), NONE, ONE) | pick(abs({1}) < F(1e10), NONE, ONE)))"


def _indented(lines: list[str], depth: int) -> str:
    return "\n".join("    " * depth + line for line in lines)


def _bend(name: str, shape: Shape) -> str:
    """One transform over a slice of the pool, in place; returns how many points went bad."""
    random = is_random(shape)
    body = ["x = X[i]", "y = Y[i]", *(["h = H[i]"] if random else []), *step(shape)]
    body += ["X[i] = p", "Y[i] = q", "C[i] = speed * color + (F(1.0) - speed) * C[i]", *(["H[i] = h"] if random else [])]  # noqa: E501
    body += [_COUNT_BAD.format("p", "q")]
    return (
        f"@kernel\ndef {name}(P, X, Y, C, H):\n{_indented(loads(shape), 1)}\n    bad = NONE\n"
        f"    for i in range(len(X)):\n{_indented(body, 2)}\n    return bad"
    )


def _final(shape: Shape, *, is_partial: bool) -> str:
    """Write the final transform, from the pool into arrays that are only plotted; `seen` is its opacity.

    It returns how many points went bad, which flam3 shows at a random place.
    """
    body = ["x = X[i]", "y = Y[i]", "h = H[i]", *step(shape)]
    colour = "speed * color + (F(1.0) - speed) * C[i]"
    if is_partial:
        body += ["h = xorshift(h)", "keep = unit(h) < seen", "X2[i] = pick(keep, p, X[i])", "Y2[i] = pick(keep, q, Y[i])"]  # noqa: E501
        body += [f"C2[i] = pick(keep, {colour}, C[i])"]
    else:
        body += ["X2[i] = p", "Y2[i] = q", f"C2[i] = {colour}"]
    body += ["H[i] = h"] if is_partial or is_random(shape) else []
    body += [_COUNT_BAD.format("X2[i]", "Y2[i]")]
    return (
        f"@kernel\ndef finish(P, seen, X, Y, C, H, X2, Y2, C2):\n{_indented(loads(shape), 1)}\n    bad = NONE\n"
        f"    for i in range(len(X)):\n{_indented(body, 2)}\n    return bad"
    )


def _play(structure: Structure) -> str:
    """Write the loop over rounds: shuffle, give each stretch of the pool its transform, plot."""
    names, places = distinct(structure), offsets(structure)
    count = len(structure.shapes)
    lines = [
        "for _ in range(most):",
        "    if done >= target: break",
        "    turns += 1",
        *_shuffle(structure, count),
        *("    " + line for line in _bending(structure, names, places)),
    ]
    seen = "X2, Y2, C2"
    if structure.final:
        start, end = places[-1]
        lines.append(f"    if finish(P[{start}:{end}], seen, X2, Y2, C2, H, X3, Y3, C3) > 0: mend(X3, Y3, H)")
        seen = "X3, Y3, C3"
    lines += _plotting(structure, count, seen)
    lines += [
        f"    done += min(many, {POOL})",
        "    X, X2 = X2, X",
        "    Y, Y2 = Y2, Y",
        "    C, C2 = C2, C",
    ]
    return (
        "@kernel\ndef play(P, shares, seen, bases, camera, shades, hist, X, Y, C, H, X2, Y2, C2, X3, Y3, C3,"
        " I, K, bounds, old, spans, rng, target, most):\n    done, turns = 0, 0\n"
        + _indented(lines, 1)
        + "\n    if turns % 2 == 1:  # the points lie in the other arrays\n"
        + "        for i in range(len(X)): X2[i], Y2[i], C2[i] = X[i], Y[i], C[i]\n    return done, turns"
    )


def _bending(structure: Structure, names: dict[Shape, str], places: list[tuple[int, int]]) -> list[str]:
    """Bend each stretch of the pool. A point that goes bad is tried anew, from a random place by any transform.

    After five times in a row the place itself is taken, as in flam3: where a transform's parameter that is divided by
    is 0, all of its points are bad, and specks are seen all over the square from -1 to 1.
    """
    lines = ["U, V, W, cuts, many = X2, Y2, C2, bounds, 0", "for trial in range(5):", "    bad = 0"]
    for index, shape in enumerate(structure.shapes):
        (start, end), cut = places[index], f"[cuts[{index}]:cuts[{index + 1}]]"
        lines.append(f"    bad += {names[shape]}(P[{start}:{end}], U{cut}, V{cut}, W{cut}, H{cut})")
    return [
        *lines,
        "    if trial == 0 and bad == 0: break",
        "    if trial == 0: many = take_bad(X2, Y2, C2, X3, Y3, C3, H, I, bounds, old, rng)",
        "    else: many = give_back(many, X2, Y2, C2, X3, Y3, C3, H, I, bounds, old, rng)",
        "    if many == 0: break",
        "    U, V, W, cuts = X3, Y3, C3, old",
    ]


def _shuffle(structure: Structure, count: int) -> list[str]:
    if structure.has_xaos:
        return ["    permute_rows(X, Y, C, X2, Y2, C2, shares, bounds, old, spans, rng)"]
    return [
        "    permute(X, Y, C, X2, Y2, C2, rng)",
        "    u = as_double(next_word(rng))",
        f"    for k in range({count + 1}): bounds[k] = {LANES} * int(shares[k] * {POOL // LANES} + u)",
    ]


def _plotting(structure: Structure, count: int, seen: str) -> list[str]:
    deposit = "scatter_apart" if structure.count_apart else "scatter"
    x, y, c = seen.split(", ")
    few = ["    many = int(np.ceil(target - done))", f"    if many < {POOL}: thin(camera, many, I, K, rng)"]
    if not structure.has_opacity:
        return [f"    plot(camera, 0, {seen}, I, K)", *few, f"    {deposit}(hist, shades, I, K)"]
    cut = "[bounds[k]:bounds[k + 1]]"
    each = [f"    for k in range({count}):", "        if bases[k] >= 0:"]
    return [
        *each, f"            plot(camera, bases[k], {x}{cut}, {y}{cut}, {c}{cut}, I{cut}, K{cut})", *few,
        *each, f"            {deposit}(hist, shades, I{cut}, K{cut})",
    ]  # fmt: skip


def graphics_source(structure: Structure) -> str:
    """Return the source of the graphics card's kernel: one thread's chain, all transforms in one function.

    `state` holds the chains' x, y, colours and last transforms one after another; `lanes` a random state a chain and,
    behind them, one a chain that is equal over its warp.
    """
    places, count = offsets(structure), len(structure.shapes)
    lines = [
        "place = cuda.threadIdx.x",
        "chain = cuda.blockIdx.x * BLOCK + place",
        "chains = cuda.gridDim.x * BLOCK",
        "xs = cuda.shared.array(BLOCK, np.float32)",
        "ys = cuda.shared.array(BLOCK, np.float32)",
        "cs = cuda.shared.array(BLOCK, np.float32)",
        "px, py, pc = state[chain], state[chains + chain], state[2 * chains + chain]",
        "last = np.int32(state[3 * chains + chain])",
        "h = lanes[chain]",
        "g = lanes[chains + cuda.blockIdx.x * BLOCK + (place // 32) * 32]",
        "width, height, tints = camera[6], camera[7], camera[8]",
        "good = 0",
        "for turn in range(fuse + rounds):",
        *("    " + line for line in _draw(structure)),
        "    for trial in range(5):",  # as in `_bending`
        *("        " + line for line in _choice(structure, count)),
    ]
    for index, shape in enumerate(structure.shapes):
        lines.append(f"        {'if' if index == 0 else 'elif'} chosen == {index}:")
        body = [*_offset_loads(shape, places[index][0]), "x = px", "y = py", *step(shape)]
        body += ["px, py = p, q", "pc = speed * color + (F(1.0) - speed) * pc"]
        lines += ["            " + line for line in body]
    again = ["if abs(px) < F(1e10) and abs(py) < F(1e10): break", *_random_place("px", "py"), "h = xorshift(h)", "u = unit(h)"]  # noqa: E501
    lines += ["        " + line for line in again]
    lines += ["    " + line for line in _graphics_tail(structure, places)]
    lines += ["state[chain] = px", "state[chains + chain] = py", "state[2 * chains + chain] = pc",
              "state[3 * chains + chain] = F(last)", "lanes[chain] = h", "cuda.syncthreads()",
              "if place % 32 == 0: lanes[chains + chain] = g", "cuda.atomic.add(count, 0, good)"]  # fmt: skip
    head = "def play(V, shares, seen, bases, camera, shades, hist, state, lanes, fuse, rounds, count):\n"
    return head + _indented(lines, 1) + "\n"


def _offset_loads(shape: Shape, start: int) -> list[str]:
    return [re.sub(r"P\[(\d+)\]", lambda found: f"V[{start + int(found[1])}]", line) for line in loads(shape)]


def _draw(structure: Structure) -> list[str]:
    """Draw what chooses the next transform: the warp's number, or with xaos the chain's own."""
    return ["h = xorshift(h)", "u = unit(h)"] if structure.has_xaos else ["g = xorshift(g)", "u = unit(g)"]


def _choice(structure: Structure, count: int) -> list[str]:
    """Choose the next transform by `u`, with xaos among those that follow the last."""
    row = f"last * {count + 1} + " if structure.has_xaos else ""
    return ["chosen = 0", f"while chosen < {count - 1} and u >= F(shares[{row}chosen + 1]): chosen += 1"]


def _random_place(x: str, y: str) -> list[str]:
    return [line for axis in (x, y) for line in ("h = xorshift(h)", f"{axis} = unit(h) * F(2.0) - F(1.0)")]


def _graphics_tail(structure: Structure, places: list[tuple[int, int]]) -> list[str]:
    lines = ["last = chosen", "sx, sy, sc = px, py, pc"]
    if structure.final:
        body = [*_offset_loads(structure.final, places[-1][0]), "x = px", "y = py", *step(structure.final)]
        body += ["sx, sy = p, q", "sc = speed * color + (F(1.0) - speed) * pc"]
        body += ["if not (abs(p) < F(1e10) and abs(q) < F(1e10)):"]
        body += ["    " + line for line in _random_place("sx", "sy")]
        if structure.final_is_partial:
            lines += ["h = xorshift(h)", "if unit(h) < seen:", *("    " + line for line in body)]
        else:
            lines += body
    base = "bases[chosen]" if structure.has_opacity else "0"
    lines += ["if turn >= fuse:", "    good += 1",
              "    bx = camera[0] * sx + camera[1] * sy + camera[2]", "    by = camera[3] * sx + camera[4] * sy + camera[5]",  # noqa: E501
              f"    first = {base}",
              "    if bx >= F(0.0) and bx < width and by >= F(0.0) and by < height and first >= 0:",
              "        tint = np.int32(min(max(sc * tints, F(0.0)), tints - F(1.0))) + first",
              f"        spot = (np.int64(by) * np.int64(width) + np.int64(bx)) * {structure.channels}",
              f"        for channel in range({structure.channels}):",
              f"            cuda.atomic.add(hist, spot + channel, shades[tint * {structure.channels} + channel])"]  # fmt: skip  # noqa: E501
    if not structure.has_xaos:  # the points of a block change places: other partners, and another warp's transform
        lines += ["to = (place * 37 + turn * 101 + 17) % BLOCK", "xs[to], ys[to], cs[to] = px, py, pc",
                  "cuda.syncthreads()", "px, py, pc = xs[place], ys[place], cs[place]", "cuda.syncthreads()"]  # fmt: skip  # noqa: E501
    return lines
