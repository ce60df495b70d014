"""What has changed on a page since the pictures that its owner accepted: figures, and a picture of each change."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sheepfold.kinds.pictures import Pixels, pixels
from sheepfold.kinds.screenshot.alignment import NEW, align
from sheepfold.kinds.screenshot.spec import View, views
from sheepfold.kinds.seam import Baseline, Picture, Product, Spec

FIGURES = "changes.json"
"""The product that tells of all views; each that changed has a picture `change-FRAME.png` besides."""
NOTICEABLE = 24
"""Of 255, in any of the three colours: what fonts' smoothing does between two runs of one browser stays below."""
MOST_REGIONS = 50
_GAP_ROWS = 24  # regions nearer than this are one
_BAND_ROWS = 512
_MARK_DARK, _MARK_LIGHT = np.array((126, 0, 56), np.float32), np.array((255, 116, 178), np.float32)
_FADED = 0.3

Mask = NDArray[np.bool_]


class State(StrEnum):
    """What became of a view."""

    SAME = "same"
    CHANGED = "changed"
    NEW = "new"


@dataclass(frozen=True, slots=True)
class Region:
    """Where a picture differs: left and top, width and height, in pixels of the later picture."""

    left: int
    top: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Difference:
    """How one picture differs from another: the mask of the later one, and how many earlier rows are gone."""

    mask: Mask
    gone_rows: int

    @property
    def share(self) -> float:
        """Return which part of all pixels differs, from 0 to 1; those that are gone count as well."""
        width = self.mask.shape[1]
        gone = self.gone_rows * width
        return float((self.mask.sum() + gone) / (self.mask.size + gone))

    def regions(self) -> list[Region]:
        """Return the stretches of changed rows, from the top, each as wide as its changes."""
        rows = np.flatnonzero(self.mask.any(axis=1))
        if not rows.size:
            return []
        stretches = np.split(rows, np.flatnonzero(np.diff(rows) > _GAP_ROWS) + 1)
        return [self._region(int(rows[0]), int(rows[-1]) + 1) for rows in stretches[:MOST_REGIONS]]

    def _region(self, top: int, end: int) -> Region:
        columns = np.flatnonzero(self.mask[top:end].any(axis=0))
        left = int(columns[0])
        return Region(left, top, int(columns[-1]) + 1 - left, end - top)


def changes(pictures: Sequence[Picture], spec: Spec, baseline: Baseline, folder: Path) -> list[Product]:
    """Hold an order's pictures against the accepted ones of the same views, and write what differs into `folder`.

    Views are the same where browser, version, platform and width were ordered the same. Raises UndecodablePicture.
    """
    accepted = _by_view(baseline.pictures, baseline.spec) if baseline.pictures else {}
    products, figures = [], []
    for view, picture in _by_view(pictures, spec).items():
        told: dict[str, Any] = {"frame": picture.frame, "state": State.NEW, **asdict(view)}
        if view in accepted:
            found = _held_against(accepted[view], picture, spec["tolerance"], folder / f"change-{picture.frame}.png")
            told |= {"before": accepted[view].frame, **found}
        if told["state"] == State.CHANGED:
            products.append(Product(told["picture"], folder / told["picture"], "image/png"))
        figures.append(told)
    target = folder / FIGURES
    target.write_text(json.dumps({"baseline": baseline.job_id, "views": figures}, indent=1))
    return [Product(FIGURES, target, "application/json"), *products]


def difference(earlier: Pixels, later: Pixels) -> Difference:
    """Compare two pictures of height x width x 3 bytes, row by row as the page has moved."""
    rows = align(_row_digests(earlier), _row_digests(later))
    mask = np.ones(later.shape[:2], np.bool_)
    width = min(earlier.shape[1], later.shape[1])
    source = np.array(rows)
    for top in range(0, len(rows), _BAND_ROWS):  # in bands, as two tall pictures must fit a small process
        band = np.flatnonzero(source[top : top + _BAND_ROWS] != NEW) + top
        gap = np.abs(later[band, :width].astype(np.int16) - earlier[source[band], :width])
        mask[band, :width] = (gap > NOTICEABLE).any(axis=2)
    return Difference(mask, len(earlier) - int((source != NEW).sum()))


def drawn(later: Pixels, found: Difference) -> Image.Image:
    """Draw the later picture faded, with what differs in shades of a colour that few pages have, words to be read."""
    canvas = np.empty_like(later)
    for top in range(0, len(later), _BAND_ROWS):
        band = slice(top, top + _BAND_ROWS)
        light = later[band].mean(axis=2, dtype=np.float32)[..., None] / 255
        shade = _MARK_DARK + (_MARK_LIGHT - _MARK_DARK) * light
        canvas[band] = np.where(found.mask[band, :, None], shade, 255 * (1 - (1 - light) * _FADED)).astype(np.uint8)
    return Image.fromarray(canvas)


def _held_against(earlier: Picture, later: Picture, tolerance: float, target: Path) -> Mapping[str, Any]:
    """Compare two pictures of one view; `tolerance` is in percent of the pixels."""
    before, after = pixels(earlier.path), pixels(later.path)
    found = difference(before, after)
    if 100 * found.share <= tolerance:
        return {"state": State.SAME, "share": found.share}
    drawn(after, found).save(target)
    regions = [asdict(region) for region in found.regions()]
    return {"state": State.CHANGED, "share": found.share, "gone_rows": found.gone_rows, "regions": regions,
            "picture": target.name}  # fmt: skip


def _by_view(pictures: Sequence[Picture], spec: Spec) -> dict[View, Picture]:
    seen = views(spec)
    return {seen[picture.frame]: picture for picture in pictures}


def _row_digests(picture: Pixels) -> list[int]:
    return list(_hashes(np.ascontiguousarray(picture)))


def _hashes(picture: Pixels) -> Iterator[int]:
    for row in picture:
        yield hash(row.tobytes())
