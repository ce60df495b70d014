"""Bundling bpy: one archive with Blender as a Python module, a Python of its own and their libraries, for Linux.

What goes in is taken from an environment of this machine, such as `scripts/setup-bpy` makes. The modules lie among the
standard library's own, so that Python finds them wherever a client unpacks the archive, and nobody's settings matter.
"""

import json
import re
import subprocess
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from sheepfold.farm.repacking import RUNNER, SCRIPTS, write_file
from sheepfold.model.errors import InvalidSpec

ASK_S = 60
_ASKED = """
import json, sys, sysconfig
paths = {name: sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib")}
print(json.dumps({**paths, "python": sys._base_executable, "version": "%d.%d" % sys.version_info[:2],
                  "system": sys.platform}))
"""
# what no renderer needs, in the standard library and among the modules
_LEFT_OUT = frozenset({
    "__pycache__", "test", "tests", "idlelib", "tkinter", "turtledemo", "ensurepip", "lib2to3", "site-packages",
    "dist-packages", "pip", "setuptools", "pkg_resources", "_distutils_hack", "Cython", "pyximport",
})
_LEFT_OUT_ENDINGS = (".dist-info", ".pth", ".pyc", ".a")
# what every Linux has, and what must be its own: the C library, and C++'s, which the machine's drivers use as well
_OF_THE_SYSTEM = re.compile(r"(ld-linux.*|lib(c|m|dl|rt|util|pthread|resolv|nsl|anl|stdc\+\+|gcc_s))\.so[.0-9]*")
_NEEDED = re.compile(r"^\s*(\S+) => (/\S+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class _Home:
    """Where an environment's Python, its standard library and its modules are."""

    python: Path
    stdlib: Path
    modules: tuple[Path, ...]
    version: str

    def files(self) -> Iterator[tuple[str, Path]]:
        """Return each file with its place in the archive; of a name that comes twice the standard library's counts."""
        library = f"python/lib/python{self.version}"
        yield "python/bin/python3", self.python
        seen: set[str] = set()
        for folder in (self.stdlib, *self.modules):
            for path in _walk(folder):
                name = f"{library}/{path.relative_to(folder).as_posix()}"
                if name not in seen:
                    seen.add(name)
                    yield name, path


def write_bundle(target: Path, python: Path) -> None:
    """Write the archive of an environment that has bpy; raises InvalidSpec where it has none, or is not for Linux."""
    files = dict(_home_of(python).files())
    program = files["python/bin/python3"]
    if not any(name.endswith("/bpy/__init__.so") for name in files):
        raise InvalidSpec(f"{python} has no bpy; scripts/setup-bpy makes an environment that has.")
    libraries = _libraries([program, *(path for name, path in files.items() if ".so" in name)], set(files.values()))
    with zipfile.ZipFile(target, "w") as archive:
        _add(archive, "rend.exe", SCRIPTS["bundle"], 0o755)
        _add(archive, RUNNER.name, RUNNER)
        for name, path in sorted(files.items()):
            _add(archive, name, path, 0o755 if path == program else 0o644)
        for path in libraries:
            _add(archive, f"lib/{path.name}", path)


def _home_of(python: Path) -> _Home:
    try:
        run = subprocess.run([python, "-I", "-c", _ASKED], env={}, capture_output=True, timeout=ASK_S, check=True)
        told = json.loads(run.stdout)
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        raise InvalidSpec(f"{python} is no Python that runs here: {error}.") from error
    if told["system"] != "linux":
        raise InvalidSpec("bpy can be bundled on Linux alone, for Linux.")
    modules = tuple(dict.fromkeys(Path(told[name]) for name in ("purelib", "platlib")))
    return _Home(Path(told["python"]).resolve(), Path(told["stdlib"]), modules, told["version"])


def _walk(folder: Path) -> Iterator[Path]:
    """Walk over the files below a folder, links followed, in order and without what no renderer needs."""
    for path in sorted(folder.iterdir()):
        if path.name in _LEFT_OUT or path.name.endswith(_LEFT_OUT_ENDINGS) or path.name.startswith("config-"):
            continue
        if path.is_dir():
            yield from _walk(path)
        elif path.is_file():
            yield path


def _libraries(programs: Iterable[Path], packed: set[Path]) -> list[Path]:
    """Return the shared libraries that these programs load from this machine, but for those that every Linux has."""
    found: dict[str, Path] = {}
    for program in programs:
        run = subprocess.run(["ldd", program], capture_output=True, text=True, timeout=ASK_S, check=False)
        for name, path in _NEEDED.findall(run.stdout):
            if not _OF_THE_SYSTEM.fullmatch(name) and Path(path) not in packed:
                found.setdefault(name, Path(path))
    return [found[name].with_name(name) for name in sorted(found)]


def _add(archive: zipfile.ZipFile, name: str, path: Path, mode: int = 0o644) -> None:
    with path.open("rb") as file:
        write_file(archive, name, mode, file, path.stat().st_size)
