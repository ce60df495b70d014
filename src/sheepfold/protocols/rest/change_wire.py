"""The part of the REST wire that tells what changed on a page since its pictures were accepted, or is wrong in them."""

from typing import Annotated, Literal

from pydantic import Field

from sheepfold.protocols.rest.wire import Asked, Id, Told


class RegionOut(Told):
    """Where a picture differs, in its own pixels."""

    left: int
    top: int
    width: int
    height: int


class ViewOut(Told):
    """What became of a view: `share` is the part of its pixels that differs, 0 to 1; the product `picture` shows it.

    `before` is the frame of the same view in the job of the baseline, absent where that has none.
    """

    frame: int
    browser: str
    version: str
    platform: str
    width: int
    state: Literal["same", "changed", "new"]
    before: int | None = None
    share: float = 0.0
    gone_rows: int = 0
    regions: list[RegionOut] = Field(default_factory=list)
    picture: str | None = None


class ProblemReport(Asked):
    """What somebody finds wrong with a picture."""

    text: Annotated[str, Field(min_length=1, max_length=500)]


class ChangesOut(Told):
    """What has changed since the job `baseline`, absent at the first time; `accepted`: this job is the baseline now."""

    job: Id
    baseline: Id | None
    accepted: bool
    views: list[ViewOut]

    @property
    def changed(self) -> list[ViewOut]:
        """Return the views that changed, the most changed first."""
        return sorted((view for view in self.views if view.state == "changed"), key=lambda view: -view.share)
