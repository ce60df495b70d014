from collections.abc import Sequence
from pathlib import Path

import pytest

from sheepfold.kinds.flame import foresight, spec, split


def traces(genomes: Path, folder: Path, names: Sequence[str], **order: object) -> set[str]:
    folder.mkdir()
    inputs = dict(zip(("genome", "genome2"), (genomes / f"{name}.flam3" for name in names), strict=False))
    parsed = spec.parse({"width": 96, "height": 72} | order)
    files = [draft.input for draft in split.split(parsed, inputs, folder) if draft.input]
    for file in files:
        file.write_bytes(b"<frame>" + file.read_bytes() + b"</frame>")
    return {foresight.outlook({}, file).trace for file in files}


def test_all_frames_of_a_loop_and_of_another_size_have_one_trace(genomes: Path, tmp_path: Path) -> None:
    small = traces(genomes, tmp_path / "small", ["s11"], frames=9)
    assert len(small) == 1
    assert traces(genomes, tmp_path / "large", ["s11"], frames=3, width=400, quality=7) == small


def test_genomes_of_other_variations_have_another_trace(genomes: Path, tmp_path: Path) -> None:
    found = [traces(genomes, tmp_path / name, [name], frames=2) for name in ("r1", "r2", "s11", "final")]
    assert len(set.union(*found)) == 4


@pytest.mark.parametrize("text", ["<flame size='96 72'><xform", "", "<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>"])
def test_what_cannot_be_understood_costs_nothing(text: str, tmp_path: Path) -> None:
    path = tmp_path / "genome"
    path.write_text(text)
    assert foresight.outlook({"format": "png"}, path).flam3_s == 0


@pytest.mark.parametrize(
    ("words", "is_dear"),
    [('size="1280 720" quality="500"', True), ('size="64 48" quality="500"', False), ('size="1280 720"', False),
     ('size="1280" quality="500"', False), ('size="1280 720" quality="inf"', False), ("", False)],
)  # fmt: skip
def test_where_a_wire_tells_no_size_the_genome_says_how_dear_a_frame_is(
    tmp_path: Path, words: str, *, is_dear: bool
) -> None:
    """Electric Sheep's words are `format`, `bits` and a seed."""
    path = tmp_path / "get.xml"
    path.write_text(f'<get gen="1"><flame time="1" {words}/><flame time="2" {words}/></get>')
    told = foresight.outlook({"format": "png", "bits": 33, "seed": "a"}, path)
    assert (told.flam3_s > 10) == is_dear
