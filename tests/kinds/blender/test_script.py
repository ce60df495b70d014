import ast
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sheepfold.kinds.blender import spec
from sheepfold.kinds.blender.script import script_of

ORDER = spec.parse({"width": 64, "height": 36, "samples": 3, "engine": "BLENDER_EEVEE", "format": "JPEG"})


def told(text: str) -> dict[str, object]:
    """Return what a script says of its order, without running it."""
    for node in ast.parse(text).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "TOLD":
            assert isinstance(node.value, ast.Call)
            return dict(json.loads(ast.literal_eval(node.value.args[0])))
    raise AssertionError("no TOLD")


def test_a_script_tells_the_order() -> None:
    assert told(script_of(ORDER, "CPU")) == {
        "engine": "BLENDER_EEVEE", "width": 64, "height": 36, "samples": 3, "format": "JPEG", "device": "CPU",
    }  # fmt: skip


def test_the_device_may_be_left_to_the_client() -> None:
    assert told(script_of(ORDER))["device"] == ""


@given(st.text())
def test_a_word_of_a_hostile_farm_stays_a_word(word: str) -> None:
    text = script_of({**ORDER, "engine": word})
    assert told(text)["engine"] == word
    assert text.isascii()
    assert len(text.splitlines()) == len(script_of(ORDER).splitlines())


@pytest.mark.parametrize("name", ["engine", "width", "format"])
def test_an_order_that_lacks_a_word_is_refused(name: str) -> None:
    with pytest.raises(KeyError):
        script_of({key: value for key, value in ORDER.items() if key != name})
