"""Flame genomes as XML: flam3's words of every era, read from strangers with limits, and written for flam3 to read.

A quirk of flam3 3.1.1 is kept: a `symmetry` element adds its transforms where it stands, even when they are written
out too, as flam3-genome does; such a genome has them twice.
"""

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from lxml import etree
from numpy.typing import NDArray

from sheepfold.kinds.fields import shown
from sheepfold.kinds.flame import genome as checks
from sheepfold.kinds.flame import words
from sheepfold.kinds.flame.engine import palettes
from sheepfold.kinds.flame.engine.genome import (
    Affine,
    Genome,
    Interpolation,
    InterpolationType,
    Motion,
    MotionFunction,
    Palette,
    PaletteInterpolation,
    PaletteMode,
    Xform,
)
from sheepfold.kinds.flame.engine.names import ALIASES, DEFAULTS, NAMES, NUMBERS, PARAMETERS
from sheepfold.kinds.flame.engine.symmetry import MAX_KIND, symmetric
from sheepfold.model.errors import InvalidSpec

MAX_FLAMES = 5000
MAX_EXTRA = 32  # attributes that are not ours, an element
MAX_ATTRIBUTES = 1000  # of all sorts: lxml takes the square of their number to go through them
MAX_XFORMS = checks.MAX_XFORMS + 2 * MAX_KIND  # written out, and added by symmetries
_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?", re.ASCII)
_HUGE = 1e12
_SIDE = (1, 1_000_000)
_ZERO: Affine = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0)

Element = etree._Element  # noqa: SLF001 - lxml has no public name for the type
Color = tuple[float, float, float, float]


def read(text: bytes | str) -> tuple[Genome, ...]:
    """Return the flames of an XML text in order, wherever they stand; raises InvalidSpec.

    As flam3 does, turns of the camera follow one another by at most half a circle, and the first and the last but one
    control points are never smooth.
    """
    data = text.encode() if isinstance(text, str) else text
    elements = list(checks.parse(data).iter("flame"))
    if len(elements) > MAX_FLAMES:
        raise InvalidSpec(f"There may be at most {MAX_FLAMES} flames in a file; this one has {len(elements)}.")
    genomes = [read_element(element) for element in elements]
    for index in {0, len(genomes) - 2} & set(range(len(genomes))):
        genomes[index] = replace(genomes[index], interpolation=Interpolation.LINEAR)
    for index in range(1, len(genomes)):
        genomes[index] = _turned_along(genomes[index - 1], genomes[index])
    return tuple(genomes)


def read_one(text: bytes | str) -> Genome:
    """Return the one flame of an XML text; raises InvalidSpec, also where there is none or more than one."""
    genomes = read(text)
    if len(genomes) != 1:
        raise InvalidSpec(f"One flame was expected, but the genome holds {len(genomes)}.")
    return genomes[0]


def write(genome: Genome, digits: int | None = None) -> bytes:
    """Return one flame's XML; read() makes an equal genome of it. With `digits`, numbers are rounded to so many.

    Symmetry is written as the transforms it has become, without the element.
    """
    return etree.tostring(element_of(genome, digits), pretty_print=True)


def write_as_flam3(genome: Genome) -> bytes:
    """Return what flam3-genome prints: numbers of 6 digits, and the symmetry beside its transforms.

    No edits are written. It is quicker than write(): colours make most of a text.
    """
    element = element_of(replace(_as_printed(genome), edits=""), 6, has_colors=False)
    if genome.symmetry:
        element.insert(0, etree.Element("symmetry", {"kind": str(genome.symmetry)}))
    head = etree.tostring(element, pretty_print=True).removesuffix(b"</flame>\n")
    if genome.palette_index is None and (genome.palette[:, 3] == 1.0).all():
        values = tuple((genome.palette[:, :3] * 255.0).ravel().tolist())
        return head + (_COLOR_LINES % values).encode() + b"</flame>\n"
    rows = [etree.tostring(etree.Element("color", row)) for row in _colors(genome, _shower(6))]
    return head + b"".join(b"  " + row + b"\n" for row in rows) + b"</flame>\n"


_COLOR_LINES = "".join(f'  <color index="{index}" rgb="%.6g %.6g %.6g"/>\n' for index in range(palettes.ENTRIES))


