"""The recorded exchanges of a real screenshot factory, read into requests and answers."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "traffic" / "browsershots"


@dataclass(frozen=True, slots=True)
class Exchange:
    path: str
    body: bytes
    answer: bytes


def read_exchange(text: str) -> Exchange:
    request, answer = text.split("#################### RESPONSE\n")
    head, body = request.split("#################### REQUEST\n")[1].split("\n\n", 1)
    # The recording leaves out most of the picture; with the parts of lines around the gap gone, whole lines remain.
    body = re.sub(r"\n.*\n\[\.\.\. \d+ base64 characters omitted .*\]\n.*\n", "\n", body)
    return Exchange(head.split(" ")[1], body.encode(), answer.split("\n\n", 1)[1].encode())


@pytest.fixture
def exchange() -> Callable[[int], Exchange]:
    """Read one exchange by its number."""
    def read(number: int) -> Exchange:
        (path,) = FOLDER.glob(f"{number:03d}-*")
        return read_exchange(path.read_text())
    return read


@pytest.fixture
def started_address() -> str:
    """The address with which the real factory started its browser."""
    words = (FOLDER / "helper-commands.txt").read_text().split()
    return next(word for word in words if "/redirect/" in word)
