from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from sheepfold.kinds.flame import genome, words
from sheepfold.model.errors import InvalidSpec

COLORS = "".join(f'<color index="{index}" rgb="{index} 9 9"/>' for index in range(256))
XFORM = '<xform weight="1" color="0" linear="1" coefs="0.5 0 0 0.5 0.1 0.2"/>'
FLAME = f'<flame size="100 100" scale="25" center="0 0">{XFORM}{COLORS}</flame>'


def flame(attributes: str = "", inside: str = "") -> bytes:
    return f'<flame size="100 100" scale="25" {attributes}>{XFORM}{inside}</flame>'.encode()


def folded(color: str) -> str:
    return "".join(color.format(index) for index in range(256))


def refusal(text: bytes, count: int = 1) -> str:
    with pytest.raises(InvalidSpec) as caught:
        genome.spex([text], count)
    return str(caught.value)


@pytest.mark.parametrize("name", ["r1", "r2", "r3", "s11", "s14", "final"])
def test_a_real_genome_keeps_every_word_that_flam3_reads(genomes: Path, name: str) -> None:
    text = (genomes / f"{name}.flam3").read_bytes()
    before = next(etree.fromstring(text).iter("flame"))
    after = etree.fromstring(genome.spex([text], 1)).find("flame")
    assert after is not None
    for tag in ("xform", "finalxform", "symmetry", "color"):
        assert [dict(e.attrib) for e in after.findall(tag)] == [dict(e.attrib) for e in before.findall(tag)]
    left_out = {"version", "time", "name", "supersample", "quality", "passes", "temporal_samples"}
    assert set(before.attrib) - set(after.attrib) <= left_out | {"zoom"}
    assert after.find("edit") is None


def test_an_edge_takes_two_flames_from_one_file_or_two(genomes: Path) -> None:
    one, two = (genomes / "r1.flam3").read_bytes(), (genomes / "r2.flam3").read_bytes()
    assert genome.spex([one, two], 2).count(b"<flame") == 2
    assert genome.spex([(genomes / "edge_spex.flam3").read_bytes()], 2).count(b"<flame") == 2


def test_the_wrong_number_of_flames_is_told() -> None:
    assert "needs one flame, but the genome holds 2" in refusal(f"<a>{FLAME}{FLAME}</a>".encode())
    assert "needs 2 flames, but the genome holds 1" in refusal(FLAME.encode(), 2)
    assert "needs one flame, but the genome holds 0" in refusal(b"<a/>")


@pytest.mark.parametrize("value", ["nan", "inf", "-INF", "1e999", "", "1 2", "0x10", "1_0", "\u0661", "one", "1,5"])
@pytest.mark.parametrize("name", ["brightness", "scale"])
def test_what_is_no_finite_number_is_refused(name: str, value: str) -> None:
    text = f'<flame size="100 100" {name}="{value}">{XFORM}{COLORS}</flame>'.encode()
    assert name in refusal(text)


@pytest.mark.parametrize("name", ["coefs", "post"])
def test_a_transform_has_six_finite_coefficients(name: str) -> None:
    for value in ("1 0 0 1 0", "1 0 0 1 0 nan", "1 0 0 1 0 0 0"):
        text = f'<flame><xform weight="1" linear="1" {name}="{value}"/>{COLORS}</flame>'.encode()
        assert name in refusal(text)


letters = st.text(st.characters(categories=["L", "N", "P", "Z"]), max_size=12)


@given(st.sampled_from(sorted(words.FLAME_NUMBERS)), letters | st.floats().map(str))
def test_whatever_an_attribute_says_it_is_refused_or_finite(name: str, value: str) -> None:
    element = etree.fromstring(FLAME)
    element.set(name, value)
    try:
        made = etree.fromstring(genome.spex([etree.tostring(element)], 1)).find("flame")
    except InvalidSpec:
        return
    assert made is not None
    count, _, (low, high) = words.FLAME_NUMBERS[name]
    if name != "zoom":
        numbers = [float(part) for part in made.get(name, "").split()]
        assert len(numbers) == count
        assert all(low <= number <= high for number in numbers)


@given(st.binary(max_size=200))
def test_bytes_that_are_no_genome_are_refused(text: bytes) -> None:
    with pytest.raises(InvalidSpec):
        genome.spex([text], 1)


def test_ten_thousand_transforms_are_refused() -> None:
    text = f"<flame>{XFORM * 10_000}{COLORS}</flame>".encode()
    assert len(text) < genome.MAX_BYTES
    assert "1 to 100 transforms; this one has 10000" in refusal(text)


def test_a_genome_without_transforms_or_weight_is_refused() -> None:
    assert "this one has 0" in refusal(f"<flame>{COLORS}</flame>".encode())
    assert "more than 0" in refusal(f'<flame><xform weight="0" linear="1"/>{COLORS}</flame>'.encode())


