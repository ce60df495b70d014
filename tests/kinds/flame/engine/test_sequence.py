from dataclasses import replace
from pathlib import Path
from types import ModuleType

from lxml import etree

from sheepfold.kinds.flame.engine import sequence, xml


def test_a_sequence_is_that_of_flam3_genome(oracle: ModuleType, genomes: Path, tmp_path: Path) -> None:
    names = ("r1", "final", "r2")
    text = xml.write_all(xml.read((genomes / f"{name}.flam3").read_bytes())[0] for name in names)
    ours = list(sequence.sequence(xml.read(text), 3))
    theirs = oracle.run(tmp_path, text, sequence="0", nframes="3")
    assert [point.time for point in ours] == list(range(16))
    for point, wanted in zip(ours, theirs, strict=True):
        gap, where = oracle.deviation(etree.fromstring(xml.write_as_flam3(point)), wanted)
        assert gap < 2e-5, (point.time, where)


def test_strips_are_those_of_flam3_genome(oracle: ModuleType, genomes: Path, tmp_path: Path) -> None:
    flame = replace(xml.read_one((genomes / "r1.flam3").read_bytes()), rotate=25.0, zoom=0.5, size=(90, 120))
    for number in range(3):
        (wanted,) = oracle.run(tmp_path, xml.write(flame), strip=str(number), nframes="3")
        ours = sequence.strip(flame, 3, number)
        gap, where = oracle.deviation(etree.fromstring(xml.write_as_flam3(ours)), wanted)
        assert gap < 2e-5, where
