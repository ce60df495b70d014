"""One Blender for task after task of a job: with the worker whole, a farm in a folder, and the real bpy."""

import hashlib
import logging
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
from folder_farm import FolderFarm, FolderLink

from sheepfold.kinds import pictures
from sheepfold.kinds.blender import home, render, spec
from sheepfold.kinds.seam import RenderOrder
from sheepfold.model.matching import Abilities, Program
from sheepfold.protocols.link import Work
from sheepfold.worker.bench import Bench
from sheepfold.worker.folder import WorkFolder
from sheepfold.worker.machine import Options, work
from sheepfold.worker.sandbox import Limits
from sheepfold.worker.steps import End, Rules
from sheepfold.worker.stopping import Stop

pytestmark = pytest.mark.timeout(900)  # the first may have to install bpy
ROOT = Path(__file__).parents[2]
ABLE = Abilities(kinds=frozenset({"blender"}), renderers=frozenset({Program("blender")}), memory_mib=64 * 1024)
SCENE = """
import os, sys, bpy
cube = bpy.data.objects["Cube"]
for frame in (1, 9):
    cube.rotation_euler.z = frame / 5
    cube.keyframe_insert("rotation_euler", frame=frame)
bpy.ops.wm.save_as_mainfile(filepath=sys.argv[1])
os._exit(0)
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a scene of a turning cube."""
    made = subprocess.run([ROOT / "scripts" / "setup-bpy"], capture_output=True, text=True, check=True)
    python = made.stdout.strip().splitlines()[-1]
    scene = tmp_path_factory.mktemp("scene") / "cube.blend"
    subprocess.run([python, "-I", "-c", SCENE, str(scene)], capture_output=True, timeout=120, check=True)
    return scene


@pytest.fixture
def farm(tmp_path: Path, project: Path) -> FolderFarm:
    farm = FolderFarm(tmp_path / "farm")
    (farm.path / "files" / "project").write_bytes(project.read_bytes())
    return farm


def put(farm: FolderFarm, project: Path, frame: int, *, samples: int = 1) -> None:
    told = spec.parse({"frames": "1-9", "width": 48, "height": 27, "samples": samples})
    digest = hashlib.sha256(project.read_bytes()).hexdigest()
    farm.put(Work(f"{samples}{frame:03d}", "blender", told, frame, 0, 60, {"project": digest}))


def work_for(farm: FolderFarm, folder: Path, link: Any = None) -> End:
    with WorkFolder(folder, "a farm") as desks:
        options = Options("folder://", "", folder=folder, rules=Rules(once=True))
        return work(link or FolderLink(farm), ABLE, desks, Stop(), options)


def opened(caplog: pytest.LogCaptureFixture) -> int:
    return sum(message.startswith("chain=opened") for message in caplog.messages)


def test_tasks_of_a_job_share_one_blender_and_are_as_from_their_own(
    farm: FolderFarm, project: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    for frame in (2, 5, 7):
        put(farm, project, frame)
    assert work_for(farm, tmp_path / "work").problem == ""
    assert farm.names("taken") == ["1002", "1005", "1007"]
    assert opened(caplog) == 1
    assert not (tmp_path / "work" / "chain").exists()
    (tmp_path / "room").mkdir()
    told = spec.parse({"frames": "1-9", "width": 48, "height": 27, "samples": 1})
    alone = render.render(RenderOrder(told, 7, inputs={"project": project}), Bench(tmp_path / "room",
                          tmp_path / "log", Limits()))
    taken = [pictures.pixels(farm.path / "taken" / f"{name}.png") for name in ("1002", "1007")]
    assert (pictures.pixels(alone) == taken[1]).all()
    assert (taken[0] != taken[1]).any()


def test_figures_are_those_of_blender_itself(farm: FolderFarm, project: Path, tmp_path: Path) -> None:
    put(farm, project, 2)
    put(farm, project, 3)
    work_for(farm, tmp_path / "work")
    first, second = (farm.read("taken", name) for name in ("1002", "1003"))
    assert 50_000 < first["memory_kib"] < 4_000_000
    assert 50_000 < second["memory_kib"] < 4_000_000


def test_another_order_has_another_blender(
    farm: FolderFarm, project: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    for samples in (1, 2):
        put(farm, project, 2, samples=samples)
    work_for(farm, tmp_path / "work")
    assert farm.names("taken") == ["1002", "2002"]
    assert opened(caplog) == 2


def test_a_blender_that_dies_costs_one_task(
    farm: FolderFarm, project: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)

    class Killing(FolderLink):
        """Kills the renderer as the second task is claimed."""

        def claim(self, abilities: Abilities, *, may_wait: bool = True) -> Work | None:
            claimed = super().claim(abilities, may_wait=may_wait)
            if claimed is not None and claimed.frame == 3:
                for child in psutil.Process().children(recursive=True):
                    with suppress(psutil.ZombieProcess):
                        if home.RUNNER.name in " ".join(child.cmdline()):
                            child.kill()
            return claimed

    for frame in (2, 3, 4):
        put(farm, project, frame)
    work_for(farm, tmp_path / "work", Killing(farm))
    assert farm.names("taken") == ["1002", "1004"]
    assert farm.read("given", "1003")["failed"]
    assert opened(caplog) == 2



def test_a_task_that_is_wanted_no_more_ends_the_chain(farm: FolderFarm, project: Path, tmp_path: Path) -> None:
    put(farm, project, 2, samples=90_000)  # minutes, were it not for the farm
    work_of = farm.read("open", "90000002")
    farm.put(Work(**{name: work_of[name] for name in Work.__slots__ if name != "term_s"}, term_s=1))
    (farm.path / "unwanted" / "90000002").touch()
    assert work_for(farm, tmp_path / "work").problem == ""
    assert farm.names("taken") == farm.names("given") == []
    assert not (tmp_path / "work" / "chain").exists()
