"""Make a mark from a part of a screenshot, for sheepfold/kinds/screenshot/marks.json, and print it.

A drawing with colours of its own is known by some points inside its fields; one in a single colour, or a word, by
points that are drawn and points that are not. Give the part so that only the drawing is in it.
"""

import argparse
import json
import random
from pathlib import Path

import numpy as np
from PIL import Image

from sheepfold.kinds.screenshot.marks import SIDE, Mask, Pixels, is_near

POINTS = 40
STRONG, FAINT = 80, 4  # of 255: what is surely drawn, and what surely is not
EVEN = 10  # of 255: what fields of a drawing differ by from side to side
COLOURFUL = 90


def main() -> None:
    """Print a mark as JSON."""
    asked = _asked()
    with Image.open(asked.picture) as image:
        part = np.asarray(image.convert("RGB").crop((asked.left, asked.top, asked.left + asked.width,
                                                     asked.top + asked.height)))
    chance = random.Random(1)
    told = {"problem": asked.problem, "what": asked.what} | (
        _coloured(part, chance) if asked.coloured else _drawn(part, chance))
    print(json.dumps(told | ({"is_alone": True} if asked.alone else {})))


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("picture", type=Path)
    for name in ("left", "top", "width", "height"):
        parser.add_argument(name, type=int)
    parser.add_argument("--problem", type=int, required=True, help="the old service's number, such as 673")
    parser.add_argument("--what", required=True, help="which browser's drawing this is")
    parser.add_argument("--coloured", action="store_true", help="the drawing is known by its colours")
    parser.add_argument("--alone", action="store_true", help="nothing else is on such a page")
    return parser.parse_args()


def _coloured(part: Pixels, chance: random.Random) -> dict[str, object]:
    """Return points of colour whose surroundings are alike, the most colourful first, and such of the ground."""
    wide = part.astype(int)
    windows = np.lib.stride_tricks.sliding_window_view(wide, (SIDE, SIDE), axis=(0, 1))
    is_even = np.zeros(part.shape[:2], dtype=bool)
    edge = SIDE // 2
    is_even[edge:-edge, edge:-edge] = np.ptp(windows, axis=(3, 4)).max(axis=2) <= EVEN
    bright = np.ptp(wide, axis=2)
    points = sorted(_some(is_even & (bright > COLOURFUL), chance), key=lambda point: -int(bright[point[1], point[0]]))
    empty = _some(is_even & is_near(part, part[-1, 0].tolist(), FAINT), chance)
    return {"coloured": [[x, y, *part[y, x].tolist()] for x, y in points], "empty": empty}


def _drawn(part: Pixels, chance: random.Random) -> dict[str, object]:
    """Return points that are drawn, a corner first, and points that are not; the part's lower left is its ground."""
    ground = part[-1, 0].tolist()
    drawn, empty = ~is_near(part, ground, STRONG), is_near(part, ground, FAINT)
    y, x = next((y, x) for y, x in np.argwhere(drawn) if y and x and empty[y - 1, x] and empty[y, x - 1])
    return {"drawn": [[int(x), int(y)], *_some(drawn, chance)], "empty": _some(empty, chance)}


def _some(mask: Mask, chance: random.Random) -> list[list[int]]:
    places = [[int(x), int(y)] for y, x in np.argwhere(mask)]
    return chance.sample(places, min(POINTS, len(places)))


if __name__ == "__main__":
    main()
