"""The bundle of bpy: what goes into it, what stays out, and what is no environment for it."""

import json
import shutil
import subprocess
import sysconfig
import zipfile
from pathlib import Path

import pytest

from sheepfold.farm.bundling import write_bundle
from sheepfold.farm.renderers import add_bundled, open_renderer
from sheepfold.model.errors import InvalidSpec


@pytest.fixture
def dialect():
    return "sqlite"


def write(path, text="x"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.fixture
def home(tmp_path):
    """Make a small environment whose Python says of itself what a real one says; its bpy is some real library."""
    stdlib, modules = tmp_path / "stdlib", tmp_path / "modules"
    for name in ("os.py", "json/decoder.py", "test/test_os.py", "__pycache__/os.pyc", "site-packages/pip/a.py"):
        write(stdlib / name)
    for name in ("numpy/core.py", "numpy.libs/b.txt", "pip/a.py", "a.pth", "bpy-4.5.dist-info/RECORD"):
        write(modules / name)
    (modules / "bpy").mkdir()
    library = next(Path(sysconfig.get_path("stdlib")).glob("lib-dynload/_ctypes.*.so"))
    shutil.copy(library, modules / "bpy" / "__init__.so")
    program = tmp_path / "program"
    told = {"stdlib": str(stdlib), "purelib": str(modules), "platlib": str(modules), "python": str(program),
            "version": "3.11", "system": "linux"}
    for path in (program, tmp_path / "python"):
        write(path, f"#!/bin/sh\necho '{json.dumps(told)}'\n")
        path.chmod(0o755)
    return tmp_path / "python"


def test_a_bundle_holds_python_its_library_bpy_and_what_that_loads(home, tmp_path):
    write_bundle(tmp_path / "bundle.zip", home)
    with zipfile.ZipFile(tmp_path / "bundle.zip") as archive:
        names, modes = archive.namelist(), {info.filename: info.external_attr >> 16 for info in archive.infolist()}
    ours = [name for name in names if not name.startswith("lib/")]
    assert ours == ["rend.exe", "runner.py", "python/bin/python3", *(f"python/lib/python3.11/{name}" for name in (
        "bpy/__init__.so", "json/decoder.py", "numpy.libs/b.txt", "numpy/core.py", "os.py"))]
    libraries = [name for name in names if name.startswith("lib/")]
    assert any(name.startswith("lib/libffi.so") for name in libraries)
    assert not any(name.startswith(("lib/libc.so", "lib/libm.so", "lib/ld-linux")) for name in libraries)
    assert [name for name, mode in modes.items() if mode & 0o100] == ["rend.exe", "python/bin/python3"]


def test_the_same_environment_makes_the_same_bundle(home, tmp_path):
    for name in ("one.zip", "two.zip"):
        write_bundle(tmp_path / name, home)
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()


def test_the_script_makes_python_executable_where_a_client_did_not(world, home, tmp_path):
    row = add_bundled(world.farm, "4.5", home)
    assert (row.made, row.os, row.bits) == ("bpy", "linux", 64)
    (tmp_path / "bundle.zip").write_bytes(b"".join(open_renderer(world.farm, row).chunks))
    folder = tmp_path / "a cache"
    with zipfile.ZipFile(tmp_path / "bundle.zip") as archive:
        archive.extractall(folder)
    (folder / "rend.exe").chmod(0o755)
    python = folder / "python" / "bin" / "python3"
    python.write_text('#!/bin/sh\nprintf "%s\\n" "$@" "$LD_LIBRARY_PATH"\n')
    assert not python.stat().st_mode & 0o100
    seen = subprocess.run([folder / "rend.exe", "-b", "a scene"], env={"PATH": "/usr/bin:/bin"}, text=True, check=True,
                          capture_output=True)
    assert seen.stdout.splitlines() == ["-I", "-S", str(folder / "runner.py"), "-b", "a scene", str(folder / "lib")]


def test_an_environment_without_bpy_is_refused(home, tmp_path):
    shutil.rmtree(tmp_path / "modules" / "bpy")
    with pytest.raises(InvalidSpec, match="has no bpy"):
        write_bundle(tmp_path / "bundle.zip", home)


@pytest.mark.parametrize("python", ["/bin/false", "/nonexistent/python"])
def test_what_is_no_python_is_refused(tmp_path, python):
    with pytest.raises(InvalidSpec, match="no Python"):
        write_bundle(tmp_path / "bundle.zip", Path(python))
