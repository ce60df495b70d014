import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sheepfold.kinds.blender.spec import frames_of, parse, written
from sheepfold.model.errors import InvalidSpec


@given(st.sets(st.integers(0, 1_048_574), min_size=1, max_size=60))
def test_frames_come_back_from_what_is_written(frames: set[int]) -> None:
    text = written(sorted(frames))
    assert frames_of({"frames": text}) == sorted(frames)
    assert parse({"frames": sorted(frames)})["frames"] == text
    assert parse({"frames": text})["frames"] == text


@pytest.mark.parametrize(
    ("frames", "step", "expected"),
    [
        ("1-250", 1, list(range(1, 251))),
        ("1-10", 4, [1, 5, 9]),
        ("1-3, 7,20-22", 1, [1, 2, 3, 7, 20, 21, 22]),
        ("5,5,1-6", 1, [1, 2, 3, 4, 5, 6]),
        ([3, 1, 1], 1, [1, 3]),
        ("0", 1, [0]),
    ],
)
def test_frames_are_ranges_lists_and_steps(frames: object, step: int, expected: list[int]) -> None:
    assert frames_of(parse({"frames": frames, "step": step})) == expected


@pytest.mark.parametrize(
    "frames",
    ["", "9-1", "-5", "a", "1-", "1--2", "1-99999999", "1-1000000", [], [1.0], [True], [-1], [2**40], None, 7],
)
def test_frames_that_are_none_or_too_many_are_refused(frames: object) -> None:
    with pytest.raises(InvalidSpec):
        parse({"frames": frames})


def test_a_parsed_order_parses_to_itself_and_is_plain_json() -> None:
    spec = parse({"frames": "1-9", "step": 2, "engine": "cycles", "main": "scenes//a.blend", "compute": "GPU"})
    assert parse(spec) == spec
    assert json.loads(json.dumps(spec)) == spec
    assert (spec["engine"], spec["main"], spec["compute"]) == ("CYCLES", "scenes/a.blend", "gpu")


@pytest.mark.parametrize(
    "main", ["/etc/a.blend", "../a.blend", "a/../../b.blend", "a.txt", "a\\b.blend", "a\x00.blend"]
)
def test_a_path_out_of_the_archive_is_refused(main: str) -> None:
    with pytest.raises(InvalidSpec, match="main must be"):
        parse({"main": main})


@pytest.mark.parametrize("version", ["latest", "4.2.3.1", "4.x", "-1"])
def test_a_version_that_is_none_is_refused(version: str) -> None:
    with pytest.raises(InvalidSpec, match="renderer_version"):
        parse({"renderer_version": version})


@pytest.mark.parametrize("form", ["PNG", "JPEG", "EXR"])
def test_frames_come_in_three_formats(form: str) -> None:
    assert parse({"format": form})["format"] == form


def test_a_monstrous_picture_is_refused() -> None:
    with pytest.raises(InvalidSpec, match="pixels"):
        parse({"width": 16_384, "height": 16_384})


def test_a_short_text_that_names_frames_a_hundred_million_times_is_refused() -> None:
    with pytest.raises(InvalidSpec, match="again and again"):
        parse({"frames": "0-9999," * 14_000 + "1"})
    assert parse({"frames": "0-9999,0-9999"})["frames"] == "0-9999"
