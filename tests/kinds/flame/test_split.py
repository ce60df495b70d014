import re
from dataclasses import replace
from itertools import islice
from pathlib import Path
from types import ModuleType

import pytest
from lxml import etree

from sheepfold.kinds.flame import flam3, genome, spec, split, words
from sheepfold.kinds.flame.engine import xml
from sheepfold.kinds.flame.engine.template import Template
from sheepfold.model.errors import InvalidSpec
from sheepfold.model.matching import Needs

SMALL = {"width": 96, "height": 72, "quality": 4}


def flames_of(path: Path | None) -> list[etree._Element]:
    assert path is not None
    return etree.fromstring(b"<a>" + path.read_bytes() + b"</a>").findall("flame")


def order(genomes: Path, folder: Path, *names: str, **fields: object) -> list[split.TaskDraft]:
    inputs = dict(zip(("genome", "genome2"), (genomes / f"{name}.flam3" for name in names), strict=False))
    return split.split(spec.parse(SMALL | fields), inputs, folder)


def test_every_frame_is_a_task_with_its_own_control_points(genomes: Path, tmp_path: Path) -> None:
    drafts = order(genomes, tmp_path, "r1", frames=5)
    assert [(draft.frame, draft.part) for draft in drafts] == [(0, 0), (1, 0), (2, 0), (3, 0), (4, 0)]
    assert len({draft.input for draft in drafts}) == 5
    for draft in drafts:
        assert draft.input is not None
        assert draft.input.parent == tmp_path
        assert draft.input.read_bytes().startswith(b"<flame ")
        points = flames_of(draft.input)
        assert [point.get("time") for point in points] == [str(draft.frame + step) for step in (-1, 0, 1)]
        assert {point.get("size") for point in points} == {"96 72"}
        assert draft.needs == Needs(kind="flame", renderer="flam3")
        assert draft.cost_ms > 0


def test_parts_share_their_frames_genome_and_its_quality(genomes: Path, tmp_path: Path) -> None:
    drafts = order(genomes, tmp_path, "r1", frames=2, parts=4)
    assert [(draft.frame, draft.part) for draft in drafts] == [(frame, part) for frame in (0, 1) for part in range(4)]
    assert len({draft.input for draft in drafts}) == 2
    assert drafts[0].input is not None
    assert flames_of(drafts[0].input)[0].get("quality") == "1"


def test_a_still_is_a_genome_at_rest(genomes: Path, tmp_path: Path) -> None:
    (draft,) = order(genomes, tmp_path, "final", shape="still")
    assert draft.input is not None
    before, at, after = flames_of(draft.input)
    for other in (before, after):
        assert [dict(e.attrib) for e in other] == [dict(e.attrib) for e in at]
    source = next(etree.parse(genomes / "final.flam3").iter("flame"))
    assert [e.get("coefs") for e in at.findall("xform")] == [e.get("coefs") for e in source.findall("xform")]


def test_an_edge_goes_from_its_first_genome_to_its_second(genomes: Path, tmp_path: Path) -> None:
    drafts = order(genomes, tmp_path, "r1", "r2", shape="edge", frames=4)
    first, last = drafts[0].input, drafts[-1].input
    assert first is not None
    assert last is not None
    ends = [etree.parse(genomes / f"{name}.flam3").find(".//flame/color") for name in ("r1", "r2")]
    assert ends[0] is not None
    shown = flames_of(first)[1].find("color")
    assert shown is not None
    assert shown.get("rgb") == ends[0].get("rgb")
    assert first.read_bytes() != last.read_bytes()


def test_an_edge_may_come_as_one_file(genomes: Path, tmp_path: Path) -> None:
    assert len(order(genomes, tmp_path, "edge_spex", shape="edge", frames=3)) == 3


def test_a_loop_of_two_genomes_and_an_edge_of_one_are_refused(genomes: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidSpec, match="order an edge to use two"):
        order(genomes, tmp_path, "r1", "r2", frames=3)
    with pytest.raises(InvalidSpec, match="needs 2 flames"):
        order(genomes, tmp_path, "r1", shape="edge", frames=3)
    with pytest.raises(InvalidSpec, match="needs a genome"):
        order(genomes, tmp_path, frames=3)


def test_a_genome_cannot_set_its_own_price(genomes: Path, tmp_path: Path) -> None:
    text = (genomes / "r1.flam3").read_text()
    for ours, theirs in {
        'size="100 100"': 'size="100000 100000"',
        'quality="1"': 'quality="1e9"',
        'supersample="1"': 'supersample="16"',
        'passes="1"': 'passes="1000"',
        'temporal_samples="1000"': 'temporal_samples="1000000" zoom="12"',
    }.items():
        assert ours in text
        text = text.replace(ours, theirs)
    (tmp_path / "greedy.flam3").write_text(text)
    (draft,) = split.split(spec.parse(SMALL | {"frames": 1}), {"genome": tmp_path / "greedy.flam3"}, tmp_path)
    assert draft.input is not None
    for point in flames_of(draft.input):
        found = [point.get(name) for name in ("size", "quality", "supersample", "passes", "temporal_samples")]
        assert found == ["96 72", "4", "1", "1", "60"]
        assert float(point.get("zoom", "0")) == 0


