"""The recorded exchanges of two real clients, read into requests and answers."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "traffic" / "sheepit"


@dataclass(frozen=True, slots=True)
class Exchange:
    method: str
    path: str
    query: bytes
    body: bytes
    answer: bytes


def read_exchange(text: str) -> Exchange:
    request, answer = text.split("\n--- RESPONSE\n")
    line = request.split("--- REQUEST\n")[1].splitlines()[0]
    method, target, _ = line.split(" ")
    path, _, query = target.partition("?")
    body = re.split(r"\n\[body \d+ bytes\]\n", request)[1]
    return Exchange(method, path, query.encode(), body.encode(), answer.split("\n\n", 1)[1].encode())


@pytest.fixture
def exchange() -> Callable[[str, str], Exchange]:
    """Read one exchange by the year of its client and the begin of its file's name."""
    def read(year: str, begin: str) -> Exchange:
        (path,) = (FOLDER / f"{year}-client").glob(f"{begin}*")
        return read_exchange(path.read_text())
    return read
