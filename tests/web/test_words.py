"""What the farm knows, as people read it."""

import re
from pathlib import Path

import pytest

from sheepfold.web import words


@pytest.mark.parametrize(("name", "told"), [
    ("chromium", "Chromium"), ("Firefox", "Firefox"), ("WEBKITGTK", "WebKitGTK"), ("mac os", "Mac OS"), ("", ""),
])
def test_programs_are_written_as_their_makers_write_them(name, told):
    assert words.program(name) == told


@pytest.mark.parametrize(("name", "value", "told"), [
    ("millipoints", 2500, "2.500 points"), ("digest", "ab" * 32, "digest abababababab…"), ("machine", 3, "machine 3"),
    ("protocol", "electricsheep", "with Electric Sheep"), ("protocol", "morse", "with morse"),
])
def test_facts_are_told_in_few_words(name, value, told):
    assert words.fact(name, value) == told


def test_whatever_a_form_answers_with_has_its_sentence():
    texts = [path.read_text("utf-8") for path in Path(words.__file__).parent.glob("*.py")]
    said = {word for text in texts for call in re.findall(r"visit\.go\([^\n]*", text)
            for word in re.findall(r'"([a-z]+)"', call.split(",", 1)[1] if "," in call else "")}
    deeds_of_machines = {"pause", "resume", "stop", "revoke"}
    assert (said - {"deed", "test", "remove"}) | deeds_of_machines <= set(words.DONE)
    assert len(said) > 15
