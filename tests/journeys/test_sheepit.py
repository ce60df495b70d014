"""The promise to those who have rendered for ten years: clients of every era, unchanged, make a project's frames."""

import os
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.serving import CLEAN, Server, free_port

from sheepfold.config import Settings
from sheepfold.farm.accounts import add_account, add_key
from sheepfold.farm.browse import story, view_job
from sheepfold.farm.farm import open_farm
from sheepfold.farm.orders import Order, order_job
from sheepfold.farm.renderers import Target, add_bundled, add_local
from sheepfold.model.accounts import Role
from sheepfold.model.tasks import LeaseState
from sheepfold.protocols.registry import verifiers

ROOT = Path(__file__).parents[2]
CLIENT = Path(__file__).with_name("eras.py")
NOWHERE = "/nonexistent/python"  # the farm does not look into scenes here: they are ours, and each look takes a Blender
ERAS = ("a0", "a", "a2", "b", "b22", "c")
SCENE = """
import os, sys, bpy
cube = bpy.data.objects["Cube"]
for frame in (1, 12):
    cube.rotation_euler.z = frame / 4
    cube.keyframe_insert("rotation_euler", frame=frame)
bpy.ops.wm.save_as_mainfile(filepath=sys.argv[1])
os._exit(0)
"""
pytestmark = pytest.mark.timeout(900)  # it may have to install bpy


@pytest.fixture(scope="module")
def bpy_python():
    made = subprocess.run([ROOT / "scripts" / "setup-bpy"], capture_output=True, text=True, check=True)
    return made.stdout.split()[-1]


@pytest.fixture(scope="module")
def scene(bpy_python, tmp_path_factory):
    """Return a scene in which a cube turns."""
    blend = tmp_path_factory.mktemp("scene") / "cube.blend"
    subprocess.run([bpy_python, "-I", "-c", SCENE, blend], capture_output=True, timeout=120, check=True)
    return blend


class House:
    """A farm's folder, a server on it that may be killed, and the clients that work for it."""

    def __init__(self, folder, bpy_python, **settings):
        self.folder, self.data, self.python = folder, folder / "farm", bpy_python
        self.environment = CLEAN | {"SHEEPFOLD_BPY_PYTHON": NOWHERE} | settings
        self.data.mkdir()
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.clients = []
        with self.farm() as farm:
            self.ann = add_account(farm, "ann", Role.OWNER, "")
            self.key = add_key(farm, "ann", "desk").key
            add_local(farm, Target("4.5"))
        self.start()

    def farm(self):
        """Open the farm from here, as the command line does, also beside a server."""
        return open_farm(Settings(data=self.data), verifiers)

    def start(self):
        self.server = Server(self.data, port=self.port, environment=self.environment)

    def kill(self):
        self.server.end(signal.SIGKILL)

    def run(self, *words):
        argv = [sys.executable, "-m", "sheepfold", *map(str, words), "--server", self.url, "--key", self.key]
        ended = subprocess.run(argv, env=self.environment, capture_output=True, text=True, timeout=300, check=False)
        assert ended.returncode == 0, ended
        return ended.stdout

    def order(self, scene, frames):
        small = {"frames": frames, "width": 48, "height": 32, "samples": 1}
        with self.farm() as farm:
            return order_job(farm, self.ann, Order("blender", small, {"project": scene})).id

    def hire(self, era, frames, inside=()):
        """Start a client of an era, inside of whatever else, in a process group of its own with its renderer."""
        with self.farm() as farm:
            key = add_key(farm, "ann", f"box-{era}-{len(self.clients)}").key
        folder = self.folder / f"client-{len(self.clients)}"
        argv = [sys.executable, CLIENT, era, self.url, "ann", key, folder, frames]
        environment = CLEAN | ({} if inside else {"SHEEPFOLD_BPY_PYTHON": self.python})
        self.clients.append(subprocess.Popen([*inside, *map(str, argv)], env=environment, stdout=subprocess.PIPE,
                                             stderr=subprocess.PIPE, text=True, start_new_session=True))
        return self.clients[-1]

    def frames(self, job):
        """Return a job's pictures as pixels."""
        self.run("job", "frames", job, self.folder / f"{job}.zip")
        with zipfile.ZipFile(self.folder / f"{job}.zip") as archive:
            pictures = {}
            for name in archive.namelist():
                with archive.open(name) as file:
                    pictures[name] = np.asarray(Image.open(file))
            return pictures

    def end(self):
        for client in self.clients:
            if client.poll() is None:
                os.killpg(client.pid, signal.SIGKILL)
            client.communicate()
        self.server.end()