def _as_printed(genome: Genome) -> Genome:
    """Return a genome without what flam3 does not print: parameters of variations that are not used."""

    def printed(xform: Xform) -> Xform:
        used = {name for own in xform.variations for name in PARAMETERS.get(own, ())}
        return replace(xform, parameters={name: xform.parameters[name] for name in xform.parameters if name in used})

    final = None if genome.final is None else replace(printed(genome.final), animate=1.0)
    return replace(genome, xforms=tuple(printed(xform) for xform in genome.xforms), final=final)


def write_all(genomes: Iterable[Genome], root: str = "flames", digits: int | None = None) -> bytes:
    """Return one XML file of many flames."""
    top = etree.Element(root)
    top.extend(element_of(genome, digits) for genome in genomes)
    return etree.tostring(top, pretty_print=True)


# Reading


def read_element(flame: Element) -> Genome:
    """Return the genome of one `flame` element; raises InvalidSpec."""
    values, extra = _flame_values(flame)
    hue, solo = values.pop("_hue", 0.0), values.pop("_solo", -1)
    xforms, final, symmetry = _transforms(flame)
    xforms = _padded_chaos(xforms)
    if solo >= 0:
        xforms = [xform if at == solo else replace(xform, opacity=0.0) for at, xform in enumerate(xforms)]
    if values.get("palette_index") is not None:
        palette = palettes.numbered(values["palette_index"], hue)
    else:
        palette = _palette(flame)
    edit = flame.findall("edit")
    edits = etree.tostring(edit[-1], encoding="unicode", with_tail=False) if edit else ""
    return Genome(
        tuple(xforms), palette, final, hue_rotation=hue, symmetry=symmetry, edits=edits, extra=extra, **values
    )


def _turned_along(before: Genome, genome: Genome) -> Genome:
    if before.interpolation_type in {InterpolationType.OLD, InterpolationType.OLDER}:
        return genome
    gap = genome.rotate - before.rotate
    turns = math.ceil((abs(gap) - 180.0) / 360.0) if abs(gap) > 180.0 else 0
    return replace(genome, rotate=genome.rotate - math.copysign(360.0 * turns, gap)) if turns else genome


def _flame_values(flame: Element) -> tuple[dict[str, Any], dict[str, str]]:
    values: dict[str, Any] = {}
    extra: dict[str, str] = {}
    for key, raw in _attributes(flame):
        name, text = str(key), str(raw)
        if name in _FLAME_WORDS:
            field, kind = _FLAME_WORDS[name]
            values[field] = kind(name, text)
        else:
            extra[name] = text
    if "center" in values:
        values["rot_center"] = values["center"]
    return values, _bounded_extra(extra)


def _transforms(flame: Element) -> tuple[list[Xform], Xform | None, int]:
    """Return transforms in flam3's order, the final one, and the last symmetry's kind."""
    xforms: list[Xform] = []
    final: Xform | None = None
    symmetry = 0
    for child in flame:
        if child.tag == "xform":
            xforms.append(_xform(child, len(xforms) + (final is not None)))
        elif child.tag == "finalxform":
            if final is not None:
                raise InvalidSpec("A flame has at most one final transform.")
            final = _xform(child, len(xforms))
        elif child.tag == "symmetry":
            symmetry = _whole("symmetry kind", str(child.get("kind", "0")), (-MAX_KIND, MAX_KIND))
            xforms += symmetric(symmetry)
        if len(xforms) > MAX_XFORMS:
            raise InvalidSpec(f"A flame has at most {MAX_XFORMS} transforms.")
    if not xforms:
        raise InvalidSpec("A flame must have a transform.")
    if final is not None and final.weight != 0.0:
        raise InvalidSpec("A final transform has no weight.")
    return xforms, final, symmetry


def _padded_chaos(xforms: list[Xform]) -> list[Xform]:
    count = len(xforms)
    for xform in xforms:
        if any(factor != 1.0 for factor in xform.chaos[count:]):
            raise InvalidSpec(f"chaos speaks of {len(xform.chaos)} transforms, but the flame has {count}.")
    if all(factor == 1.0 for xform in xforms for factor in xform.chaos):
        return [replace(xform, chaos=()) for xform in xforms]
    ones = (1.0,) * count
    return [replace(xform, chaos=(xform.chaos + ones)[:count]) for xform in xforms]


