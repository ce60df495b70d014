import random
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from sheepfold.kinds.flame import words
from sheepfold.kinds.flame.engine import xml
from sheepfold.kinds.flame.engine.genome import Genome
from sheepfold.kinds.flame.engine.names import DEFAULTS, NAMES
from sheepfold.model.errors import InvalidSpec

XFORM = '<xform weight="1" linear="1" coefs="1 0 0 1 0 0"/>'


def flame(inner: str = XFORM, words_of: str = 'size="9 9"') -> str:
    return f"<flame {words_of}>{inner}</flame>"


def assert_same(one: Genome, other: Genome) -> None:
    assert replace(one, symmetry=0) == replace(other, symmetry=0)
    assert np.allclose(one.palette, other.palette, rtol=0, atol=1e-14)


@pytest.mark.parametrize("name", ["r1", "r2", "r3", "s11", "s14", "final", "edge_spex"])
def test_what_is_written_reads_back_equal(genomes: Path, name: str) -> None:
    for genome in xml.read((genomes / f"{name}.flam3").read_bytes()):
        assert_same(xml.read_one(xml.write(genome)), genome)
        assert_same(Genome.from_xml(genome.to_xml()), genome)


def test_random_genomes_read_back_equal(oracle: ModuleType) -> None:
    for seed in range(60):
        genome = xml.read_one(oracle.genome_text(random.Random(seed)))
        assert_same(xml.read_one(xml.write(genome)), genome)


def test_flam3_reads_what_is_written_as_it_reads_the_source(oracle: ModuleType, tmp_path: Path) -> None:
    for seed in range(12):
        text = oracle.genome_text(random.Random(seed)).encode()
        ours = xml.write(replace(xml.read_one(text), extra={}))
        answers = [oracle.run(tmp_path, source, rotate="1", nframes="8")[1] for source in (text, ours)]
        for answer in answers:
            for element in answer.findall("symmetry"):
                answer.remove(element)
        gap, where = oracle.deviation(answers[1], answers[0])
        assert gap < 2e-5, where


def test_words_that_flam3_does_not_know_are_kept() -> None:
    xform = XFORM.replace("/>", ' plugin="0.5" name="top"/>')
    genome = xml.read_one(flame(xform, 'size="9 9" nick="shepherd" version="Apo"'))
    assert dict(genome.extra) == {"nick": "shepherd", "version": "Apo"}
    assert_same(xml.read_one(xml.write(genome)), genome)
    assert dict(xml.read_one(xml.write(genome)).xforms[0].extra) == {"plugin": "0.5"}


@pytest.mark.parametrize("element", ["flame", "xform"])
def test_words_without_number_are_refused_before_they_are_read(element: str) -> None:
    many = " ".join(f'a{number}="1"' for number in range(xml.MAX_ATTRIBUTES))
    with pytest.raises(InvalidSpec, match=f"^An element has at most {xml.MAX_ATTRIBUTES} attributes"):
        xml.read(flame().replace(f"<{element} ", f"<{element} {many} ", 1))


def test_edits_are_kept(genomes: Path) -> None:
    text = flame(f'{XFORM}<edit action="cross"><edit action="random" index="0"/><sheep id="7"/></edit>')
    assert '<sheep id="7"/>' in xml.read_one(xml.write(xml.read_one(text))).edits


def test_a_symmetry_written_out_counts_twice_as_in_flam3() -> None:
    once = xml.read_one(flame(f'<symmetry kind="-3"/>{XFORM}'))
    assert len(once.xforms) == 4
    twice = xml.read_one(xml.write_as_flam3(once))
    assert len(twice.xforms) == 7
    assert len(xml.read_one(xml.write(once)).xforms) == 4


def test_version_2_7s_words_are_understood() -> None:
    old = '<xform weight="1" color="0.25 0" symmetry="0.5" var="0 0 1 0" coefs="1 0 0 1 0 0"/>'
    (xform,) = xml.read_one(flame(old, 'size="9 9" oversample="3" interpolation_space="linear"')).xforms
    assert (xform.color, xform.color_speed, xform.animate) == (0.25, 0.25, 0.0)
    assert dict(xform.variations) == {"spherical": 1.0}
    assert dict(xml.read_one(flame('<xform weight="1" var1="4" coefs="1 0 0 1 0 0"/>')).xforms[0].variations) == {
        "horseshoe": 1.0
    }


