"""Palettes: flam3's numbered ones where its file is installed, our own by chance, hues turned, gaps filled."""

import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import numpy as np
from lxml import etree
from numpy.typing import NDArray

from sheepfold.kinds.flame.engine.genome import Palette, frozen_palette

FLAM3_PALETTES = Path("/usr/share/flam3/flam3-palettes.xml")
ENTRIES = 256
PART = 1.0 / 255.0
"""What a step of a colour of eight bits is multiplied by: Debian's flam3 does so, and a quotient is rounded else."""

Colors = NDArray[np.float64]


def numbered(number: int, hue: float = 0.0) -> Palette:
    """Return a palette of flam3's file, its hues turned by `hue` (0 to 1); white where there is no such palette."""
    colors = installed().get(number)
    if colors is None:
        return frozen_palette(np.ones((ENTRIES, 4)))
    return frozen_palette(turned(colors, hue))


def turned(rgb: Colors, hue: float) -> Colors:
    """Return colours with their hues turned, 1 being the whole circle."""
    hsv = to_hsv(rgb)
    hsv[:, 0] += hue * 6.0
    return to_rgb(hsv)


@cache
def installed() -> Mapping[int, Colors]:
    """Return the palettes of this machine's flam3 by number; none where it is not installed."""
    path = Path(os.environ.get("flam3_palettes", FLAM3_PALETTES))  # noqa: SIM112 - flam3's own variable
    if not path.is_file():
        return {}
    root = etree.parse(path, etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)).getroot()
    found: dict[int, Colors] = {}
    for element in root.iter("palette"):
        found.setdefault(int(element.get("number", "-1")), _unfolded(str(element.get("data", ""))))
    return found


def by_chance(chance: np.random.Generator) -> Palette:
    """Return a palette of our own: a closed path through four to nine colours, with fine stripes in some of them."""
    stops = int(chance.integers(4, 10))
    hue = 6.0 * chance.random() + chance.normal(0.0, 0.9, stops)
    colors = to_rgb(np.stack([hue, chance.uniform(0.25, 1.0, stops), chance.uniform(0.1, 1.0, stops)], axis=1))
    at = np.sort(chance.choice(ENTRIES, stops, replace=False))
    places = np.arange(ENTRIES)
    rows = np.stack([np.interp(places, at, colors[:, channel], period=ENTRIES) for channel in range(3)], axis=1)
    if chance.random() < 0.4:
        rows *= 0.75 + 0.25 * np.sin(places * 2 * np.pi * int(chance.integers(8, 40)) / ENTRIES)[:, None]
    return frozen_palette(rows)


def any_palette(chance: np.random.Generator, hue: float = 0.0) -> Palette:
    """Return a random palette: one of flam3's where its file is installed, else one of our own."""
    numbers = sorted(installed())
    if numbers:
        return numbered(numbers[int(chance.integers(len(numbers)))], hue)
    return frozen_palette(turned(by_chance(chance)[:, :3], hue))


def filled(colors: Mapping[int, tuple[float, float, float, float]]) -> Palette:
    """Return a whole palette from some of its entries; between two of them, the circle round, colours run straight.

    No entry at all gives black without alpha, as flam3 has it.
    """
    if not colors:
        return frozen_palette(np.zeros((ENTRIES, 4)))
    at = np.array(sorted(colors))
    known = np.array([colors[int(index)] for index in at], np.float64)
    circle = np.concatenate([[at[-1] - ENTRIES], at, [at[0] + ENTRIES]])
    rows = np.concatenate([known[-1:], known, known[:1]])
    places = np.arange(ENTRIES)
    left = np.searchsorted(circle, places, side="right") - 1
    part = ((places - circle[left]) / (circle[left + 1] - circle[left]))[:, None]
    whole = rows[left] * (1.0 - part) + rows[left + 1] * part  # in flam3's order, so that ties of hues fall alike
    whole[at] = known
    return frozen_palette(whole)


def blended(numbers: tuple[int, int], hues: tuple[float, float], blend: float) -> Palette:
    """Return an old `<palette index0= index1= blend=>`: two numbered ones, the short way round in hue."""
    first, second = (to_hsv(numbered(number, hue)[:, :3]) for number, hue in zip(numbers, hues, strict=True))
    gap = first[:, 0] - second[:, 0]
    second[:, 0] += np.where(gap > 3.0, 6.0, 0.0)
    first[:, 0] += np.where(gap < -3.0, 6.0, 0.0)
    return frozen_palette(to_rgb((1.0 - blend) * first + blend * second))


def to_hsv(rgb: Colors) -> Colors:
    """Return hue (0 to 6), saturation and value (0 to 1) of rows of red, green and blue."""
    rows = np.asarray(rgb, np.float64)[..., :3]
    most, least = rows.max(axis=-1), rows.min(axis=-1)
    spread = most - least
    safe = np.where(spread == 0, 1.0, spread)
    red, green, blue = rows.T
    # Debian's flam3 is compiled with -ffast-math: one division a hue. Ties of hues 3 apart hang on such roundings.
    hue = np.where(red == most, (green - blue) / safe, (red - green) / safe + 4.0)
    hue = np.where((green == most) & (red != most), (blue - red) / safe + 2.0, hue)
    hue = np.where(hue < 0, hue + 6.0, hue)
    saturation = spread / np.where(most == 0, 1.0, most)
    return np.stack([np.where(spread == 0, 0.0, hue), saturation, most], axis=-1)


def to_rgb(hsv: Colors) -> Colors:
    """Return red, green and blue (0 to 1) of rows of hue (0 to 6, any turn), saturation and value."""
    hue, saturation, value = np.mod(hsv[:, 0], 6.0), hsv[:, 1], hsv[:, 2]
    sector = np.floor(hue).astype(np.intp) % 6
    part = hue - np.floor(hue)
    low = value * (1 - saturation)
    falling = value * (1 - saturation * part)
    rising = value * (1 - saturation * (1 - part))
    pick = np.array([[0, 3, 1], [2, 0, 1], [1, 0, 3], [1, 2, 0], [3, 1, 0], [0, 1, 2]])
    choices = np.stack([value, low, falling, rising], axis=-1)
    return np.take_along_axis(choices, pick[sector], axis=1)


def _unfolded(digits: str) -> Colors:
    """Return the colours of eight hexadecimal digits each, of which the first two say nothing."""
    rows = np.frombuffer(bytes.fromhex("".join(digits.split())), np.uint8).reshape(-1, 4)
    return rows[:ENTRIES, 1:].astype(np.float64) * PART
