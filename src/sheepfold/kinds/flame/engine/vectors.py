"""Four float32 that lie side by side, as one vector: a bucket's channels, added to another's; and a word to the memory.

LLVM would find these vectors by itself only with its pass for straight-line code, which finds others, too, in the
functions of `approx`, and loops that hold such a vector are not made into vectors of eight or sixteen points any more.
Nothing checks the indices.
"""

from typing import Any

from llvmlite import ir
from numba import types

from sheepfold.kinds.flame.engine.approx import instruction

_FOUR = ir.VectorType(ir.FloatType(), 4)


def _element(context: Any, builder: Any, signature: Any, args: Any, which: int) -> Any:
    """Return the address of an array's element; array and index are two arguments that follow each other."""
    data = context.make_array(signature.args[which])(context, builder, args[which]).data
    return builder.gep(data, [args[which + 1]])


def _four(context: Any, builder: Any, signature: Any, args: Any, which: int) -> Any:
    return builder.bitcast(_element(context, builder, signature, args, which), _FOUR.as_pointer())


@instruction
def prefetch(_context, array, index):  # type: ignore[no-untyped-def]
    """Ask the memory for an element of an array that will be written soon; any index is safe."""

    def build(context, builder, signature, args):  # type: ignore[no-untyped-def]
        place = builder.bitcast(_element(context, builder, signature, args, 0), ir.IntType(8).as_pointer())
        word = ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [place.type, word, word, word])
        function = builder.module.declare_intrinsic("llvm.prefetch", [place.type], kind)
        builder.call(function, [place, word(1), word(3), word(1)])  # to write, into the nearest cache, of data
        return context.get_dummy_value()

    return types.void(array, index), build


@instruction
def add_four(_context, sums, place, addends, start):  # type: ignore[no-untyped-def]
    """Add the four from `start` on to the four from `place` on."""

    def build(context, builder, signature, args):  # type: ignore[no-untyped-def]
        target, source = (_four(context, builder, signature, args, which) for which in (0, 2))
        total = builder.fadd(builder.load(target, align=4), builder.load(source, align=4))
        builder.store(total, target, align=4)
        return context.get_dummy_value()

    return types.void(sums, place, addends, start), build


@instruction
def add_scaled_four(_context, sums, place, addends, start, factor):  # type: ignore[no-untyped-def]
    """Add the four from `start` on, times a factor, to the four from `place` on."""

    def build(context, builder, signature, args):  # type: ignore[no-untyped-def]
        target, source = (_four(context, builder, signature, args, which) for which in (0, 2))
        lane = ir.Constant(ir.IntType(32), 0)
        single = builder.insert_element(ir.Constant(_FOUR, ir.Undefined), args[4], lane)
        spread = builder.shuffle_vector(
            single, ir.Constant(_FOUR, ir.Undefined), ir.Constant(ir.VectorType(ir.IntType(32), 4), [0, 0, 0, 0])
        )
        product = builder.fmul(builder.load(source, align=4), spread, flags=["contract"])
        builder.store(builder.fadd(builder.load(target, align=4), product, flags=["contract"]), target, align=4)
        return context.get_dummy_value()

    return types.void(sums, place, addends, start, factor), build