def test_a_symmetry_stays_for_the_renderer_to_see(genomes: Path, tmp_path: Path) -> None:
    (draft,) = order(genomes, tmp_path, "s14", frames=1)
    assert draft.input is not None
    assert [e.get("kind") for flame in flames_of(draft.input) for e in flame.findall("symmetry")] == ["-5"] * 3


def test_splitting_twice_gives_the_same_genomes(genomes: Path, tmp_path: Path) -> None:
    texts = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        drafts = order(genomes, tmp_path / name, "s11", frames=2)
        texts.append([draft.input.read_bytes() for draft in drafts if draft.input])
    assert texts[0] == texts[1]


def test_frames_are_those_of_flam3_genome(
    genomes: Path, tmp_path: Path, oracle: ModuleType
) -> None:
    for names, word in ((("s14",), "rotate"), (("r1", "s11"), "inter")):
        drafts = order(genomes, tmp_path, *names, shape="loop" if word == "rotate" else "edge", frames=7)
        spec_of = spec.parse(SMALL | {"frames": 7})
        template = tmp_path / "template.flam3"
        template.write_text(flam3.template(spec_of), "ascii")
        clean = genome.spex([(genomes / f"{name}.flam3").read_bytes() for name in names], len(names))
        for frame in (0, 3, 6):
            wanted = oracle.run(tmp_path, clean, **{word: str(frame)}, nframes="7", template=str(template))
            for ours, theirs in zip(flames_of(drafts[frame].input), wanted, strict=True):
                gap, where = oracle.deviation(ours, theirs)
                assert gap < 2e-5, where


def test_a_genome_that_grows_beyond_numbers_is_refused(genomes: Path, tmp_path: Path) -> None:
    text = (genomes / "r1.flam3").read_text().replace('interpolation_type="log"', 'interpolation_type="linear"')
    huge = re.sub(r'coefs="[^"]*"', 'coefs="1e9 0 0 1e9 1e9 1e9"', text)
    motion = '<motion motion_frequency="1" motion_function="sin" coefs="' + "1e9 " * 5 + '1e9"/>'
    for index, wild in enumerate((huge, re.sub(r"(<xform [^>]*)/>", rf"\1>{motion * 20}</xform>", huge))):
        (tmp_path / f"{index}.flam3").write_text(wild)
        drafts = split.split(spec.parse(SMALL | {"frames": 3}), {"genome": tmp_path / f"{index}.flam3"}, tmp_path)
        assert len(drafts) == 3  # large, but numbers still
    with pytest.raises(InvalidSpec, match="a number that is none"):
        split._frame(lambda _: (replace(xml.read_one(text), scale=float("nan")),) * 3, Template(), 0)


NAMES = sorted(words.VARIATIONS | words.PARAMETERS)
FULL = '<xform weight="1" ' + " ".join(f'{name}="1.2345678"' for name in NAMES) + "/>"


def test_a_genome_that_is_too_long_for_so_many_frames_is_refused_at_the_first(tmp_path: Path) -> None:
    (tmp_path / "long.flam3").write_text(f"<flame>{FULL * 100}</flame>")
    frames = tmp_path / "frames"
    frames.mkdir()
    with pytest.raises(InvalidSpec, match=r"too long for 130 frames: frame 0 takes 13\d{5} bytes.* Order 10\d frames"):
        split.split(spec.parse(SMALL | {"frames": 130}), {"genome": tmp_path / "long.flam3"}, frames)
    assert list(frames.iterdir()) == []


def test_an_edge_that_begins_short_and_grows_too_long_is_refused(tmp_path: Path) -> None:
    short = '<flame><xform weight="1" linear="1"/></flame>'
    (tmp_path / "edge.flam3").write_text(f"<a>{short}<flame>{FULL * 20}</flame></a>")
    frames = split._frames(spec.parse(SMALL | {"shape": "edge", "frames": 1000}), {"genome": tmp_path / "edge.flam3"})
    with pytest.raises(InvalidSpec, match="too long for 1000 frames"):
        for _ in islice(frames, 20):
            pass


def test_motions_count_since_each_frame_is_moved_by_all_of_them(tmp_path: Path) -> None:
    moved = '<xform weight="1" linear="1">' + '<motion linear="0"/>' * 20 + "</xform>"
    (tmp_path / "moved.flam3").write_text(f"<flame>{moved * 100}</flame>")
    with pytest.raises(InvalidSpec, match="too long for 1000 frames"):
        next(split._frames(spec.parse(SMALL | {"frames": 1000}), {"genome": tmp_path / "moved.flam3"}))
    assert next(split._frames(spec.parse(SMALL | {"frames": 200}), {"genome": tmp_path / "moved.flam3"}))


@pytest.mark.parametrize("name", ["final", "r1", "r2", "r3", "r4", "s11", "s12", "s14", "s16"])
def test_a_real_genome_has_room_in_an_order_of_all_frames_that_there_may_be(genomes: Path, name: str) -> None:
    frames = split._frames(spec.parse(SMALL | {"frames": 2000}), {"genome": genomes / f"{name}.flam3"})
    assert len(list(islice(frames, 100))) == 100


def test_a_real_edge_has_room_in_an_order_of_all_frames_that_there_may_be(genomes: Path, tmp_path: Path) -> None:
    drafts = order(genomes, tmp_path, "edge_spex", shape="edge", frames=100)
    assert max(draft.input.stat().st_size for draft in drafts if draft.input) * 2000 < split.MAX_BYTES