@pytest.mark.parametrize("kind", ["0", "51", "-1000000", "nan", ""])
def test_a_symmetry_that_is_random_or_monstrous_is_refused(kind: str) -> None:
    assert "kind" in refusal(flame(inside=f'<symmetry kind="{kind}"/>'))


def test_what_costs_more_than_the_order_says_is_refused() -> None:
    for attributes in ('filter="1000000"', 'estimator_radius="100000"', 'temporal_filter_width="1e9"', 'gamma="0"'):
        assert attributes.split("=")[0] in refusal(flame(attributes))


def test_zoom_is_folded_into_the_scale_so_that_it_costs_nothing() -> None:
    made = etree.fromstring(genome.spex([flame('zoom="3"')], 1)).find("flame")
    assert made is not None
    assert "zoom" not in made.attrib
    assert float(made.get("scale", "0")) == 200


def test_a_deep_edit_tree_is_refused_and_a_shallow_one_left_out() -> None:
    assert "well-formed" in refusal(flame(inside="<edit>" * 5000 + "</edit>" * 5000))
    assert b"edit" not in genome.spex([flame(inside="<edit>" * 100 + "</edit>" * 100)], 1)


@pytest.mark.parametrize(
    "head",
    [
        "<!DOCTYPE a>",
        '<!DOCTYPE a [<!ENTITY e "1">]>',
        '<!DOCTYPE a [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;">]>',
        '<!DOCTYPE a SYSTEM "file:///etc/passwd">',
    ],
)
def test_a_document_type_is_refused(head: str) -> None:
    assert "document type" in refusal(f"{head}<a>{FLAME}</a>".encode())


def test_a_bomb_of_entities_is_refused() -> None:
    levels = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 12))
    text = f'<!DOCTYPE a [<!ENTITY e0 "x">{levels}]><a b="&e11;">{FLAME}</a>'.encode()
    assert refusal(text)


def test_a_nested_flame_is_refused() -> None:
    assert "another flame" in refusal(flame(inside=FLAME), 2)


def test_words_that_flam3_does_not_know_are_left_out() -> None:
    inside = '<script>x</script><xform weight="1" plugin="1"/>'
    made = genome.spex([flame('onload="x" url="u" soloxform="1"', inside)], 1)
    for word in (b"onload", b"url", b"soloxform", b"script", b"plugin"):
        assert word not in made


@pytest.mark.parametrize(
    ("palette", "name", "third"),
    [
        ('<palette count="256" format="RGB">' + folded("{:02X}FF00\n") + "</palette>", "rgb", "2 255 0"),
        ('<palette format="RGBA">' + folded("{:02X}FF0080") + "</palette>", "rgba", "2 255 0 128"),
        ('<colors count="256" data="' + folded("00{:02X}FF00") + '"/>', "rgb", "2 255 0"),
    ],
)
def test_a_folded_palette_is_unfolded_as_flam3_reads_it(palette: str, name: str, third: str) -> None:
    made = etree.fromstring(genome.spex([flame(inside=palette)], 1)).findall("flame/color")
    assert len(made) == 256
    assert dict(made[2].attrib) == {"index": "2", name: third}


@pytest.mark.parametrize(
    "palette",
    [
        "<palette>FFF</palette>",
        "<palette>" + "FFFFFF" * 257 + "</palette>",
        "<palette>GGGGGG</palette>",
        '<colors data=""/>',
        '<color index="256" rgb="0 0 0"/>',
        '<color index="-1" rgb="0 0 0"/>',
        '<color index="0" rgb="0 0 nan"/>',
        '<color index="0"/>',
        '<palette index0="1" index1="2" blend="0.5"/>',
    ],
)
def test_a_palette_that_is_none_is_refused(palette: str) -> None:
    assert refusal(flame(inside=palette))


@pytest.mark.parametrize("palette", [
    COLORS,
    "<palette>" + "FFFFFF" * 256 + "</palette>",
    '<colors count="256" data="' + "00FFFFFF" * 256 + '"/>',
])  # fmt: skip
def test_a_flame_may_spell_its_colours_over_but_not_for_ever(palette: str) -> None:
    made = etree.fromstring(genome.spex([flame(inside=palette * 4)], 1))
    assert len(made.findall("flame/color")) == 256
    assert "256 colours; this one spells more than 1024" in refusal(flame(inside=palette * 4 + palette))


def test_a_file_larger_than_a_genome_may_be_is_not_even_parsed(tmp_path: Path) -> None:
    path = tmp_path / "large.flam3"
    path.write_bytes(b" " * (genome.MAX_BYTES + 1))
    with pytest.raises(InvalidSpec, match="at most 1048576 bytes"):
        genome.read(path)


@pytest.mark.parametrize("blank", ["\u2003", "\u00a0", "&#10;", " \u3000 "])
def test_blanks_that_only_python_knows_do_not_reach_flam3(blank: str) -> None:
    made = etree.fromstring(genome.spex([flame(f'center="1{blank}2"')], 1)).find("flame")
    assert made is not None
    assert made.get("center") == "1 2"
