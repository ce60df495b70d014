"""Whether a file is a Blender frame of the size ordered."""

from pathlib import Path

from sheepfold.kinds import pictures
from sheepfold.kinds.seam import Facts, Inspection


def inspect(path: Path, facts: Facts) -> Inspection:
    """Judge a rendered frame, PNG or JPEG."""
    spec = facts.spec
    misfit = pictures.wrong_size(spec["width"], spec["height"])
    return pictures.examine(path, misfit, allow_blank=bool(spec.get("allow_blank")))
