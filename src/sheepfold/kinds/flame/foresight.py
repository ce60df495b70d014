"""What a frame is expected to cost flam3, and which others would be rendered by the same kernel."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sheepfold.kinds.flame import flam3, genome
from sheepfold.kinds.seam import Spec
from sheepfold.model.errors import InvalidSpec

_NUMBERS_ALONE = {"weight", "color", "color_speed", "symmetry", "animate", "coefs"}


@dataclass(frozen=True, slots=True)
class Outlook:
    """The seconds that flam3 is expected to need for a frame, and its trace.

    Frames of equal traces have, but for rare cases, one kernel. It is a cheap look at a stranger's words, and good for
    counting alone: what a kernel is compiled for is found out behind walls.
    """

    flam3_s: float
    trace: str


def outlook(spec: Spec, genomes: Path) -> Outlook:
    """Look ahead at a frame. One that cannot be understood costs nothing: flam3 shall say what it thinks of it."""
    try:
        flames = list(genome.parse(genomes.read_bytes()).iter("flame"))
    except InvalidSpec:
        flames = []
    return Outlook(_expected_s(spec, flames), _trace(flames))


def _expected_s(spec: Spec, flames: list[genome.Element]) -> float:
    """Return flam3's seconds by the order's words; where a wire's tell no size, by the genome's own."""
    if "width" in spec:
        return flam3.cost_ms(spec) / 1000
    try:
        flame = flames[0]
        width, height = (int(side) for side in flame.get("size", "").split())
        told = {"width": width, "height": height, "quality": float(flame.get("quality", "1")), "parts": 1,
                "supersample": int(flame.get("supersample", "1"))}  # fmt: skip
        return flam3.cost_ms(told) / 1000
    except (IndexError, ValueError, OverflowError):
        return 0.0


def _trace(flames: list[genome.Element]) -> str:
    """Return a name for what the flames' transforms are made of, whatever the numbers, but those that are 0."""
    seen: dict[str, set[str]] = {}
    for flame in flames:
        for place, words in _transforms(flame):
            seen.setdefault(place, set()).update(words)
    told = json.dumps({place: sorted(words) for place, words in seen.items()}, sort_keys=True)
    return hashlib.sha256(told.encode()).hexdigest()[:32]


def _transforms(flame: genome.Element) -> Iterator[tuple[str, set[str]]]:
    for index, transform in enumerate(flame):
        if transform.tag in {"xform", "finalxform", "symmetry"}:
            words = {str(name) for name, value in transform.attrib.items() if not _is_nothing(value)}
            yield f"{index} {transform.tag}", words - _NUMBERS_ALONE


def _is_nothing(value: str | bytes) -> bool:
    try:
        return float(value) == 0
    except ValueError:
        return False
