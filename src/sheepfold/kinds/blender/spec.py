"""An order of Blender frames: its fields, their bounds and their defaults."""

import re
from collections.abc import Iterable
from itertools import islice, pairwise
from pathlib import PurePosixPath
from typing import Any

from sheepfold.kinds.blender.signs import odd_sign
from sheepfold.kinds.fields import Fields, checked_text, shown
from sheepfold.kinds.pictures import MAX_PIXELS
from sheepfold.kinds.seam import Spec
from sheepfold.model.errors import InvalidSpec
from sheepfold.model.matching import Compute

CYCLES, EEVEE, WORKBENCH = "CYCLES", "BLENDER_EEVEE", "BLENDER_WORKBENCH"
MAX_FRAMES = 10_000
_MOST_NAMED = 10 * MAX_FRAMES
LAST_FRAME = 1_048_574  # Blender's own
_MAX_MAIN = 255

_RANGE = re.compile(r"(\d{1,7})(?:-(\d{1,7}))?", re.ASCII)
_VERSION = re.compile(r"\d{1,3}(\.\d{1,3}){0,2}[a-z]?", re.ASCII)


def parse(raw: object) -> dict[str, Any]:
    """Check an order and complete it; parsing the outcome again changes nothing.

    `frames` is text such as `1-250` or `1-10,20`, or a list of numbers; `step` takes every so manieth. `main` is the
    path of the .blend inside an archive, empty where the input is the .blend itself or the archive holds one alone.
    `allow_missing` accepts a scene that lacks files. Raises InvalidSpec with a sentence.
    """
    fields = Fields(raw, "blender")
    step = fields.whole("step", 1, MAX_FRAMES, 1)
    spec: dict[str, Any] = {
        "frames": written(_frames(fields.take("frames", "1"), step)),
        "width": fields.whole("width", 4, 16_384, 1920),
        "height": fields.whole("height", 4, 16_384, 1080),
        "samples": fields.whole("samples", 1, 100_000, 64),
        "engine": fields.choice("engine", (CYCLES, EEVEE, WORKBENCH), CYCLES),
        "format": fields.choice("format", ("PNG", "JPEG", "EXR"), "PNG"),
        "fps": fields.whole("fps", 1, 120, 24),
        "main": _main(fields.take("main", "")),
        "compute": fields.choice("compute", [value.value for value in Compute], Compute.EITHER.value),
        "renderer_version": _version(fields.text("renderer_version", 20, "")),
        "memory_mib": fields.whole("memory_mib", 0, 4 * 1024 * 1024, 0),
        "allow_blank": fields.flag("allow_blank", default=False),
        "allow_missing": fields.flag("allow_missing", default=False),
    }
    fields.end()
    if spec["width"] * spec["height"] > MAX_PIXELS:
        raise InvalidSpec(f"{spec['width']}x{spec['height']} are more than {MAX_PIXELS} pixels.")
    return spec


def frames_of(spec: Spec) -> list[int]:
    """Return the frame numbers of a parsed order, ascending."""
    return _frames(spec["frames"], 1)


def written(frames: Iterable[int]) -> str:
    """Return ascending numbers as text, runs joined: `1-3,7`."""
    numbers = list(frames)
    starts = [numbers[0]] + [after for before, after in pairwise(numbers) if after != before + 1]
    ends = [before for before, after in pairwise(numbers) if after != before + 1] + [numbers[-1]]
    return ",".join(str(start) if start == end else f"{start}-{end}" for start, end in zip(starts, ends, strict=True))


def _frames(value: object, step: int) -> list[int]:
    """Read frames as text or as a list; `step` counts from the start of each range of a text."""
    listed = _listed(value) if isinstance(value, list) else _ranged(checked_text(value, "frames", 100_000), step)
    named = list(islice(listed, _MOST_NAMED + 1))  # a short text of ranges can name each frame ten thousand times
    if len(named) > _MOST_NAMED:
        raise InvalidSpec(f"frames names over {_MOST_NAMED} frames, many of them again and again; name each once.")
    numbers = set(named)
    if not 1 <= len(numbers) <= MAX_FRAMES:
        raise InvalidSpec(f"An order has 1 to {MAX_FRAMES} frames, not {len(numbers)}.")
    return sorted(numbers)


def _listed(values: list[object]) -> Iterable[int]:
    for value in values:
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= LAST_FRAME:
            raise InvalidSpec(f"A frame must be a whole number from 0 to {LAST_FRAME}, not {shown(value)}.")
        yield value


def _ranged(text: str, step: int) -> Iterable[int]:
    for piece in text.split(","):
        match = _RANGE.fullmatch(piece.strip())
        first = int(match[1]) if match else -1
        last = int(match[2] or match[1]) if match else -1
        if not 0 <= first <= last <= LAST_FRAME:
            raise InvalidSpec(f"frames must be like 1-250 or 1-10,20, up to {LAST_FRAME}, not {shown(piece)}.")
        if (last - first) // step >= MAX_FRAMES:
            raise InvalidSpec(f"An order has 1 to {MAX_FRAMES} frames; {shown(piece)} are more.")
        yield from range(first, last + 1, step)


def _main(text: object) -> str:
    """Check a path inside an archive: relative, of plain parts, a .blend."""
    if text == "":
        return ""
    path = PurePosixPath(text if isinstance(text, str) and len(text) <= _MAX_MAIN and not odd_sign(text) else "")
    if path.is_absolute() or ".." in path.parts or path.suffix.lower() != ".blend":
        raise InvalidSpec(f"main must be the path of a .blend file inside the archive, not {shown(text)}.")
    return str(path)


def _version(text: str) -> str:
    if text and not _VERSION.fullmatch(text):
        raise InvalidSpec(f"renderer_version must be like 4.2 or 4.2.3, not {shown(text)}.")
    return text
