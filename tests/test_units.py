"""The units of systemd that the docs offer are units, and start commands that there are."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from sheepfold.cli.main import COMMANDS

UNITS = sorted((Path(__file__).parents[1] / "docs" / "operate" / "systemd").iterdir())


def test_units_start_commands_that_there_are():
    text = "".join(unit.read_text() for unit in UNITS)
    started = re.findall(r"^ExecStart\w*=\S+/sheepfold (\w+)", text, re.MULTILINE)
    assert set(started) == {"serve", "backup", "check"}
    assert set(started) <= set(COMMANDS)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="There is no systemd here.")
def test_systemd_finds_nothing_wrong_with_the_units(tmp_path):
    for unit in UNITS:
        text = unit.read_text().replace("/opt/sheepfold/.venv/bin/sheepfold", "/bin/true")
        (tmp_path / unit.name).write_text(text.replace("=sheepfold\n", "=root\n", 2))
    argv = ["systemd-analyze", "verify", *map(str, sorted(tmp_path.iterdir()))]
    verified = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    assert (verified.returncode, verified.stderr) == (0, "")
