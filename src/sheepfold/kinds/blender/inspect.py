"""Whether a file is a Blender frame of the size and format ordered."""

from pathlib import Path

from sheepfold.kinds import pictures
from sheepfold.kinds.blender import exr
from sheepfold.kinds.seam import Facts, Inspection


def inspect(path: Path, facts: Facts) -> Inspection:
    """Judge a rendered frame: OpenEXR where that was ordered, else PNG or JPEG."""
    spec = facts.spec
    misfit = pictures.wrong_size(spec["width"], spec["height"])
    examine = exr.examine if spec.get("format") == "EXR" else pictures.examine
    return examine(path, misfit, allow_blank=bool(spec.get("allow_blank")))
