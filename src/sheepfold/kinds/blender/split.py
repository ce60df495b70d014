"""Splitting an order of Blender frames into tasks: one a frame, all of the job's own file."""

from collections.abc import Mapping
from pathlib import Path

from sheepfold.kinds.blender import examine
from sheepfold.kinds.blender.spec import CYCLES, frames_of
from sheepfold.kinds.seam import Spec, TaskDraft
from sheepfold.model.matching import Compute, Needs

# Microseconds of a reference core: a guess of scenes of middling size, as only a render tells what a scene costs.
_START_US = 2_000_000
_CYCLES_SAMPLE_US = 1.0
_RASTER_PIXEL_US = 5.0


def split(spec: Spec, inputs: Mapping[str, Path], folder: Path) -> list[TaskDraft]:
    """Return one task a frame. The project is examined in `folder` with Blender, where this machine has it.

    Raises InvalidSpec where there is no project, or it cannot be rendered as the artist sees it.
    """
    examine.check(spec, inputs, folder)
    needs = Needs(
        kind="blender",
        renderer="blender",
        renderer_version=spec["renderer_version"],
        memory_mib=spec["memory_mib"],
        compute=Compute(spec["compute"]),
        display=spec["engine"] != CYCLES,  # the others draw with OpenGL
    )
    return [TaskDraft(frame, needs, cost_ms(spec)) for frame in frames_of(spec)]


def cost_ms(spec: Spec) -> int:
    """Return the milliseconds that a reference core may need for a frame; at least 1."""
    each_us = spec["samples"] * _CYCLES_SAMPLE_US if spec["engine"] == CYCLES else _RASTER_PIXEL_US
    picture_px = int(spec["width"]) * int(spec["height"])
    return max(1, round((_START_US + picture_px * each_us) / 1000))
