"""Splitting an order of screenshots into tasks: one for each browser and width."""

from collections.abc import Mapping
from pathlib import Path

from sheepfold.kinds.screenshot.spec import Mode, View, is_for_remote_control, views
from sheepfold.kinds.seam import Spec, TaskDraft
from sheepfold.model.matching import ANY, Needs

COST_MS = 30_000  # a page is looked at for half a minute, whatever the machine
REMOTE_CONTROL_PROTOCOL = "rest"
"""The wire of the factories that steer their browsers; its leases carry the whole order."""


def split(spec: Spec, inputs: Mapping[str, Path], folder: Path) -> list[TaskDraft]:
    """Return one task a view, numbered as `views` lists them; screenshots have no inputs."""
    del inputs, folder
    return [TaskDraft(frame, needs_of(spec, view), COST_MS) for frame, view in enumerate(views(spec))]


def needs_of(spec: Spec, view: View) -> Needs:
    """Return what a view needs: of a screen where one is shot, else only the browser, as sizes are emulated there."""
    is_screen = spec["mode"] == Mode.WINDOW
    return Needs(
        kind="screenshot",
        browser=view.browser.casefold(),
        browser_version=view.version,
        platform=view.platform,
        protocol=REMOTE_CONTROL_PROTOCOL if is_for_remote_control(spec) else ANY,
        width=view.width if is_screen else 0,
        height=spec["height"] if is_screen else 0,
        depth=spec["bpp"] if is_screen else 0,
        javascript=spec["javascript"],
        java=spec["java"],
        flash=spec["flash"],
    )
