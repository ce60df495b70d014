"""What the documents promise of Browsershots is held by tests that exist."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
PAGE = ROOT / "docs" / "protocols" / "browsershots.md"


def promises() -> list[tuple[str, str]]:
    """Give the rows of the table: a test, and the file that it stands in."""
    section = PAGE.read_text("utf-8").split("## What holds it\n")[1].split("\n## ")[0]
    return re.findall(r"^\| .+ \| `(\w+)` \| `(\S+)` \|$", section, re.MULTILINE)


@cache
def names_in(path: str) -> frozenset[str]:
    nodes = ast.parse((ROOT / path).read_text("utf-8")).body
    return frozenset(node.name for node in nodes if isinstance(node, ast.FunctionDef))


def test_there_are_promises():
    assert len(promises()) >= 20


@pytest.mark.parametrize(("name", "path"), promises())
def test_a_promise_is_held_by_a_test(name, path):
    assert name.startswith("test_")
    assert name in names_in(path)
