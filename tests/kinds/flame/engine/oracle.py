"""flam3-genome as the oracle of genome operations: random genomes to try, and how far two answers lie apart."""

import random
import subprocess
from pathlib import Path

from lxml import etree

from sheepfold.kinds.flame.engine.names import NAMES, PARAMETERS

Element = etree._Element

# flam3 3.1.1 forgets to print these.
UNPRINTED = {"twintrian", *PARAMETERS["separation"]}
PADDED = ("julian", "ngon", "spherical", "rings2", "fan2", "blob", "perspective", "curl", "super_shape", "fan", "rings")


def genome_text(chance: random.Random, kind: str = "log", palette: str = "hsv_circular") -> str:
    """Return the XML of a random genome that uses whatever flam3 knows."""
    count = chance.randint(1, 6)
    xforms = "".join(_xform(chance, count, motions=chance.random() < 0.15) for _ in range(count))
    final = _xform(chance, count, tag="finalxform") if chance.random() < 0.3 else ""
    symmetry = f'<symmetry kind="{chance.choice([-3, -2, 2, 3, 5])}"/>' if chance.random() < 0.15 else ""
    colors = "".join(
        f'<color index="{index}" rgb="{" ".join(str(chance.randrange(256)) for _ in range(3))}"/>'
        for index in sorted(chance.sample(range(256), chance.choice([3, 64, 256])))
    )
    return (
        f'<flame time="{chance.randint(0, 3)}" size="{chance.randint(50, 900)} {chance.randint(50, 900)}"'
        f' center="{_number(chance)} {_number(chance)}" scale="{chance.uniform(1, 400):.4f}"'
        f' rotate="{chance.uniform(-170, 170):.3f}" zoom="{chance.choice(["0", "0.5", "-1.25"])}"'
        f' quality="{chance.uniform(1, 90):.3f}" background="0 {chance.random():.3f} 0.25"'
        f' gamma="{chance.uniform(1, 5):.2f}"'
        f' brightness="{chance.uniform(1, 9):.2f}" vibrancy="{chance.random():.2f}" passes="{chance.randint(1, 4)}"'
        f' temporal_samples="{chance.randint(1, 99)}" supersample="{chance.randint(1, 4)}"'
        f' estimator_radius="{chance.uniform(0, 11):.2f}" highlight_power="{chance.choice([-1, 0.5, 2])}"'
        f' interpolation_type="{kind}" palette_interpolation="{palette}"'
        f'{_blend(chance, palette)}>{symmetry}{xforms}{final}{colors}</flame>'
    )


def _blend(chance: random.Random, palette: str) -> str:
    is_blended = palette == "hsv_circular" and chance.random() < 0.4
    return f' hsv_rgb_palette_blend="{chance.random():.3f}"' if is_blended else ""


def _number(chance: random.Random) -> str:
    return f"{chance.uniform(-1.5, 1.5):.5f}"


def _affine(chance: random.Random) -> str:
    special = ["1 0 0 1 0 0", "-1 0 0 -1 0 0", "0 0 0 1 0.5 0", "0 1 -1 0 0.25 0", "0 0 0 0 1 1"]
    if chance.random() < 0.12:
        return chance.choice(special)
    return " ".join(_number(chance) for _ in range(6))


def _xform(chance: random.Random, count: int, tag: str = "xform", *, motions: bool = False) -> str:
    names = [name for name in NAMES if name not in UNPRINTED]
    variations = chance.sample(names, chance.randint(1, 4)) + chance.sample(PADDED, chance.randint(0, 1))
    words = {name: f"{chance.uniform(0.05, 1):.4f}" for name in dict.fromkeys(variations)}
    if chance.random() < 0.1:
        words = {name: "-" + weight for name, weight in words.items()}
    for name in list(words):
        for parameter in PARAMETERS.get(name, {}):
            if chance.random() < 0.8 and parameter not in UNPRINTED:
                words[parameter] = f"{chance.uniform(0.1, 4):.4f}"
    if "super_shape_rnd" in words:
        words["super_shape_rnd"] = f"{chance.random():.4f}"
    if tag == "xform":
        words |= {"weight": f"{chance.uniform(0.01, 2):.4f}", "animate": chance.choice(["1", "1", "1", "0", "0.5"])}
        if chance.random() < 0.25:
            words["chaos"] = " ".join(f"{chance.uniform(0, 2):.3f}" for _ in range(chance.randint(1, count)))
    if chance.random() < 0.8:
        words["color"] = f"{chance.random():.4f}"
    words |= {"color_speed": f"{chance.random():.4f}", "coefs": _affine(chance), "opacity": f"{chance.random():.4f}"}
    if chance.random() < 0.35:
        words["post"] = _affine(chance)
    attributes = " ".join(f'{name}="{value}"' for name, value in words.items())
    inner = "".join(_motion(chance, variations) for _ in range(chance.randint(1, 2))) if motions else ""
    return f"<{tag} {attributes}>{inner}</{tag}>"


def _motion(chance: random.Random, variations: list[str]) -> str:
    function = chance.choice(["sin", "triangle", "hill"])
    return (
        f'<motion motion_frequency="{chance.randint(1, 3)}" motion_function="{function}"'
        f' {variations[0]}="{chance.random():.3f}" coefs="{_affine(chance)}" color="{chance.uniform(-1, 1):.3f}"/>'
    )


def run(folder: Path, text: bytes, **environment: str) -> list[Element]:
    """Return what flam3-genome prints about a file of flames: `run(folder, text, rotate="3", nframes="9")` and so on.

    The first word is the operation and holds the frame.
    """
    source = folder / "oracle.flam3"
    source.write_bytes(text)
    (operation, frame), *rest = environment.items()
    words = {operation: str(source), "frame": frame, "enclosed": "0", "noedits": "1", **dict(rest)}
    done = subprocess.run(["/usr/bin/flam3-genome"], env=words, capture_output=True, check=True, timeout=20)
    return list(etree.fromstring(b"<all>" + done.stdout + b"</all>").iter("flame"))


def deviation(ours: Element, theirs: Element) -> tuple[float, str]:
    """Return the largest deviation between two flames' numbers and where it is; infinite where words differ.

    Deviations are relative to the number, or to 1 where that is more.
    """
    tags, theirs_tags = [child.tag for child in ours], [child.tag for child in theirs]
    if tags != theirs_tags:
        return float("inf"), f"{tags} is not {theirs_tags}"
    worst = _of_words(ours, theirs, "flame")
    for place, (one, other) in enumerate(zip(ours, theirs, strict=True)):
        worst = max(worst, _of_words(one, other, f"{one.tag} {place}"))
    return worst


def _of_words(one: Element, other: Element, place: str) -> tuple[float, str]:
    worst = (0.0, "")
    for name in sorted((set(one.attrib) | set(other.attrib)) - UNPRINTED - {"version"}):
        mine, yours = one.get(name, ""), other.get(name, "")
        if mine == yours or (not mine and name == "animate"):
            continue
        worst = max(worst, (_gap(mine, yours), f"{place} {name}: {mine!r} is not {yours!r}"))
    return worst


def _gap(mine: str, yours: str) -> float:
    try:
        first, second = ([float(part) for part in text.split()] for text in (mine, yours))
    except ValueError:
        return float("inf")
    if len(first) != len(second):  # a row of chaos ends with its last factor that is not 1; a weight of 0 is left out
        filler = 1.0 if first and second else 0.0
        size = max(len(first), len(second))
        first, second = (row + [filler] * (size - len(row)) for row in (first, second))
    return max(abs(x - y) / max(1.0, abs(y)) for x, y in zip(first, second, strict=True))