def _xform(element: Element, place: int) -> Xform:
    """Return a transform; where it says no colour, its place among the flame's decides, as in flam3."""
    motions = element.findall("motion")
    if len(motions) > checks.MAX_MOTIONS:
        raise InvalidSpec(f"A transform has at most {checks.MAX_MOTIONS} motions; this one has {len(motions)}.")
    if "motion_frequency" in element.attrib or "motion_function" in element.attrib:
        raise InvalidSpec("motion_frequency and motion_function belong into a motion element.")
    base = Xform(color=float(place & 1))
    xform = _with_attributes(base, element)
    defaults = {name: value for own in xform.variations for name, value in PARAMETERS.get(own, {}).items()}
    return replace(xform, parameters=defaults | dict(xform.parameters), motions=tuple(map(_motion, motions)))


def _motion(element: Element) -> Motion:
    if "chaos" in element.attrib or "plotmode" in element.attrib:
        raise InvalidSpec("A motion element has neither chaos nor plotmode.")
    frequency = _whole("motion_frequency", str(element.get("motion_frequency", "0")), (-10_000, 10_000))
    function = _word(MotionFunction)("motion_function", str(element.get("motion_function", "sin")))
    still = Xform(color_speed=0.0, animate=0.0, opacity=0.0, coefs=_ZERO, post=_ZERO)
    return Motion(frequency, function, _with_attributes(still, element))


def _with_attributes(base: Xform, element: Element) -> Xform:
    """Return a transform with an element's attributes, taken in their order, since a later one may undo an earlier."""
    values: dict[str, Any] = {}
    variations: dict[str, float] = {}
    parameters: dict[str, float] = {}
    extra: dict[str, str] = {}
    for key, raw in _attributes(element):
        name, text = ALIASES.get(str(key), str(key)), str(raw)
        if name in NUMBERS:
            variations[name] = _number(name, text)
        elif name in DEFAULTS:
            parameters[name] = _number(name, text)
        elif name in {"var", "var1"}:
            variations = _old_variations(name, text)
        elif name in _XFORM_WORDS:
            values |= _XFORM_WORDS[name](name, text)
        elif not name.startswith("motion_"):
            extra[name] = text
    if "super_shape_rnd" in parameters:
        parameters["super_shape_rnd"] = min(1.0, max(0.0, parameters["super_shape_rnd"]))
    weights = {name: variations[name] for name in NAMES if variations.get(name, 0.0) != 0.0}
    return replace(base, variations=weights, parameters=parameters, extra=_bounded_extra(extra), **values)


def _old_variations(name: str, text: str) -> dict[str, float]:
    if name == "var1":
        return {NAMES[_whole(name, text, (0, len(NAMES) - 1))]: 1.0}
    weights = _numbers(name, text, (1, len(NAMES)))
    return dict(zip(NAMES, weights, strict=False))


def _attributes(element: Element) -> Iterable[tuple[Any, Any]]:
    if len(element.attrib) > MAX_ATTRIBUTES:
        raise InvalidSpec(f"An element has at most {MAX_ATTRIBUTES} attributes.")
    return element.attrib.items()


def _bounded_extra(extra: Mapping[str, str]) -> dict[str, str]:
    if len(extra) > MAX_EXTRA:
        raise InvalidSpec(f"An element has at most {MAX_EXTRA} attributes that flam3 does not know.")
    return dict(extra)


# Numbers and words


def _numbers(name: str, text: str, counts: tuple[int, int]) -> tuple[float, ...]:
    parts = text.split()
    if not counts[0] <= len(parts) <= counts[1]:
        wanted = " to ".join(str(count) for count in dict.fromkeys(counts))
        raise InvalidSpec(f"{name} must hold {wanted} numbers: {shown(text)}.")
    if not all(len(part) <= 40 and _NUMBER.fullmatch(part) for part in parts):
        raise InvalidSpec(f"{name} must be a finite number, not {shown(text)}.")
    values = tuple(float(part) for part in parts)
    if any(abs(value) > _HUGE for value in values):
        raise InvalidSpec(f"{name} must be from {-_HUGE:g} to {_HUGE:g}, not {shown(text)}.")
    return values


def _number(name: str, text: str) -> float:
    return _numbers(name, text, (1, 1))[0]


def _whole(name: str, text: str, bounds: tuple[int, int]) -> int:
    value = _number(name, text)
    if value != int(value) or not bounds[0] <= value <= bounds[1]:
        raise InvalidSpec(f"{name} must be a whole number from {bounds[0]} to {bounds[1]}, not {shown(text)}.")
    return int(value)


