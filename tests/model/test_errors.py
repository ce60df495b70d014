"""The tree of errors, and its drawing."""

import re

import pytest

from sheepfold.model import errors
from sheepfold.model.errors import SheepfoldError


def drawn() -> dict[str, str]:
    """Read the tree in the module's docstring: each error's name with its parent's."""
    found: dict[str, str] = {}
    path: list[str] = []
    for line in errors.__doc__.split("```")[1].strip().splitlines():
        branch, names = re.fullmatch(r"([│├└─ ]*)(\w+(?:, \w+)*)(?: {2,}.*)?", line).groups()
        depth = len(branch) // 4
        for name in names.split(", "):
            found[name] = path[depth - 1] if depth else ""
            path[depth:] = [name]
    return found


def real(error: type[SheepfoldError] = SheepfoldError, parent: str = "") -> dict[str, str]:
    """Walk over the errors that the module defines: each one's name with its parent's."""
    found = {error.__name__: parent}
    for child in error.__subclasses__():
        if child.__module__ == errors.__name__:
            found |= real(child, error.__name__)
    return found


ALL = [getattr(errors, name) for name in real()]


def test_the_drawing_is_the_tree():
    assert drawn() == real()


def test_the_drawing_is_read_whole():
    assert len(drawn()) > 30


@pytest.mark.parametrize("error", ALL, ids=lambda error: error.__name__)
def test_an_errors_docstring_is_its_default_message(error: type[SheepfoldError]):
    assert str(error()) == error.__doc__
    assert str(error("Job 7 is done already.")) == "Job 7 is done already."


@pytest.mark.parametrize("error", ALL, ids=lambda error: error.__name__)
def test_a_default_message_is_a_sentence_for_people(error: type[SheepfoldError]):
    assert re.fullmatch(r"[A-Z][^\n]*\.", str(error()))
