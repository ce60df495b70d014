"""Strangers' genomes: read safely, checked, and written anew as a spex file that holds nothing but flam3's own words.

A spex file is what flam3-genome turns into frames: one flame for a loop, two for an edge. Edit trees (a genome's
ancestry) are left out, as are words that flam3 would ignore; numbers that are none, or beyond their bounds, are
refused.
"""

import math
import re
from collections.abc import Callable, Sequence
from pathlib import Path

from lxml import etree

from sheepfold.kinds.fields import shown
from sheepfold.kinds.flame import words
from sheepfold.model.errors import InvalidSpec

MAX_BYTES = 1024 * 1024
MAX_XFORMS = 100
MAX_SYMMETRY = 50  # flam3 adds as many transforms, once when a frame is made and once when it is rendered
MAX_MOTIONS = 20
MAX_COLORS = 1024
"""How many colours a flame may spell: it has 256, but may say them as a palette and one by one."""

_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?", re.ASCII)
_HEX = re.compile(r"[0-9a-fA-F]*", re.ASCII)

Element = etree._Element  # noqa: SLF001 - lxml has no public name for the type


def read(path: Path) -> bytes:
    """Return a genome file's bytes; raises InvalidSpec where there are more than MAX_BYTES."""
    with path.open("rb") as file:
        text = file.read(MAX_BYTES + 1)
    if len(text) > MAX_BYTES:
        raise InvalidSpec(f"A genome may have at most {MAX_BYTES} bytes.")
    return text


def spex(genomes: Sequence[bytes], count: int) -> bytes:
    """Return one spex file of all flames in `genomes`, which must be `count`; raises InvalidSpec."""
    flames = [flame for text in genomes for flame in _flames(text)]
    if len(flames) != count:
        wanted = "one flame" if count == 1 else f"{count} flames"
        raise InvalidSpec(f"The order needs {wanted}, but the genome holds {len(flames)}.")
    root = etree.Element("spex")
    for flame in flames:
        root.append(_clean_flame(flame))
    return etree.tostring(root, pretty_print=True)


