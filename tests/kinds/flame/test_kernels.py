"""The kernels that a worker keeps: compiled by the real compiler, behind walls where this machine has them."""

import hashlib
import json
import os
import re
from contextlib import closing
from pathlib import Path

import pytest

from sheepfold.kinds.flame.engine import blueprint
from sheepfold.kinds.flame.engine.codegen import Shape, Structure
from sheepfold.kinds.flame.engineer import Answer, Engineer
from sheepfold.kinds.flame.kernels import Kernels, Note
from sheepfold.kinds.seam import RenderFailed
from sheepfold.worker import sandbox
from sheepfold.worker.bench import Bench
from sheepfold.worker.sandbox import Limits

LINEAR = Structure((Shape(("linear",)),))
GENOME = ('<a><flame time="0" size="32 24" center="0 0" scale="10" quality="5" temporal_samples="1"><xform weight="1"'
          ' color="0" linear="1" coefs="0.5 0 0 0.5 0.1 0.2"/>'
          + "".join(f'<color index="{index}" rgb="{index} 90 200"/>' for index in range(256))
          + "</flame></a>")  # fmt: skip


@pytest.fixture(scope="module")
def kernels(tmp_path_factory: pytest.TempPathFactory) -> Kernels:
    """Return a store that holds a kernel for LINEAR."""
    folder = tmp_path_factory.mktemp("kernels")
    (folder / "room").mkdir()
    kept = Kernels(folder / "kept")
    bench = Bench(folder / "room", folder / "log.txt", Limits(), kept=folder / "kept")
    assert kept.compile(blueprint.drawn(LINEAR), bench) == blueprint.digest(LINEAR)
    assert list((folder / "room").iterdir()) == []
    return kept


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    (tmp_path / "room").mkdir()
    return Bench(tmp_path / "room", tmp_path / "log.txt", Limits())


def contents(folder: Path) -> dict[str, str]:
    return {str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest()
            for file in folder.rglob("*") if file.is_file()}


def test_an_engine_renders_with_a_kernel_that_another_program_compiled_and_changes_none(
    kernels: Kernels, bench: Bench
) -> None:
    genomes, picture = bench.folder / "genome.flam3", bench.folder / "picture.png"
    genomes.write_text(GENOME)
    before = contents(kernels.folder)
    words = {"genomes": str(genomes), "picture": str(picture), "time": "0", "seed": "a", "bits": "33",
             "jpeg_quality": "95", "threads": 1}  # fmt: skip
    with closing(Engineer(bench, kernels.folder)) as engineer:
        assert engineer.ask(words) == Answer(blueprint.digest(LINEAR))
        genomes.write_text(GENOME.replace("linear", "julia"))
        wanted = engineer.ask(words).wanted
    assert wanted is not None
    assert blueprint.read(wanted) == Structure((Shape(("julia",)),))
    assert picture.is_file()
    assert contents(kernels.folder) == before
    copied = contents(bench.folder / "cache" / "sheepfold" / "kernels")
    assert copied == {name.partition("/")[2]: digest for name, digest in before.items()}  # so nothing was compiled


@pytest.mark.skipif(not sandbox.has_walls(), reason="no bubblewrap")
def test_a_renderer_can_read_kernels_but_not_write_to_them(kernels: Kernels, bench: Bench) -> None:
    one, before = kernels.folder / blueprint.digest(LINEAR), contents(kernels.folder)
    bench.run(["ls", str(one / "__pycache__")], {}, readable=[kernels.folder])
    for deed in (f"echo > {one}/more", f"rm -r {one}", f"chmod 777 {one}", f"mv {one} {one}2"):
        with pytest.raises(RenderFailed, match="sh ended with status"):
            bench.run(["sh", "-c", deed], {}, readable=[kernels.folder])
    assert contents(kernels.folder) == before


def test_a_kernel_of_nonsense_is_not_compiled(kernels: Kernels, bench: Bench) -> None:
    before = contents(kernels.folder)
    with pytest.raises(RenderFailed, match="kernel of nonsense"):
        kernels.compile(blueprint.drawn(LINEAR) | {"shapes": ["import os"]}, bench)
    assert contents(kernels.folder) == before
    assert not (bench.folder.parent / "log.txt").exists()


def test_the_kernels_that_were_not_used_for_longest_go_first(tmp_path: Path) -> None:
    kernels = Kernels(tmp_path, limit_bytes=250)
    for name in ("a", "b"):
        made = tmp_path / "made" / name
        made.mkdir(parents=True)
        (made / "code.nbc").write_bytes(b"x" * 100)
        kernels.take(name, made)
        os.utime(kernels.folder / name, (1, 1))
    kernels.use("a")
    kernels.take("c", tmp_path / "made" / "a")
    assert sorted(path.name for path in kernels.folder.iterdir()) == ["a", "c"]


def test_what_is_no_file_is_not_taken_from_the_compiler(tmp_path: Path) -> None:
    (tmp_path / "made").mkdir()
    (tmp_path / "made" / "code.nbc").symlink_to("/etc/passwd")
    kernels = Kernels(tmp_path / "kept")
    kernels.take("a", tmp_path / "made")
    assert contents(kernels.folder) == {}


def test_notes_are_kept_over_a_restart_and_broken_ones_are_forgotten(tmp_path: Path) -> None:
    Kernels(tmp_path).put_down("a", Note(1.5, "k"))
    assert Kernels(tmp_path).note("a") == Note(1.5, "k")
    for text in ("", "[]", json.dumps({"no": 1}), "1"):
        (tmp_path / "notes" / "a").write_text(text)
        assert Kernels(tmp_path).note("a") == Note()


def test_the_oldest_notes_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sheepfold.kinds.flame.kernels.MOST_NOTES", 4)
    kernels = Kernels(tmp_path)
    for number in range(5):
        kernels.put_down(str(number), Note(number))
    assert sorted(path.name for path in (tmp_path / "notes").iterdir()) == ["3", "4"]


def test_no_word_of_a_genome_reaches_the_compiler(kernels: Kernels) -> None:
    (source,) = kernels.folder.rglob("*.py")
    assert re.search(r"0\.1|0\.2\b", source.read_text()) is None
