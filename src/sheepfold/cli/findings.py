"""What a check-up has found, as lines for a terminal."""

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Protocol

from sheepfold.cli.plain import plain

BROKEN = "Broken: "
"""How the line of each finding begins."""


class Broken(Protocol):
    """A finding, of a farm in a folder or of one far away."""

    @property
    def invariant(self) -> str:
        """Return what should hold."""
        ...

    @property
    def what(self) -> str:
        """Return what breaks it."""
        ...

    @property
    def remedy(self) -> str:
        """Return what an owner does about it, empty where nobody knows."""
        ...


def lines_of(findings: Iterable[Broken]) -> Iterator[str]:
    """Write findings as they come, and below those that are mended alike what to do."""
    for (invariant, remedy), found in groupby(findings, lambda finding: (finding.invariant, finding.remedy)):
        yield from (f"{BROKEN}{plain(invariant)}: {plain(finding.what)}" for finding in found)
        if remedy:
            yield f"  What to do: {plain(remedy)}"
