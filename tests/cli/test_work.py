import os
import subprocess
import sys
from pathlib import Path


def run(*words: str) -> "subprocess.CompletedProcess[str]":
    program = "import sys; from sheepfold.cli.main import main; main()"
    argv = [sys.executable, "-c", program, "work", *words]
    bare = os.environ | {"SHEEPFOLD_BPY_PYTHON": "/nowhere/python"}
    return subprocess.run(argv, env=bare, capture_output=True, text=True, check=False, timeout=60)


def test_the_help_names_every_promised_option() -> None:
    said = run("--help").stdout
    options = ("server", "key", "protocol", "kind", "once", "load-limit", "account", "folder", "name")
    assert [option for option in options if f"--{option}" not in said] == []


def test_a_protocol_that_no_worker_speaks_is_a_usage_error() -> None:
    done = run("--server", "http://127.0.0.1:9", "--key", "k", "--protocol", "gopher")
    assert done.returncode == 2
    assert "no protocol 'gopher'" in done.stderr


def test_an_address_without_a_scheme_and_a_kind_that_is_none_are_usage_errors() -> None:
    assert run("--server", "farm.example.org", "--key", "k").returncode == 2
    assert run("--server", "http://127.0.0.1:9", "--key", "k", "--kind", "poem").returncode == 2


def test_a_machine_that_cannot_render_the_kind_is_refused_in_one_line(tmp_path: Path) -> None:
    done = run("--server", "http://127.0.0.1:9", "--key", "k", "--kind", "blender", "--folder", str(tmp_path))
    assert done.returncode == 1
    assert "Nothing is installed to render blender with" in done.stderr
    assert "Traceback" not in done.stderr
