"""What an order of Blender frames leaves open, taken from its scene, and what the artist should know of it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sheepfold.kinds.blender import examine, project
from sheepfold.kinds.seam import Completed

UNSEEN = "This farm has no Blender to look into projects with, so that the order is taken as it stands."


def complete(raw: Mapping[str, Any], inputs: Mapping[str, Path], folder: Path) -> Completed:
    """Complete an order by its project; raises InvalidSpec for what is no project."""
    found = examine.examine(project.only(inputs), str(raw.get("main", "")), folder)
    if found is None:
        return Completed(dict(raw), (UNSEEN,))
    return Completed(examine.complete(raw, found), tuple(examine.remarks(found, has_format="format" in raw)))
