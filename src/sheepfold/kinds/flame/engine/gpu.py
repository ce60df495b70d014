"""The graphics card's back end: the same table of variations as one CUDA kernel, compiled by numba-cuda.

A thread is a chain. The threads of a warp take the same transform, drawn anew each round, so that they do not part
ways; between rounds a block's points change places, so that warps do not become families. With xaos each chain draws
for itself. Points are added to float32 buckets by atomic adds.
"""

import ast
import importlib
import math
import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sheepfold.kinds.flame.engine.codegen import Structure, graphics_source
from sheepfold.kinds.flame.engine.params import Params

BLOCK = 256
BLOCKS_A_PROCESSOR = 8
ROUNDS_A_LAUNCH = 1024



def is_there() -> bool:
    """Say whether numba-cuda is installed and sees a device."""
    cuda = _cuda()
    return cuda is not None and bool(cuda.is_available())


@lru_cache(1)
def _cuda() -> Any:  # noqa: ANN401 - numba-cuda may not be there
    try:
        cuda = importlib.import_module("numba.cuda")
        importlib.import_module("numba_cuda")  # the one within numba is out of care, and finds no wheels' libraries
    except ImportError:
        return None
    return cuda


@lru_cache(64)
def _function(structure: Structure) -> Any:  # noqa: ANN401 - numba-cuda may not be there
    """Return the kernel's plain function, its words bound to CUDA's."""
    words = _words()
    tree = ast.fix_missing_locations(_Inlined().visit(ast.parse(_shifts_written_out(graphics_source(structure)))))
    exec(compile(ast.unparse(tree), f"<flame {structure.key}>", "exec"), words)  # noqa: S102 - our own text
    return words["play"]


def _words() -> dict[str, Any]:
    """Return the names that a kernel's source uses, for the device: fast math is close enough to the processor's."""
    cuda = _cuda()
    math_of = importlib.import_module("numba.cuda.libdevice") if cuda else None
    words: dict[str, Any] = {"cuda": cuda, "F": np.float32, "np": np, "BLOCK": BLOCK}
    for name, value in {"EPS": 1e-10, "PI": math.pi, "TAU": math.tau, "PI_2": math.pi / 2, "PI_4": math.pi / 4,
                        "I_PI": 1 / math.pi, "I_TAU": 1 / math.tau, "TWO_I_PI": 2 / math.pi,
                        "I_LN10": 1 / math.log(10)}.items():  # fmt: skip
        words[name] = np.float32(value)
    for name, device in {"sin": "fast_sinf", "cos": "fast_cosf", "atan2": "atan2f", "exp": "fast_expf",
                         "log": "fast_logf", "sqrt": "sqrtf", "floor": "floorf", "trunc": "truncf", "rint": "rintf",
                         "acos": "acosf", "sinh": "sinhf", "cosh": "coshf", "fmod": "fmodf", "tan": "fast_tanf",
                         "power": "powf"}.items():  # fmt: skip
        words[name] = getattr(math_of, device)
    return words


class _Inlined(ast.NodeTransformer):
    """Writes the small words out: a device function would be compiled for the device at hand, and there may be none."""

    def visit_Call(self, node: ast.Call) -> ast.AST:
        """Put a word's meaning in its place."""
        self.generic_visit(node)
        word = node.func.id if isinstance(node.func, ast.Name) else ""
        if word == "pick":
            return ast.IfExp(*node.args)
        text = _MEANINGS.get(word)
        return ast.parse(text.format(ast.unparse(node.args[0])), mode="eval").body if text else node


def _shifts_written_out(source: str) -> str:
    """Return a source in which each `h = xorshift(h)` is the three steps that it means."""
    steps = "; ".join(f"{{0}} = np.uint32({{0}} ^ np.uint32({{0}} {shift}))" for shift in
                      ("<< np.uint32(13)", ">> np.uint32(17)", "<< np.uint32(5)"))  # fmt: skip
    return re.sub(r"\b(\w) = xorshift\(\1\)", lambda found: steps.format(found[1]), source)


_MEANINGS = {
    "odd": "F(np.int32({0}) & 1)",
    "unit": "F(np.uint32({0} >> np.uint32(8))) * F(2.0**-24)",
}


def to_ptx(structure: Structure, capability: tuple[int, int] = (8, 0)) -> str:
    """Return the kernel as PTX; needs numba-cuda, but no device."""
    cuda = _cuda()
    if cuda is None:
        raise RuntimeError("numba-cuda is not installed; the extra `gpu` has it")
    ptx, _ = cuda.compile_ptx(_function(structure), _signature(), cc=capability, fastmath=True)
    return str(ptx)


def _signature() -> tuple[Any, ...]:
    types = importlib.import_module("numba").types
    floats, doubles, longs = types.float32[::1], types.float64[::1], types.int64[::1]
    words = types.uint32[::1]
    return (floats, doubles, types.float32, longs, floats, floats, floats, floats, words, types.int32, types.int32, longs)  # noqa: E501


@lru_cache(64)
def _compiled(structure: Structure) -> Any:  # noqa: ANN401 - numba-cuda may not be there
    return _cuda().jit(fastmath=True)(_function(structure))


def accumulate(
    structure: Structure, moments: Iterable[tuple[Params, float]], shape: tuple[int, int], seed: int
) -> tuple[NDArray[np.float32], int]:
    """Return additive buckets and how many samples they hold, as the processor's back end does."""
    cuda = _cuda()
    kernel = _compiled(structure)
    blocks = cuda.get_current_device().MULTIPROCESSOR_COUNT * BLOCKS_A_PROCESSOR
    chains = blocks * BLOCK
    random = np.random.default_rng((seed, 0))
    buckets = cuda.to_device(np.zeros(shape[0] * shape[1] * structure.channels, np.float32))
    points = random.uniform(-1.0, 1.0, 4 * chains).astype(np.float32)
    points[2 * chains : 3 * chains] = np.abs(points[2 * chains : 3 * chains])
    points[3 * chains :] = 0.0  # which transform was last, for xaos
    state = cuda.to_device(points)
    lanes = cuda.to_device(random.integers(1, 2**32, 2 * chains, np.uint32))
    count = cuda.to_device(np.zeros(1, np.int64))
    moments = list(moments)
    done, wanted, fuse = 0, 0.0, moments[0][0].fuse
    for params, samples in moments:
        wanted += samples
        arrays = [cuda.to_device(np.ascontiguousarray(array).ravel()) for array in
                  (params.vector, params.shares, params.bases, params.camera, params.shades)]  # fmt: skip
        vector, shares, bases, camera, shades = arrays
        idle = 0
        while done < wanted and idle < 5:
            rounds = min(ROUNDS_A_LAUNCH, max(1, math.ceil((wanted - done) / chains)))
            kernel[blocks, BLOCK](vector, shares, np.float32(params.seen), bases, camera, shades, buckets, state, lanes,
                                  np.int32(fuse), np.int32(rounds), count)  # fmt: skip
            before, done, fuse = done, int(count.copy_to_host()[0]), 0
            idle = idle + 1 if done == before else 0
    return buckets.copy_to_host().reshape(*shape, structure.channels), done