def _some(count: int) -> Callable[[str, str], tuple[float, ...]]:
    return lambda name, text: _numbers(name, text, (count, count))


def _whole_in(low: int, high: int) -> Callable[[str, str], int]:
    return lambda name, text: _whole(name, text, (low, high))


def _word(words_of: type[Any]) -> Callable[[str, str], Any]:
    def parse(name: str, text: str) -> Any:  # noqa: ANN401 - a word of any of the enumerations
        try:
            return words_of(text)
        except ValueError:
            known = ", ".join(str(word) for word in words_of)
            raise InvalidSpec(f"{name} must be one of {known}, not {shown(text)}.") from None

    return parse


def _listed(name: str, text: str) -> str:
    if text not in words.FLAME_WORDS[name]:
        raise InvalidSpec(f"{name} must be one of {', '.join(sorted(words.FLAME_WORDS[name]))}, not {shown(text)}.")
    return text


def _size(name: str, text: str) -> tuple[int, int]:
    width, height = _numbers(name, text, (2, 2))
    if not all(side == int(side) and _SIDE[0] <= side <= _SIDE[1] for side in (width, height)):
        raise InvalidSpec(f"size must be two whole numbers from {_SIDE[0]} to {_SIDE[1]}, not {shown(text)}.")
    return int(width), int(height)


def _hue(name: str, text: str) -> float:
    return math.fmod(_number(name, text), 1.0)


def _text(_name: str, text: str) -> str:
    return text


_FLAME_WORDS: dict[str, tuple[str, Callable[[str, str], Any]]] = {
    "name": ("name", _text),
    "time": ("time", _number),
    "size": ("size", _size),
    "center": ("center", _some(2)),
    "scale": ("scale", _number),
    "zoom": ("zoom", _number),
    "rotate": ("rotate", _number),
    "quality": ("quality", _number),
    "passes": ("passes", _whole_in(1, 10_000)),
    "temporal_samples": ("temporal_samples", _whole_in(1, 1_000_000)),
    "temporal_filter_type": ("temporal_filter_type", _listed),
    "temporal_filter_width": ("temporal_filter_width", _number),
    "temporal_filter_exp": ("temporal_filter_exp", _number),
    "oversample": ("supersample", _whole_in(1, 64)),
    "supersample": ("supersample", _whole_in(1, 64)),
    "filter": ("filter_radius", _number),
    "filter_shape": ("filter_shape", _listed),
    "background": ("background", _some(3)),
    "brightness": ("brightness", _number),
    "gamma": ("gamma", _number),
    "gamma_threshold": ("gamma_threshold", _number),
    "vibrancy": ("vibrancy", _number),
    "highlight_power": ("highlight_power", _number),
    "estimator_radius": ("estimator_radius", _number),
    "estimator_minimum": ("estimator_minimum", _number),
    "estimator_curve": ("estimator_curve", _number),
    "palette_mode": ("palette_mode", _word(PaletteMode)),
    "palette_interpolation": ("palette_interpolation", _word(PaletteInterpolation)),
    "hsv_rgb_palette_blend": ("palette_blend", _number),
    "interpolation": ("interpolation", _word(Interpolation)),
    "interpolation_type": ("interpolation_type", _word(InterpolationType)),
    "interpolation_space": ("interpolation_type", _word(InterpolationType)),
    "palette": ("palette_index", _whole_in(0, 1_000_000)),
    "hue": ("_hue", _hue),
    "soloxform": ("_solo", _whole_in(-1, 10_000)),
}


def _one(field: str) -> Callable[[str, str], dict[str, Any]]:
    return lambda name, text: {field: _number(name, text)}


def _affine(field: str) -> Callable[[str, str], dict[str, Any]]:
    return lambda name, text: {field: _numbers(name, text, (6, 6))}


def _weight(name: str, text: str) -> dict[str, Any]:
    weight = _number(name, text)
    if weight < 0.0:
        raise InvalidSpec(f"weight must not be negative: {shown(text)}.")
    return {"weight": weight}


def _legacy_symmetry(name: str, text: str) -> dict[str, Any]:
    """Read version 2.7's `symmetry` of a transform, which said how fast colours change, and whether it turns."""
    value = _number(name, text)
    return {"color_speed": (1.0 - value) / 2.0, "animate": 0.0 if value > 0 else 1.0}


