"""A structure as plain JSON: all that the compiler is told of a genome, and checked as what a stranger said."""

import hashlib
import json
from dataclasses import asdict
from typing import Any

from sheepfold.kinds.flame.engine.codegen import Shape, Structure
from sheepfold.kinds.flame.engine.variations import TABLE

MOST_SHAPES = 256
"""More than flam3 lets a genome have, with its symmetry's transforms."""

_FLAGS = ("final_is_partial", "has_xaos", "has_opacity", "count_apart")
_ORDER = {name: index for index, name in enumerate(TABLE)}


def drawn(structure: Structure) -> dict[str, Any]:
    """Return a structure as plain JSON."""
    return asdict(structure)


def text(structure: Structure) -> str:
    """Return a structure's one and only text."""
    return json.dumps(drawn(structure), sort_keys=True)


def digest(structure: Structure) -> str:
    """Return a name for a structure, the same on every machine."""
    return hashlib.sha256(text(structure).encode()).hexdigest()[:32]


def read(told: object) -> Structure:
    """Return the structure that is told of; raises ValueError for all but what `drawn` could have returned.

    So there is nothing in it but names from our own table, in its order, and flags.
    """
    if not isinstance(told, dict) or set(told) != {"shapes", "final", *_FLAGS}:
        raise ValueError("a structure has shapes, final and flags")
    shapes, final = told["shapes"], told["final"]
    if not isinstance(shapes, list | tuple) or not 1 <= len(shapes) <= MOST_SHAPES:
        raise ValueError(f"a structure has 1 to {MOST_SHAPES} shapes")
    return Structure(tuple(_shape(shape) for shape in shapes), None if final is None else _shape(final),
                     *(_flag(told, name) for name in _FLAGS))


def _shape(told: object) -> Shape:
    if not isinstance(told, dict) or set(told) != {"variations", "has_post"}:
        raise ValueError("a shape has variations and has_post")
    names = told["variations"]
    if not isinstance(names, list | tuple) or not all(isinstance(name, str) and name in _ORDER for name in names):
        raise ValueError("a shape's variations are names from the table")
    if sorted(set(names), key=_ORDER.__getitem__) != list(names):
        raise ValueError("a shape's variations are in the table's order, each once")
    return Shape(tuple(names), _flag(told, "has_post"))


def _flag(told: dict[str, Any], name: str) -> bool:
    if not isinstance(told[name], bool):
        raise ValueError(f"{name} is true or false")  # noqa: TRY004 - one error for all that is wrong
    return bool(told[name])
