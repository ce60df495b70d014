"""The promise to artists: a project goes in as it is, and its film and its frames come out, over REST with real bpy."""

import subprocess
import zipfile
from pathlib import Path

import av
import pytest
from tests.commands import run_apart, run_here
from tests.serving import Server

ROOT = Path(__file__).parents[2]
SCENE = """
import os, sys, bpy
scene, cube = bpy.context.scene, bpy.data.objects["Cube"]
scene.render.engine, scene.cycles.samples = "CYCLES", 1
scene.render.resolution_x, scene.render.resolution_y, scene.render.resolution_percentage = 96, 54, 50
scene.frame_start, scene.frame_end, scene.render.fps = 4, 7, 12
for frame in (4, 7):
    cube.rotation_euler.z = frame / 4
    cube.keyframe_insert("rotation_euler", frame=frame)
curve = cube.driver_add("location", 2)
curve.driver.type, curve.driver.expression = "SCRIPTED", "__import__('math').sin(frame)"
bpy.ops.wm.save_as_mainfile(filepath=sys.argv[1])
os._exit(0)
"""
pytestmark = pytest.mark.timeout(900)  # it may have to install bpy


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """Return a zip with two scenes, as an artist packs a folder; one of them turns a cube."""
    made = subprocess.run([ROOT / "scripts" / "setup-bpy"], capture_output=True, text=True, check=True)
    folder = tmp_path_factory.mktemp("project")
    words = [made.stdout.split()[-1], "-I", "-c", SCENE, str(folder / "film.blend")]
    subprocess.run(words, capture_output=True, timeout=120, check=True)
    with zipfile.ZipFile(folder / "project.zip", "w") as archive:
        archive.write(folder / "film.blend", "shots/film.blend")
        archive.write(folder / "film.blend", "shots/old film.blend")
    return folder / "project.zip"


class Farm:
    """A farm's folder with a server on it."""

    def __init__(self, data):
        self.data = data
        self.server = Server(data)
        self.url = self.server.url

    def run(self, *words, said="", status=0):
        ended = (run_apart if words[0] == "work" else run_here)(*words, said=said)
        assert ended.status == status, ended
        return ended


@pytest.fixture
def farm(tmp_path):
    farm = Farm(tmp_path / "farm")
    yield farm
    farm.server.end()


def test_a_project_becomes_a_film_and_a_zip_of_its_frames(farm, project, tmp_path):
    here = ("--data", farm.data)
    farm.run("account", "add", "ann", "--role", "owner", "--password-stdin", *here, said="correct horse\n")
    key = farm.run("key", "add", "ann", "desk", "--bare", *here).out.strip()
    net = ("--server", farm.url, "--key", key)
    which = farm.run("order", "blender", project, *net, status=1)
    assert "holds 2 scenes; choose one" in which.err
    film = farm.run("order", "blender", project, "--main", "shots/film.blend", *net)
    assert "Scripts of a project do not run on this farm" in film.err
    light = farm.run("order", "blender", project, "--main", "shots/film.blend", "--format", "exr", "--frames", 5, *net)
    numbers = [int(ordered.out) for ordered in (film, light)]
    worked = farm.run("work", "--once", "--kind", "blender", "--folder", tmp_path / "work", *net)
    assert worked.err.count("chain=opened") == 2  # for five frames
    for number in numbers:
        farm.run("job", "wait", number, "--timeout", 200, *net)
        farm.run("job", "frames", number, tmp_path / f"{number}.zip", *net)
        farm.run("job", "download", number, tmp_path / str(number), *net)
    with zipfile.ZipFile(tmp_path / f"{numbers[0]}.zip") as archive:
        assert archive.namelist() == ["0004.png", "0005.png", "0006.png", "0007.png"]  # the scene's own range
    with zipfile.ZipFile(tmp_path / f"{numbers[1]}.zip") as archive:
        assert archive.read("0005.exr").startswith(b"v/1\x01")
    with av.open(str(tmp_path / str(numbers[0]) / "film.mp4")) as container:
        (stream,) = container.streams.video
        assert (stream.width, stream.height, stream.average_rate) == (48, 28, 12)  # an odd height is made even
        assert sum(1 for _ in container.decode(stream)) == 4
    assert (tmp_path / str(numbers[1]) / "still.png").is_file()


@pytest.mark.slow
def test_the_same_frames_come_over_sheepits_own_flow(farm, project, tmp_path):
    here = ("--data", farm.data)
    farm.run("account", "add", "ann", "--role", "owner", "--password-stdin", *here, said="correct horse\n")
    key, other = (farm.run("key", "add", "ann", name, "--bare", *here).out.strip() for name in ("desk", "box"))
    farm.run("renderer", "add", "local", *here)
    net = ("--server", farm.url, "--key", key)
    words = ("order", "blender", project, "--main", "shots/film.blend", "--frames", "4-6")
    over_sheepit, over_rest = (farm.run(*words, *net).out.strip() for _ in range(2))
    machine = ("work", "--once", "--kind", "blender", "--folder", tmp_path / "sheepit", "--server", farm.url)
    refused = farm.run(*machine, "--protocol", "sheepit", "--account", "ann", "--key", "wrong", status=1)
    assert "bad credentials" in refused.err
    worked = farm.run(*machine, "--protocol", "sheepit", "--account", "ann", "--key", other)
    assert worked.err.count("receipt=accepted") == 6
    for job in (over_sheepit, over_rest):
        farm.run("job", "wait", job, "--timeout", 200, *net)
        farm.run("job", "frames", job, tmp_path / f"{job}.zip", *net)
    story = farm.run("story", "task", 1, *here).out
    assert "sheepit" in story
    with zipfile.ZipFile(tmp_path / f"{over_sheepit}.zip") as archive:
        assert archive.namelist() == ["0004.png", "0005.png", "0006.png"]
