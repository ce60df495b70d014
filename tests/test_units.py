"""The units of systemd that the docs offer run the farm, as the docs say how: on a machine that systemd runs."""

import json
import re
import subprocess
import sysconfig
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.systemd import Machine, booted

from sheepfold.cli.main import COMMANDS

ROOT = Path(__file__).parents[1]
PYTHON = "/opt/sheepfold/.venv/bin/python"
SHEEPFOLD = "/opt/sheepfold/.venv/bin/sheepfold"
FARM = "/var/lib/sheepfold"
BPY_PYTHON = "/opt/sheepfold/bpy/bin/python"
SERVER = "http://127.0.0.1:8000"


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """Return a machine on which the farm is a service, since all was typed that the docs say."""
    made = subprocess.run([ROOT / "scripts" / "setup-bpy"], capture_output=True, text=True, check=True)
    shares = {ROOT / "src": "/opt/sheepfold/src", ROOT / "docs": "/opt/sheepfold/docs",
              ROOT / "tests" / "genomes": "/opt/sheepfold/genomes",
              Path(sysconfig.get_path("purelib")): "/opt/sheepfold/packages",
              Path(made.stdout.strip()).parents[1]: "/opt/sheepfold/bpy"}
    with booted(tmp_path_factory.mktemp("machine"), shares) as machine:
        install(machine)
        for line in typed():
            machine.must("sh", "-c", f"cd /opt/sheepfold; {line}")
        reached(machine)
        farm(machine, "account", "add", "shepherd", "--role", "owner", "--password-stdin", told="correct horse\n")
        yield machine


def install(machine: Machine) -> None:
    """Stand in for the clone and scripts/setup: this environment's packages, on a Python that services see."""
    machine.must("/usr/bin/python3.11", "-m", "venv", "--without-pip", "/opt/sheepfold/.venv")
    machine.must("tee", "/opt/sheepfold/.venv/lib/python3.11/site-packages/sheepfold.pth",
                 told="/opt/sheepfold/src\n/opt/sheepfold/packages\n")
    machine.must("tee", SHEEPFOLD, told=f'#!/bin/sh\nexec {PYTHON} -m sheepfold "$@"\n')
    machine.must("chmod", "+x", SHEEPFOLD)
    machine.must("tee", "/etc/sheepfold.env", told=f"SHEEPFOLD_BPY_PYTHON={BPY_PYTHON}\n")


def typed() -> list[str]:
    """Return what the docs say is to be typed, once the farm's program is there."""
    text = (ROOT / "docs" / "operate" / "README.md").read_text()
    block = re.search(r"```\n(useradd .*?)```", text, re.DOTALL)
    assert block is not None
    return block[1].splitlines()


def reached(machine: Machine) -> None:
    machine.must("curl", "--silent", "--fail", "--retry", "60", "--retry-delay", "1", "--retry-connrefused",
                 f"{SERVER}/healthz")


def farm(machine: Machine, *words: str, told: str | None = None) -> str:
    """Run one of the farm's commands at its folder, as its user."""
    return machine.must("runuser", "-u", "sheepfold", "--", SHEEPFOLD, *words, "--data", FARM, told=told)


@pytest.fixture(scope="module")
def key(machine: Machine) -> str:
    """Return a key that orders, and rules."""
    return farm(machine, "key", "add", "shepherd", "console", "--scope", "manage", "--bare").strip()


def restarted_with(machine: Machine, lines: str) -> None:
    """Have the service run with more lines in its unit."""
    machine.must("mkdir", "-p", "/etc/systemd/system/sheepfold.service.d")
    machine.must("tee", "/etc/systemd/system/sheepfold.service.d/more.conf", told=lines)
    machine.must("systemctl", "daemon-reload")
    machine.must("systemctl", "restart", "sheepfold.service")
    reached(machine)


def told_of_walls(machine: Machine) -> list[str]:
    """Return what the service that runs now has said of walls."""
    invocation = machine.state("sheepfold.service", "InvocationID")
    lines = machine.must("journalctl", "--output", "cat", f"_SYSTEMD_INVOCATION_ID={invocation}").splitlines()
    assert any("listening=" in line for line in lines)
    return [line for line in lines if "walls=" in line]


def test_the_units_start_commands_that_there_are():
    text = "".join(unit.read_text() for unit in (ROOT / "docs" / "operate" / "systemd").iterdir())
    started = set(re.findall(r"^ExecStart\w*=\S+/sheepfold (\w+)", text, re.MULTILINE))
    assert started == {"serve", "backup", "check"}
    assert started <= set(COMMANDS)


@pytest.mark.slow
def test_systemd_finds_nothing_wrong_with_the_units(machine):
    verified = machine.run("systemd-analyze", "verify", "sheepfold.service", "sheepfold-backup.service",
                           "sheepfold-backup.timer")
    assert (verified.returncode, verified.stdout, verified.stderr) == (0, "", "")


@pytest.mark.slow
def test_the_service_begins_anew_when_it_is_killed_and_ends_in_peace(machine, key):
    machine.must(SHEEPFOLD, "order", "flame", "/opt/sheepfold/genomes/r1.flam3", "--title", "before",
                 "--server", SERVER, "--key", key)
    killed = machine.state("sheepfold.service", "MainPID")
    machine.must("kill", "-KILL", killed)
    another = f"until [ $(systemctl show --value --property MainPID sheepfold) != {killed} ]; do sleep 0.1; done"
    machine.must("sh", "-c", another)
    reached(machine)
    assert machine.state("sheepfold.service", "MainPID") != killed
    assert "before" in machine.must(SHEEPFOLD, "job", "list", "--server", SERVER, "--key", key)
    machine.must("systemctl", "stop", "sheepfold.service")
    assert machine.state("sheepfold.service", "Result") == "success"
    machine.must("systemctl", "start", "sheepfold.service")
    reached(machine)
    assert "listening=" in machine.must("journalctl", "--unit", "sheepfold.service")


@pytest.mark.slow
def test_the_service_opens_a_strangers_project_behind_walls(machine, key):
    make = "import bpy; bpy.context.scene.frame_end = 7; bpy.ops.wm.save_as_mainfile(filepath='/tmp/cube.blend')"
    machine.must(BPY_PYTHON, "-c", make)
    seen = json.loads(machine.must(SHEEPFOLD, "order", "blender", "/tmp/cube.blend", "--appraise", "--json",
                                   "--server", SERVER, "--key", key))
    assert seen["tasks"] == 7
    assert told_of_walls(machine) == []


@pytest.mark.slow
def test_a_service_that_can_build_no_walls_says_so(machine):
    restarted_with(machine, "[Service]\nRestrictNamespaces=yes\n")
    [told] = told_of_walls(machine)
    assert "walls=none reason=bubblewrap does not work here" in told
    restarted_with(machine, "")
    assert told_of_walls(machine) == []


@pytest.mark.slow
def test_a_backup_is_made_each_night_and_when_the_owner_asks(machine, key):
    def made_at() -> int:
        return json.loads(machine.must("cat", "/var/lib/sheepfold-backups/backup.json"))["made_at"]

    assert machine.state("sheepfold-backup.timer", "NextElapseUSecRealtime")
    machine.must("systemctl", "start", "sheepfold-backup.service")
    assert machine.state("sheepfold-backup.service", "Result") == "success"
    by_night = made_at()
    time.sleep(1)  # whole seconds are told
    machine.must(SHEEPFOLD, "farm", "backup", "--server", SERVER, "--key", key)
    assert made_at() > by_night
