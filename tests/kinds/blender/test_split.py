from pathlib import Path

import pytest

from sheepfold.kinds.blender import spec, split
from sheepfold.model.errors import InvalidSpec
from sheepfold.model.matching import Compute, Needs

pytestmark = pytest.mark.usefixtures("no_bpy")


@pytest.fixture
def inputs(tmp_path: Path) -> dict[str, Path]:
    (tmp_path / "a.blend").write_bytes(b"BLENDER-v405RENDH")
    return {"project": tmp_path / "a.blend"}


def test_every_frame_is_a_task_of_the_jobs_own_file(inputs: dict[str, Path], tmp_path: Path) -> None:
    order = spec.parse({"frames": "3-5", "renderer_version": "4.2", "memory_mib": 2000, "compute": "gpu"})
    drafts = split.split(order, inputs, tmp_path)
    assert [(draft.frame, draft.part, draft.input) for draft in drafts] == [(3, 0, None), (4, 0, None), (5, 0, None)]
    wanted = Needs("blender", "blender", "4.2", memory_mib=2000, compute=Compute.GPU)
    assert {draft.needs for draft in drafts} == {wanted}


def test_samples_cost_in_cycles_alone(tmp_path: Path) -> None:
    costs = {
        (engine, samples): split.cost_ms(spec.parse({"engine": engine, "samples": samples}))
        for engine in ("CYCLES", "BLENDER_WORKBENCH")
        for samples in (1, 1000)
    }
    assert costs["CYCLES", 1000] > 10 * costs["CYCLES", 1]
    assert costs["BLENDER_WORKBENCH", 1000] == costs["BLENDER_WORKBENCH", 1] > 0


def test_an_order_without_a_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidSpec, match=r"needs a \.blend file"):
        split.split(spec.parse({}), {}, tmp_path)


def test_an_order_of_something_else_is_refused(inputs: dict[str, Path], tmp_path: Path) -> None:
    inputs["project"].write_bytes(b"a letter")
    with pytest.raises(InvalidSpec, match="neither"):
        split.split(spec.parse({}), inputs, tmp_path)


def test_two_files_are_refused(inputs: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(InvalidSpec, match="one file"):
        split.split(spec.parse({}), inputs | {"b": inputs["project"]}, tmp_path)
