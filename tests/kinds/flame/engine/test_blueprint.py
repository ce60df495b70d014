import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sheepfold.kinds.flame.engine import blueprint
from sheepfold.kinds.flame.engine.codegen import Shape, Structure
from sheepfold.kinds.flame.engine.variations import TABLE

NAMES = list(TABLE)
SHAPES = st.builds(
    lambda picked, has_post: Shape(tuple(name for name in NAMES if name in picked), has_post),
    st.sets(st.sampled_from(NAMES), max_size=4), st.booleans())
STRUCTURES = st.builds(Structure, st.lists(SHAPES, min_size=1, max_size=3).map(tuple), st.none() | SHAPES,
                       st.booleans(), st.booleans(), st.booleans(), st.booleans())
PLAIN = blueprint.drawn(Structure((Shape(("linear", "julia")),)))


@given(STRUCTURES)
def test_a_structure_is_read_as_it_was_drawn_and_has_one_text(structure: Structure) -> None:
    read = blueprint.read(json.loads(blueprint.text(structure)))
    assert read == structure
    assert blueprint.digest(read) == blueprint.digest(structure)


def shape(**words: Any) -> dict[str, Any]:
    return {"variations": ["linear"], "has_post": False} | words


@pytest.mark.parametrize(
    "told",
    ["linear", None, [], {}, PLAIN | {"more": 1}, PLAIN | {"shapes": []}, PLAIN | {"shapes": "linear"},
     PLAIN | {"shapes": [shape()] * 257}, PLAIN | {"shapes": [shape(variations=["linear", "linear"])]},
     PLAIN | {"shapes": [shape(variations=["julia", "linear"])]}, PLAIN | {"shapes": [shape(variations=["no\nsuch"])]},
     PLAIN | {"shapes": [shape(variations=[["linear"]])]}, PLAIN | {"shapes": [shape(has_post=1)]},
     PLAIN | {"shapes": [shape(has_post="import os")]}, PLAIN | {"final": "linear"}, PLAIN | {"has_xaos": None}],
)  # fmt: skip
def test_what_no_structure_could_be_is_refused(told: object) -> None:
    with pytest.raises(ValueError, match=r"structure|shape|true or false"):
        blueprint.read(told)