_XFORM_WORDS: dict[str, Callable[[str, str], dict[str, Any]]] = {
    "weight": _weight,
    "color": lambda name, text: {"color": _numbers(name, text, (1, 2))[0]},
    "color_speed": _one("color_speed"),
    "symmetry": _legacy_symmetry,
    "animate": _one("animate"),
    "opacity": _one("opacity"),
    "plotmode": lambda _, text: {"opacity": 0.0} if text == "off" else {},
    "coefs": _affine("coefs"),
    "post": _affine("post"),
    "chaos": lambda name, text: {"chaos": _numbers(name, text, (1, 200))},
    "name": lambda _, text: {"name": text},
}


# Palettes


def _palette(flame: Element) -> Palette:
    """Return the palette that a flame's elements spell, later ones over earlier."""
    entries: dict[int, Color] = {}
    for child in flame:
        if child.tag == "color":
            entries |= _color(child)
        elif child.tag == "colors":
            entries |= _hex_colors(str(child.get("data", "")), 8)
        elif child.tag == "palette" and "index0" in child.attrib:
            return _blended(child)
        elif child.tag == "palette":
            width = 8 if str(child.get("format", "RGB")).upper() == "RGBA" else 6
            entries |= _hex_colors(str(child.text or ""), width, has_alpha=width == 8)
    return palettes.filled(entries)


def _color(element: Element) -> dict[int, Color]:
    index = _whole("color index", str(element.get("index", "")), (0, 255))
    name = "rgba" if "rgba" in element.attrib else "rgb"
    values = _numbers(f"color {name}", str(element.get(name, "")), (len(name), len(name)))
    alpha = values[3] if len(values) == 4 else _number("color a", str(element.get("a", "255")))
    part = alpha * palettes.PART
    red, green, blue = (part * (value * palettes.PART) for value in values[:3])
    return {index: (red, green, blue, part)}


def _hex_colors(text: str, width: int, *, has_alpha: bool = False) -> dict[int, Color]:
    digits = checks.hex_digits(text, width)
    rows = [bytes.fromhex(digits[at : at + width]) for at in range(0, len(digits), width)]
    found = {}
    for index, row in enumerate(rows):
        red, green, blue = (value * palettes.PART for value in (row[:3] if has_alpha or width == 6 else row[1:]))
        found[index] = (red, green, blue, row[3] * palettes.PART if has_alpha else 1.0)
    return found


def _blended(element: Element) -> Palette:
    first, second = (_whole(f"index{end}", str(element.get(f"index{end}", "0")), (0, 1_000_000)) for end in (0, 1))
    hues = (_number("hue0", str(element.get("hue0", "0"))), _number("hue1", str(element.get("hue1", "0"))))
    return palettes.blended((first, second), hues, _number("blend", str(element.get("blend", "0.5"))))


# Writing


def element_of(genome: Genome, digits: int | None = None, *, has_colors: bool = True) -> Element:
    """Return a genome's `flame` element in flam3's order of words."""
    show = _shower(digits)
    flame = etree.Element("flame", {name: genome.extra[name] for name in genome.extra if name == "version"})
    for name, value in _flame_attributes(genome, show):
        flame.set(name, value)
    for name, text in genome.extra.items():
        flame.set(name, text)
    for xform in genome.xforms:
        flame.append(_xform_element("xform", xform, show))
    if genome.final is not None:
        flame.append(_xform_element("finalxform", genome.final, show))
    if has_colors:
        flame.extend(etree.Element("color", row) for row in _colors(genome, show))
    if genome.edits:
        flame.append(checks.parse(genome.edits.encode()))
    return flame


Show = Callable[[float], str]


def _shower(digits: int | None) -> Show:
    if digits is not None:
        return lambda value: f"{value:.{digits}g}"
    return lambda value: repr(float(value)).removesuffix(".0")


