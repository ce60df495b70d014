"""The list of what a server must bear, in the documents: each line's proof is there, and each quirk is on the list."""

import re
from pathlib import Path

TESTS = Path(__file__).resolve().parents[2]
PAGE = TESTS.parent / "docs" / "protocols" / "sheepit.md"
TEST = re.compile(r"^def (test_\w+)", re.MULTILINE)
QUIRKS = {f"quirks/{path.stem}" for path in (TESTS / "traffic" / "sheepit" / "quirks").glob("*.txt")}


def proofs():
    """Return the proofs of each requirement."""
    table = PAGE.read_text("utf-8").split("| requirement | proof |")[1]
    lines = [line.strip("|").split("|") for line in table.splitlines() if line.startswith("| ")]
    return {requirement.strip(): re.findall("`([^`]+)`", proof) for requirement, proof in lines}


def test_each_requirement_has_a_proof_that_exists():
    files = [*TESTS.glob("protocols/sheepit/test_*.py"), *TESTS.glob("journeys/test_*.py")]
    known = QUIRKS | {name for path in files for name in TEST.findall(path.read_text("utf-8"))}
    assert len(proofs()) > 20
    assert [line for line, named in proofs().items() if not named or not known.issuperset(named)] == []


def test_each_quirk_is_on_the_list():
    assert QUIRKS - {name for named in proofs().values() for name in named} == set()
