"""Extending an order of Blender frames: more frames of the same scene, in the same size and quality."""

from typing import Any

from sheepfold.kinds.blender.spec import frames_of, parse, written
from sheepfold.kinds.seam import Spec


def extend(spec: Spec, frames: str) -> dict[str, Any]:
    """Return the order with more frames, written such as `251-300`; raises InvalidSpec."""
    more = parse({**spec, "frames": frames, "step": 1})
    return parse({**spec, "frames": written(sorted({*frames_of(spec), *frames_of(more)}))})
