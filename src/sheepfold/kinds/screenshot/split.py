"""Splitting an order of screenshots into tasks: one for each browser and width."""

from collections.abc import Mapping
from pathlib import Path

from sheepfold.kinds.screenshot.spec import View, views
from sheepfold.kinds.seam import Spec, TaskDraft
from sheepfold.model.matching import Needs

COST_MS = 30_000  # a page is looked at for half a minute, whatever the machine


def split(spec: Spec, inputs: Mapping[str, Path], folder: Path) -> list[TaskDraft]:
    """Return one task a view, numbered as `views` lists them; screenshots have no inputs."""
    del inputs, folder
    return [TaskDraft(frame, _needs(spec, view), COST_MS) for frame, view in enumerate(views(spec))]


def _needs(spec: Spec, view: View) -> Needs:
    return Needs(
        kind="screenshot",
        browser=view.browser,
        browser_version=view.version,
        platform=spec["platform"],
        width=view.width,
        height=spec["height"],
        depth=spec["bpp"],
    )