def parse(text: bytes) -> Element:
    """Parse XML of a stranger: no entities, no document type, no network, no depths; raises InvalidSpec."""
    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        root = etree.fromstring(text, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise InvalidSpec(f"The genome is no well-formed XML: {error}") from error
    if root.getroottree().docinfo.internalDTD is not None:
        raise InvalidSpec("A genome must not have a document type.")
    return root


def _flames(text: bytes) -> list[Element]:
    flames = list(parse(text).iter("flame"))
    if any(next(flame.iterancestors("flame"), None) is not None for flame in flames):
        raise InvalidSpec("A flame must not hold another flame.")
    return flames


def _clean_flame(flame: Element) -> Element:
    clean = etree.Element("flame")
    _copy_attributes(flame, clean, words.FLAME_NUMBERS, words.FLAME_WORDS)
    _fold_zoom(clean)
    xforms = flame.findall("xform")
    if not 1 <= len(xforms) <= MAX_XFORMS:
        raise InvalidSpec(f"A flame must have 1 to {MAX_XFORMS} transforms; this one has {len(xforms)}.")
    if len(flame.findall("finalxform")) > 1 or len(flame.findall("symmetry")) > 1:
        raise InvalidSpec("A flame has at most one final transform and one symmetry.")
    colors: dict[int, Element] = {}
    spelled = 0
    for child in flame:
        if child.tag in {"xform", "finalxform"}:
            clean.append(_clean_xform(child))
        elif child.tag == "symmetry":
            clean.append(_clean_symmetry(child))
        elif isinstance(child.tag, str) and child.tag in _PALETTES:
            said = _PALETTES[child.tag](child)
            spelled += len(said)
            if spelled > MAX_COLORS:
                raise InvalidSpec(f"A flame has 256 colours; this one spells more than {MAX_COLORS}.")
            colors |= said
    if sum(float(xform.get("weight", "0")) for xform in clean.findall("xform")) <= 0:
        raise InvalidSpec("The weights of a flame's transforms must add up to more than 0.")
    clean.extend(colors[index] for index in sorted(colors))
    return clean


def _fold_zoom(flame: Element) -> None:
    """Put `zoom` into `scale`: the same picture, but flam3 would multiply the quality by 4 to the zoom's power."""
    zoom = float(flame.attrib.pop("zoom", "0"))
    if zoom:
        flame.set("scale", repr(float(flame.get("scale", "50")) * 2.0**zoom))  # 50: flam3's default


def _clean_xform(xform: Element) -> Element:
    clean = etree.Element(str(xform.tag))
    _copy_attributes(xform, clean, words.XFORM_NUMBERS, words.XFORM_WORDS)
    motions = xform.findall("motion")
    if len(motions) > MAX_MOTIONS:
        raise InvalidSpec(f"A transform has at most {MAX_MOTIONS} motions; this one has {len(motions)}.")
    for motion in motions:
        copy = etree.SubElement(clean, "motion")
        _copy_attributes(motion, copy, words.XFORM_NUMBERS, words.XFORM_WORDS)
    return clean


def _clean_symmetry(symmetry: Element) -> Element:
    """Keep a symmetry; 0 would be a random one, another in every frame."""
    kind = int(_numbers("kind", symmetry.get("kind", "0"), (1, 1, (-MAX_SYMMETRY, MAX_SYMMETRY)))[0])
    if kind == 0:
        raise InvalidSpec("A symmetry of kind 0 is a random one; say which.")
    return etree.Element("symmetry", {"kind": str(kind)})


def _copy_attributes(
    source: Element,
    target: Element,
    numbers: dict[str, words.Numbers],
    choices: dict[str, frozenset[str]],
) -> None:
    for name in map(str, source.attrib):
        if name not in numbers and name not in choices:
            continue
        value = str(source.get(name))  # lxml looks through all for it: 60,000 that nobody knows would take a minute
        if name in numbers:
            _numbers(name, value, numbers[name])
            value = " ".join(value.split())  # flam3 knows fewer blanks than Python, and would stop at the others
        elif value not in choices[name]:
            raise InvalidSpec(f"{name} must be one of {', '.join(sorted(choices[name]))}, not {shown(value)}.")
        target.set(name, value)


def _numbers(name: str, text: str, rule: words.Numbers) -> list[float]:
    """Return the numbers of an attribute; raises InvalidSpec where they break its rule."""
    least, most, (low, high) = rule
    parts = text.split()
    if not least <= len(parts) <= most:
        count = str(least) if least == most else f"{least} to {most}"
        raise InvalidSpec(f"{name} must hold {count} numbers: {shown(text)}.")
    if not all(_NUMBER.fullmatch(part) for part in parts):
        raise InvalidSpec(f"{name} must be a finite number, not {shown(text)}.")
    values = [float(part) for part in parts]
    if not all(math.isfinite(value) and low <= value <= high for value in values):
        raise InvalidSpec(f"{name} must be from {low:g} to {high:g}, not {shown(text)}.")
    return values


def _color(element: Element) -> dict[int, Element]:
    index = int(_numbers("color index", element.get("index", ""), (1, 1, (0, 255)))[0])
    name, count = ("rgba", 4) if "rgba" in element.attrib else ("rgb", 3)
    value = str(element.get(name, ""))
    _numbers(f"color {name}", value, (count, count, (0, 255)))
    return {index: etree.Element("color", {"index": str(index), name: value})}


def _colors(element: Element) -> dict[int, Element]:
    """Unfold `<colors count data>`: eight hexadecimal digits a colour, of which the first two say nothing."""
    digits = hex_digits(str(element.get("data", "")), 8)
    return {index: _hex_color(index, digits[8 * index + 2 : 8 * index + 8]) for index in range(len(digits) // 8)}


def _palette(element: Element) -> dict[int, Element]:
    """Unfold a palette of hexadecimal digits; a blend of two numbered palettes tells no colours and is refused."""
    if "index0" in element.attrib:
        raise InvalidSpec("A palette that blends two numbered ones is not understood; write its colours out.")
    width = 8 if str(element.get("format", "RGB")).upper() == "RGBA" else 6
    digits = hex_digits(str(element.text or ""), width)
    count = len(digits) // width
    return {index: _hex_color(index, digits[width * index : width * (index + 1)]) for index in range(count)}


def hex_digits(text: str, width: int) -> str:
    """Return 1 to 256 colours' hexadecimal digits, `width` each, without white space; raises InvalidSpec."""
    digits = "".join(text.split())
    if not _HEX.fullmatch(digits) or len(digits) % width or not 1 <= len(digits) // width <= 256:
        raise InvalidSpec(f"A palette must hold 1 to 256 colours of {width} hexadecimal digits each.")
    return digits


def _hex_color(index: int, digits: str) -> Element:
    values = " ".join(str(int(digits[at : at + 2], 16)) for at in range(0, len(digits), 2))
    return etree.Element("color", {"index": str(index), "rgb" if len(digits) == 6 else "rgba": values})


_PALETTES: dict[str, Callable[[Element], dict[int, Element]]] = {
    "color": _color,
    "colors": _colors,
    "palette": _palette,
}