@pytest.fixture
def settle(tmp_path, bpy_python, monkeypatch):
    """Build a house with some settings."""
    built = []
    monkeypatch.setenv("SHEEPFOLD_BPY_PYTHON", NOWHERE)

    def settle_(**settings):
        built.append(House(tmp_path, bpy_python, **settings))
        return built[-1]

    yield settle_
    for house in built:
        house.end()


def told(client):
    """Hear a client out, which must end well."""
    lines, trouble = client.communicate(timeout=600)
    assert client.returncode == 0, lines + trouble
    return lines.splitlines()


def test_an_old_and_a_new_client_render_one_project_at_the_same_time(settle, scene):
    house = settle()
    job = house.order(scene, "1-2")
    for lines in [told(client) for client in [house.hire("a", 1), house.hire("c", 1)]]:
        assert [line for line in lines if line.startswith(("sent", "beat"))] == ["beat 0", "sent 0"]
    pictures = house.frames(job)
    assert {name: picture.shape[:2] for name, picture in pictures.items()} == {
        "0001.png": (32, 48), "0002.png": (32, 48)}
    assert (pictures["0001.png"] != pictures["0002.png"]).any()


@pytest.mark.slow
def test_clients_of_all_eras_make_at_once_what_the_farms_own_worker_makes(settle, scene):
    house = settle(SHEEPFOLD_CLAIM_WAIT_LIMIT_S="5")
    job = house.order(scene, "1-12")
    told_ = [told(client) for client in [house.hire(era, 2) for era in ERAS]]
    for era, lines in zip(ERAS, told_, strict=True):
        assert lines[0] == f"login {era}"
        assert lines.count("sent 0") == 2, lines
        assert lines[-1] == "logout"
    over_sheepit = house.frames(job)
    again = house.order(scene, "1-12")
    house.environment["SHEEPFOLD_BPY_PYTHON"] = house.python
    house.run("work", "--once", "--kind", "blender", "--folder", house.folder / "work")
    over_rest = house.frames(again)
    assert list(over_sheepit) == list(over_rest) == [f"{frame:04}.png" for frame in range(1, 13)]
    for name, picture in over_rest.items():
        assert np.array_equal(over_sheepit[name], picture), name


@pytest.mark.slow
@pytest.mark.parametrize("era", ["a", "b22"])
def test_the_frame_of_a_client_that_was_killed_in_mid_render_goes_to_another(settle, scene, era):
    house = settle(SHEEPFOLD_SHEEPIT_LEASE_TERM_S="8", SHEEPFOLD_SHEEPIT_MAX_PERIOD_S="8")
    job = house.order(scene, "1")
    killed = house.hire(era, 1)
    assert any(line.startswith("rendering") for line in killed.stdout)
    os.killpg(killed.pid, signal.SIGKILL)
    assert "sent 0" in told(house.hire("b", 1))
    assert list(house.frames(job)) == ["0001.png"]
    with house.farm() as farm:
        leases = story(farm, view_job(farm, job).tasks[0].id).task.leases
    assert [lease.state for lease in leases] == [LeaseState.EXPIRED, LeaseState.SUBMITTED]
    assert killed.wait() == -signal.SIGKILL


@pytest.mark.slow
@pytest.mark.parametrize("era", ERAS)
def test_a_session_goes_on_after_the_server_was_killed_in_the_middle_of_it(settle, scene, era):
    house = settle()
    job = house.order(scene, "1-2")
    client = house.hire(era, 2)
    assert any(line.startswith("rendering") for line in client.stdout)
    house.kill()
    house.start()
    lines = told(client)
    assert lines.count("sent 0") == 2, lines
    assert not any(line.startswith("login") for line in lines), "the old session still holds"
    assert list(house.frames(job)) == ["0001.png", "0002.png"]


@pytest.mark.slow
def test_a_machine_that_has_nothing_renders_with_the_bundle(settle, scene):
    house = settle()
    with house.farm() as farm:
        add_bundled(farm, "4.5", Path(house.python))
    job = house.order(scene, "1")
    # it has neither the bpy of this machine nor its X libraries
    libraries = Path("/usr/lib/x86_64-linux-gnu")
    hidden = [*libraries.glob("libX*.so*"), *libraries.glob("libGL*.so*")]
    inside = ["bwrap", "--dev-bind", "/", "/", "--tmpfs", str(Path(house.python).parents[2]), "--die-with-parent"]
    for path in hidden:
        inside += [] if path.is_symlink() else ["--ro-bind", "/dev/null", str(path)]
    assert "sent 0" in told(house.hire("b", 1, inside))  # which makes only rend.exe executable
    assert list(house.frames(job)) == ["0001.png"]
