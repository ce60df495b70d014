"""Finishing an order of screenshots: one contact sheet of all views."""

from collections.abc import Sequence
from pathlib import Path

from sheepfold.kinds import film
from sheepfold.kinds.seam import Picture, Product, Spec


def assemble(parts: Sequence[Picture], spec: Spec, folder: Path) -> list[Product]:
    """Make sheet.jpg in `folder`; raises UndecodablePicture for an unreadable picture and ValueError for none."""
    del spec
    shots = [picture.path for picture in sorted(parts, key=lambda picture: picture.frame)]
    sheet = folder / "sheet.jpg"
    film.make_sheet(film.spread(shots, film.SHEET_CELLS), sheet, columns=4, cell_width=320)
    return [Product(sheet.name, sheet, "image/jpeg")]