def test_palettes_of_every_era_are_understood() -> None:
    digits = "".join(f"{index:02x}80ff" for index in range(256))
    spaced = "".join(f"00{index:02x}80ff\n" for index in range(256))
    colors = "".join(f'<color index="{index}" rgb="{index} 128 255"/>' for index in range(256))
    new, old = f'<palette count="256" format="RGB">{digits}</palette>', f'<colors count="256" data="{spaced}"/>'
    spelled = [new, old, colors]
    first, *others = (xml.read_one(flame(XFORM + text)).palette for text in spelled)
    assert np.allclose(first[7], (7 / 255, 128 / 255, 1.0, 1.0))
    for other in others:
        assert np.array_equal(first, other)


def test_a_palettes_gaps_are_filled_the_circle_round() -> None:
    ends = '<color index="64" rgb="0 0 0"/><color index="192" rgb="255 255 255"/>'
    palette = xml.read_one(flame(XFORM + ends)).palette
    assert palette[128, 0] == pytest.approx(0.5)
    assert palette[0, 0] == pytest.approx(0.5)


def test_alpha_multiplies_its_colour_and_survives_writing() -> None:
    genome = xml.read_one(flame(f'{XFORM}<color index="0" rgba="200 100 50 51"/>'))
    assert genome.palette[0] == pytest.approx([40 / 255, 20 / 255, 10 / 255, 0.2])
    assert xml.read_one(xml.write(genome)).palette == pytest.approx(genome.palette)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("<flame", "well-formed"),
        ('<!DOCTYPE x [<!ENTITY a "b">]><x><flame size="9 9"/></x>', "document type"),
        (flame(""), "must have a transform"),
        (flame(words_of='size="0 9"'), "size"),
        (flame(words_of='size="9 9" scale="nan"'), "finite"),
        (flame(words_of='size="9 9" gamma="1e400"'), "from"),
        (flame(words_of='size="9 9" quality="inf"'), "finite"),
        (flame(words_of='size="9 9" palette_mode="best"'), "palette_mode must be one of"),
        (flame(XFORM.replace("1 0 0 1 0 0", "1 0 0")), "6 numbers"),
        (flame(XFORM.replace('weight="1"', 'weight="-1"')), "negative"),
        (flame(XFORM * 500), "at most"),
        (flame(f'<symmetry kind="4000"/>{XFORM}'), "symmetry"),
        (flame(XFORM.replace("/>", ' chaos="1 2 3"/>')), "chaos"),
        (flame(XFORM + '<finalxform linear="1" coefs="1 0 0 1 0 0"/>' * 2), "one final"),
        (flame(XFORM + '<color index="256" rgb="0 0 0"/>'), "color index"),
        (flame(XFORM + '<palette count="256" format="RGB">zz</palette>'), "hexadecimal"),
        (flame(XFORM.replace("/>", ">") + '<motion chaos="1"/></xform>'), "neither"),
    ],
    ids=lambda value: None if "<" in value else value,
)
def test_hostile_genomes_are_refused(text: str, complaint: str) -> None:
    with pytest.raises(InvalidSpec, match=complaint):
        xml.read_one(text)


def test_a_flame_too_deep_is_refused() -> None:
    with pytest.raises(InvalidSpec):
        xml.read("<a>" * 300 + flame() + "</a>" * 300)


def test_the_names_are_those_that_orders_may_use() -> None:
    assert len(NAMES) == 99
    assert set(NAMES) == words.VARIATIONS
    assert set(DEFAULTS) | {"amw_amp"} == words.PARAMETERS


def test_bytes_of_a_palette_are_written_as_they_were_read() -> None:
    colors = "".join(f'<color index="{n}" rgb="{n} {255 - n} {n * 7 % 256}.25"/>' for n in range(256))
    text = f'<flame size="9 9"><xform weight="1" linear="1" coefs="1 0 0 1 0 0"/>{colors}</flame>'
    written = xml.write(xml.read_one(text))
    for color in colors.split("/>"):
        assert color.encode() in written
    assert xml.write(xml.read_one(written)) == written
