"""The Python client of a farm, as its own words promise."""

import re
from pathlib import Path

from sheepfold import client
from sheepfold.protocols.rest.client import FarmClient


def test_face_shows_what_it_names():
    for name in client.__all__:
        assert getattr(client, name).__name__ == name
    assert client.FarmClient is FarmClient


def test_examples_are_python_that_calls_what_there_is():
    for example in re.findall(r"```python\n(.*?)```", client.__doc__, re.DOTALL):
        compile(example, "example", "exec")
        for method in re.findall(r"\bfarm\.(\w+)\(", example):
            assert callable(getattr(FarmClient, method))


def test_face_imports_nothing_but_the_protocol_and_the_model():
    text = Path(client.__file__).read_text("utf-8").rpartition('"""')[2]
    assert set(re.findall(r"^from (\S+) import", text, re.MULTILINE)) == {
        "sheepfold.model.jobs", "sheepfold.protocols.link", "sheepfold.protocols.rest.calls",
        "sheepfold.protocols.rest.client"}
