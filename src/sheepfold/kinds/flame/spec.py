"""An order of flame frames: its fields, their bounds and their defaults."""

from typing import Any

from sheepfold.kinds.fields import Fields
from sheepfold.model.errors import InvalidSpec

LOOP = "loop"    # the genome turned through 360 degrees: the last frame meets the first
EDGE = "edge"    # from one genome to another, turning
STILL = "still"  # the genome as it is, once

SMALLEST, LARGEST = 16, 8192  # pixels a side


def parse(raw: object) -> dict[str, Any]:
    """Check an order and complete it; parsing the outcome again changes nothing.

    `quality` is samples a pixel, shared by a frame's `parts`; `bits`, `temporal_samples` and `supersample` are
    flam3's; `seed` is what each part's seed is derived from; `fps` is the film's. Raises InvalidSpec with a sentence.
    """
    fields = Fields(raw, "flame")
    shape = fields.choice("shape", (LOOP, EDGE, STILL), LOOP)
    still = shape == STILL
    spec: dict[str, Any] = {
        "shape": shape,
        "frames": fields.whole("frames", 1, 2000, 1 if still else 160),
        "width": fields.whole("width", SMALLEST, LARGEST, 800),
        "height": fields.whole("height", SMALLEST, LARGEST, 592),
        "quality": fields.number("quality", 0, 10_000, 50),
        "parts": fields.whole("parts", 1, 16, 1),
        "format": fields.choice("format", ("png", "jpg"), "png"),
        "jpeg_quality": fields.whole("jpeg_quality", 1, 100, 95),
        "temporal_samples": fields.whole("temporal_samples", 1, 1000, 1 if still else 60),
        "supersample": fields.whole("supersample", 1, 4, 1),
        "bits": fields.one_of("bits", (32, 33, 64), 33),
        "fps": fields.whole("fps", 1, 120, 20),
        "seed": fields.whole("seed", 0, 2**63 - 1, 0),
        "allow_blank": fields.flag("allow_blank", default=False),
    }
    fields.end()
    if still and spec["frames"] != 1:
        raise InvalidSpec(f"A still has one frame, but frames is {spec['frames']}; order a loop for more.")
    return spec