def _flame_attributes(genome: Genome, show: Show) -> list[tuple[str, str]]:
    row = [("time", show(genome.time))]
    if genome.name:
        row.append(("name", genome.name))
    row += [("size", f"{genome.size[0]} {genome.size[1]}"), ("center", _joined(genome.center, show))]
    row.append(("scale", show(genome.scale)))
    if genome.zoom:
        row.append(("zoom", show(genome.zoom)))
    row += [("rotate", show(genome.rotate)), ("supersample", str(genome.supersample))]
    row += [("filter", show(genome.filter_radius)), ("filter_shape", genome.filter_shape)]
    row.append(("temporal_filter_type", genome.temporal_filter_type))
    if genome.temporal_filter_type == "exp" or genome.temporal_filter_exp:
        row.append(("temporal_filter_exp", show(genome.temporal_filter_exp)))
    row += [("temporal_filter_width", show(genome.temporal_filter_width)), ("quality", show(genome.quality))]
    row += [("passes", str(genome.passes)), ("temporal_samples", str(genome.temporal_samples))]
    row.append(("background", _joined(genome.background, show)))
    tone = ("brightness", "gamma", "highlight_power", "vibrancy", "estimator_radius", "estimator_minimum")
    row += [(name, show(getattr(genome, name))) for name in (*tone, "estimator_curve", "gamma_threshold")]
    row.append(("palette_mode", genome.palette_mode))
    if genome.interpolation is not Interpolation.LINEAR:
        row.append(("interpolation", genome.interpolation))
    row += [("interpolation_type", genome.interpolation_type), ("palette_interpolation", genome.palette_interpolation)]
    if genome.palette_blend > 0:
        row.append(("hsv_rgb_palette_blend", show(genome.palette_blend)))
    if genome.palette_index is not None:
        row += [("palette", str(genome.palette_index)), ("hue", show(genome.hue_rotation))]
    return row


def _joined(values: Iterable[float], show: Show) -> str:
    return " ".join(show(value) for value in values)


def _xform_element(tag: str, xform: Xform, show: Show) -> Element:
    is_motion = tag == "motion"
    row: dict[str, str] = {"weight": show(xform.weight)} if tag == "xform" or (is_motion and xform.weight) else {}
    if xform.name:
        row["name"] = xform.name
    for name, value in (("color", xform.color), ("color_speed", xform.color_speed), ("animate", xform.animate)):
        if not (is_motion and value == 0.0) and not (tag == "finalxform" and name == "animate" and value == 1.0):
            row[name] = show(value)
    row |= {name: show(weight) for name, weight in xform.variations.items()}
    row |= _parameters(xform, show, is_motion=is_motion)
    if not (is_motion and xform.coefs == _ZERO):
        row["coefs"] = _joined(xform.coefs, show)
    if xform.post != _ZERO if is_motion else xform.has_post:
        row["post"] = _joined(xform.post, show)
    if any(factor != 1.0 for factor in xform.chaos):
        row["chaos"] = _joined(xform.chaos, show)
    if not (is_motion and xform.opacity == 0.0):
        row["opacity"] = show(xform.opacity)
    element = etree.Element(tag, row | dict(xform.extra))
    for motion in xform.motions:
        child = _xform_element("motion", motion.change, show)
        child.set("motion_frequency", str(motion.frequency))
        child.set("motion_function", motion.function)
        element.append(child)
    return element


def _parameters(xform: Xform, show: Show, *, is_motion: bool) -> dict[str, str]:
    """Return what a reader needs: the parameters of used variations, and whatever the genome itself spelled out."""
    if is_motion:
        names = [name for name in DEFAULTS if xform.parameters.get(name)]
        return {_INNER.get(name, name): show(xform.parameters[name]) for name in names}
    named = [name for own in xform.variations for name in PARAMETERS.get(own, ())]
    return {name: show(xform.parameter(name)) for name in dict.fromkeys([*named, *xform.parameters])}


def _colors(genome: Genome, show: Show) -> list[dict[str, str]]:
    """Return the words of a palette's `color` elements."""
    if genome.palette_index is not None:
        return []
    rows = _as_read(genome.palette)
    if (genome.palette[:, 3] == 1.0).all():
        return [{"index": str(at), "rgb": _joined(row, show)} for at, row in enumerate(rows[:, :3].tolist())]
    parts = np.where(genome.palette[:, 3:] == 0.0, 1.0, genome.palette[:, 3:])  # colours are kept times their alpha
    rows[:, :3] /= parts
    return [{"index": str(at), "rgba": _joined(row, show)} for at, row in enumerate(rows.tolist())]


def _as_read(palette: Palette) -> NDArray[np.float64]:
    """Return what a palette's values were read from, bytes as whole numbers; what is blended may lose its last bit."""
    near = palette * 255.0
    rows = near
    for candidate in (np.nextafter(near, 0.0), np.nextafter(near, np.inf), np.round(near, 9)):
        rows = np.where(candidate * palettes.PART == palette, candidate, rows)
    return rows


_INNER = {outer: inner for inner, outer in ALIASES.items()}
