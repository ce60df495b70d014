"""Whether a file is a screenshot of the shape ordered."""

from pathlib import Path

from sheepfold.kinds import pictures
from sheepfold.kinds.screenshot.spec import views
from sheepfold.kinds.seam import Facts, Inspection

TALLEST = 4  # times the width


def inspect(path: Path, facts: Facts) -> Inspection:
    """Judge a screenshot by Browsershots' rules: the width as ordered, the height from half of it to four times it.

    A screen's own height is never compared, as a page may be put together of several screens.
    """
    width = views(facts.spec)[facts.frame].width

    def misfit(found_width: int, found_height: int) -> str:
        if found_width != width:
            return f"expected a width of {width}, found {found_width}x{found_height}"
        if not width // 2 <= found_height <= TALLEST * width:
            return f"expected a height from {width // 2} to {TALLEST * width}, found {found_width}x{found_height}"
        return ""

    return pictures.examine(path, misfit, allow_blank=bool(facts.spec.get("allow_blank")))
