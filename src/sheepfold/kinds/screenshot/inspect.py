"""Whether a file is a screenshot of the shape ordered, and shows a page at all."""

from dataclasses import replace
from functools import partial
from pathlib import Path

from PIL import Image

from sheepfold.kinds import pictures
from sheepfold.kinds.screenshot import contents
from sheepfold.kinds.screenshot.spec import Mode, picture_width, views
from sheepfold.kinds.seam import Facts, Inspection, Soundness

TALLEST = 4  # times the width
TALLEST_PAGE = 65_535
"""Pixels; what a browser can photograph of a page in one piece ends far below."""


def inspect(path: Path, facts: Facts) -> Inspection:
    """Judge a screenshot by Browsershots' rules: the width as ordered, the height from half of it to four times it.

    A screen's own height is never compared, as a page may be put together of several screens. A page or a viewport
    has the height that it has. A reason begins with the number that the old service gave it (protocol note, 1.4, 3.3).
    """
    view = views(facts.spec)[facts.frame]
    mode, wanted = facts.spec["mode"], picture_width(facts.spec, view)
    exact = facts.spec["height"] * facts.spec["pixel_ratio"] if mode == Mode.VIEWPORT else 0

    def misfit(width: int, height: int) -> str:
        if width != wanted:
            return f"412: The screenshot is {width} pixels wide, not {wanted} as requested."
        if mode != Mode.WINDOW:
            return _misfit_height(height, exact)
        if height > TALLEST * width:
            return f"413: The screenshot is too tall (more than {TALLEST} times the width)."
        return "414: The screenshot is too short (less than half the width)." if height < width // 2 else ""

    allow_blank = bool(facts.spec.get("allow_blank"))
    doubt = partial(_doubt, is_screen=mode == Mode.WINDOW, allow_blank=allow_blank)
    found = pictures.examine(path, misfit, doubt=doubt)
    if found.soundness is Soundness.SOUND and found.media_type != "image/png":
        found = replace(found, soundness=Soundness.UNDECODABLE, reason="A screenshot is a PNG picture.")
    if found.soundness is Soundness.UNDECODABLE:
        return replace(found, reason=f"415: {found.reason}")
    return found


def _misfit_height(height: int, exact: int) -> str:
    if exact and height != exact:
        return f"414: The screenshot is {height} pixels high, not {exact} as requested."
    return f"413: The screenshot is higher than {TALLEST_PAGE} pixels." if height > TALLEST_PAGE else ""


def _doubt(image: Image.Image, *, is_screen: bool, allow_blank: bool) -> str:
    """Say what is wrong in a picture of the right shape."""
    problem = contents.problem_of(image, is_screen=is_screen)
    if allow_blank and problem in contents.NOTHING_SEEN:
        return ""
    return f"{problem.value}: {contents.SENTENCES[problem]}" if problem else ""
