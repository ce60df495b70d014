import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sheepfold.kinds.flame.spec import parse
from sheepfold.model.errors import InvalidSpec

orders = st.fixed_dictionaries(
    {},
    optional={
        "shape": st.sampled_from(["loop", "edge", "LOOP"]),
        "frames": st.integers(1, 2000),
        "width": st.integers(16, 8192),
        "height": st.integers(16, 8192),
        "quality": st.floats(0, 10_000, exclude_min=True) | st.integers(1, 10_000),
        "parts": st.integers(1, 16),
        "format": st.sampled_from(["png", "jpg"]),
        "jpeg_quality": st.integers(1, 100),
        "temporal_samples": st.integers(1, 1000),
        "supersample": st.integers(1, 4),
        "bits": st.sampled_from([32, 33, 64]),
        "fps": st.integers(1, 120),
        "seed": st.integers(0, 2**63 - 1),
        "allow_blank": st.booleans(),
    },
)
numbers = st.integers() | st.floats()
junk = st.none() | st.booleans() | numbers | st.text(max_size=8) | st.lists(st.integers(), max_size=2)


@given(orders)
def test_a_parsed_order_parses_to_itself_and_is_plain_json(order: dict[str, object]) -> None:
    spec = parse(order)
    assert parse(spec) == spec
    assert json.loads(json.dumps(spec, allow_nan=False)) == spec


@given(st.dictionaries(st.sampled_from([*parse({}), "framse", ""]), junk, max_size=4))
def test_junk_is_refused_with_a_sentence_or_taken_as_an_order(order: dict[str, object]) -> None:
    try:
        spec = parse(order)
    except InvalidSpec as error:
        sentence = str(error)
    else:
        sentence = "."
        assert parse(spec) == spec
    assert sentence.endswith(".")


def test_an_empty_order_is_a_loop_as_the_flock_has_it() -> None:
    spec = parse({})
    assert [spec[name] for name in ("shape", "frames", "width", "height", "quality", "fps")] == [
        "loop", 160, 800, 592, 50, 20,
    ]  # fmt: skip


def test_a_still_has_one_frame() -> None:
    assert parse({"shape": "still"})["frames"] == 1
    with pytest.raises(InvalidSpec, match="A still has one frame"):
        parse({"shape": "still", "frames": 2})


@pytest.mark.parametrize("quality", [0, -1, math.nan, math.inf, 10_001, True, "50", None])
def test_a_quality_that_is_none_is_refused(quality: object) -> None:
    with pytest.raises(InvalidSpec, match="quality must be a number above 0 and up to 10000"):
        parse({"quality": quality})


@pytest.mark.parametrize("frames", [0, 2001, 1.0, True, "20", -(10**30)])
def test_a_number_of_frames_that_is_none_is_refused(frames: object) -> None:
    with pytest.raises(InvalidSpec, match="frames must be a whole number from 1 to 2000"):
        parse({"frames": frames})
