"""Flames on a worker's one bench, and what it keeps of them: with real flam3."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from folder_farm import GENOME, FolderFarm

from sheepfold.kinds.flame import spec, split
from sheepfold.kinds.seam import RenderOrder
from sheepfold.protocols.link import Work
from sheepfold.worker.bench import Bench
from sheepfold.worker.chains import Chains
from sheepfold.worker.sandbox import Limits

SMALL = {"width": 64, "height": 48, "quality": 2, "frames": 1}


@pytest.fixture
def frame(tmp_path: Path) -> Path:
    (tmp_path / "split").mkdir()
    (draft,) = split.split(spec.parse(SMALL), {"genome": GENOME}, tmp_path / "split")
    assert draft.input is not None
    return draft.input


def work_of(seed: str, order: str) -> Work:
    return Work(seed, "flame", {"format": "png", "bits": 33, "seed": seed}, 0, 0, 60, {}, order)


def bench_after(chains: Chains, work: Work, frame: Path, folder: Path) -> Bench:
    """Render a task, and return the bench where that was done."""
    bench = chains.bench_for(work, folder / f"{work.handle}.log")
    assert bench is not None
    chains.render(work, RenderOrder(work.spec, work.frame, input=frame))
    return bench


def test_tasks_whose_wire_says_they_are_of_one_order_share_a_bench_whatever_their_words(
    tmp_path: Path, frame: Path
) -> None:
    chains = Chains(tmp_path / "chain", tmp_path / "kept", Limits())
    benches = [bench_after(chains, work_of(seed, order), frame, tmp_path)
               for seed, order in (("a", "1-7"), ("b", "1-7"), ("c", "1-8"), ("d", ""), ("e", ""))]
    assert benches[0] is benches[1]
    assert len({id(bench) for bench in benches}) == 4
    assert {bench.kept for bench in benches} == {tmp_path / "kept" / "flame"}
    assert not any(bench.folder.is_relative_to(bench.kept) or bench.kept.is_relative_to(bench.folder)
                   for bench in benches)
    chains.close()
    assert not (tmp_path / "chain").exists()


def test_tasks_that_a_wire_has_other_scripts_for_share_no_bench(tmp_path: Path, frame: Path) -> None:
    chains = Chains(tmp_path / "chain", tmp_path / "kept", Limits())
    works = [replace(work_of("a", ""), script=script) for script in ("x", "x", "y")]
    benches = [bench_after(chains, work, frame, tmp_path) for work in works]
    assert benches[0] is benches[1] is not benches[2]


def test_a_worker_started_again_knows_what_such_frames_have_cost(farm: FolderFarm, worker: Any) -> None:
    spent_s = []
    for _ in range(2):
        farm.order(2)
        assert worker.run().problem == ""
        (note,) = (worker.folder / "kept" / "flame" / "notes").iterdir()
        spent_s.append(json.loads(note.read_text())["flam3_s"])
    assert 0 < spent_s[0] < spent_s[1]
