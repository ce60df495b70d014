"""The house itself: what lies where, what an import brings along, what pins and files may hold."""

import importlib.util
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src"
SERVER_ONLY = (
    "sqlalchemy", "alembic", "psycopg", "sqlite3", "obstore", "starlette", "fastapi", "uvicorn", "jinja2", "argon2",
    "sheepfold.farm", "sheepfold.store", "sheepfold.blobs", "sheepfold.web", "sheepfold.app",
)  # fmt: skip
# What a volunteer's machine loads; the patterns name files that may come and go.
VOLUNTEERS = (
    "worker/**/*.py", "protocols/link.py", "protocols/registry.py", "protocols/*/client.py", "protocols/*/wire.py",
    "kinds/registry.py", "kinds/seam.py", "kinds/*/render.py", "client.py",
)  # fmt: skip
NOT_OURS = {".git", ".venv", "__pycache__", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".hypothesis", "data"}


def volunteers_modules() -> list[str]:
    paths = {path for pattern in VOLUNTEERS for path in (SOURCE / "sheepfold").glob(pattern)}
    names = (path.relative_to(SOURCE).with_suffix("").as_posix().replace("/", ".") for path in paths)
    return sorted(name for name in names if not name.endswith("__init__"))


def files_of_the_clone() -> list[Path]:
    """Find what git tracks or would track; where there is no git, all files but caches."""
    argv = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    if (ROOT / ".git").exists():
        names = subprocess.run(argv, capture_output=True, text=True, check=True).stdout.split("\0")
        return [ROOT / name for name in names if name and (ROOT / name).is_file()]
    return [path for path in ROOT.rglob("*") if path.is_file() and not NOT_OURS & set(path.relative_to(ROOT).parts)]


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "scripts" / f"{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def modules_after(imports: list[str]) -> set[str]:
    """Say which modules a bare interpreter holds after it imported some."""
    program = f"import sys, json; sys.path.insert(0, {str(SOURCE)!r})\n"
    program += "".join(f"import {name}\n" for name in imports) + "print(json.dumps(sorted(sys.modules)))"
    argv = [sys.executable, "-I", "-c", program]
    bare = subprocess.run(argv, capture_output=True, text=True, timeout=100, check=False)
    assert bare.returncode == 0, bare.stderr
    return set(json.loads(bare.stdout.splitlines()[-1]))


@pytest.mark.parametrize("name", volunteers_modules())
def test_the_volunteers_side_brings_no_server_along(name: str):
    loaded = modules_after([name])
    assert name in loaded
    assert {module for module in loaded if module.startswith(SERVER_ONLY)} == set()


def test_the_watch_over_imports_sees_a_server():
    assert "sheepfold.blobs.s3" in modules_after(["sheepfold.blobs.s3"])
    assert "obstore" in modules_after(["sheepfold.blobs.s3"])


def test_packages_run_no_code_of_their_own():
    full = [path for path in SOURCE.rglob("__init__.py") if path.read_text("utf-8").strip()]
    assert full == []


def test_every_package_has_its_init_file():
    # samples are data: what lies there is run by a renderer, and never imported
    folders = {path.parent for path in (SOURCE / "sheepfold").rglob("*.py") if path.parent.name != "samples"}
    assert {folder for folder in folders if not (folder / "__init__.py").exists()} == set()


def requirements(path: Path) -> list[str]:
    return [line for line in path.read_text("utf-8").replace("\\\n", " ").splitlines() if line.strip()]


PINS = sorted((ROOT / "requirements").glob("*.txt"))


def test_there_are_pins_to_run_to_develop_and_for_bpy():
    assert [path.name for path in PINS] == ["bpy.txt", "dev.txt", "run.txt"]


@pytest.mark.parametrize("path", PINS, ids=lambda path: path.name)
def test_pins_hold_versions_and_hashes_and_no_address(path: Path):
    assert "://" not in path.read_text("utf-8")
    for line in requirements(path):
        assert re.match(r"[a-z0-9._-]+(\[[a-z0-9,._-]+\])?==\S+ ", line), line
        assert re.search(r"--hash=sha256:[0-9a-f]{64}\b", line), line


def test_all_that_is_asked_for_is_pinned():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"]
    run = project["dependencies"] + extras["server"] + extras["build"]
    for path, wanted in (("run.txt", run), ("dev.txt", run + extras["dev"])):
        pinned = {re.split(r"[\[=]", line)[0] for line in requirements(ROOT / "requirements" / path)}
        names = {re.split(r"[\[<>=; ]", text)[0].lower() for text in wanted}
        assert names - pinned == set(), path


def test_developers_run_what_farms_run():
    run, dev = (set(requirements(ROOT / "requirements" / name)) for name in ("run.txt", "dev.txt"))
    assert run - dev == set()


def test_no_file_names_a_path_of_one_machine():
    own_path = re.compile(rb"(?<![\w./-])/(?:wor" + rb"k|roo" + rb"t)/\w|\.\./share" + rb"d\b")
    found = [path for path in files_of_the_clone() if own_path.search(path.read_bytes())]
    assert found == []


def test_make_alone_lists_the_targets():
    listing = subprocess.run(["make", "-s", "-C", str(ROOT)], capture_output=True, text=True, check=True).stdout
    for target in ("demo", "dev", "test", "test-all", "check", "bench", "docs", "setup", "pins", "clean"):
        assert re.search(rf"^ +make {target} +\S", listing, re.MULTILINE), target


def test_docs_name_only_what_exists(capsys: pytest.CaptureFixture[str]):
    assert script("check_docs").main(ROOT) == 0, capsys.readouterr().out


def test_docs_that_name_what_does_not_exist_are_found(tmp_path: Path):
    (tmp_path / "Makefile").write_text("demo:\n")
    page = tmp_path / "page.md"
    page.write_text(
        "# A page\n[here](#a-page) [gone](gone.md) [no heading](#elsewhere) [far](mailto:a@example.org)\n"
        "`src/gone.py` `src/NAME/` `make demo` `make hay`\n```\n$ make more\n```\n"
    )
    assert list(script("check_docs").complain(tmp_path, page)) == [
        "the link gone.md leads nowhere",
        "the link #elsewhere leads to no heading",
        "there is no make target more",
        "there is no src/gone.py",
        "there is no make target hay",
    ]


def test_ceilings_find_what_is_too_high_and_what_needs_no_exception(tmp_path: Path):
    ceilings = script("ceilings")
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "high.py").write_text("class A:\n    def b(self):\n" + "        pass\n" * 600)
    (tmp_path / "src" / "low.py").write_text("def a():\n" + "    pass\n" * 59)
    exceptions = {"src/high.py": "a table", "src/low.py::a": "was longer", "src/gone.py": " "}
    assert list(ceilings.complain(dict(ceilings.measure(tmp_path)), exceptions)) == [
        "src/high.py::A.b has 601 lines; the ceiling is 60.",
        "src/low.py::a has 60 lines and needs no exception any more.",
        "src/gone.py has an exception but does not exist.",
        "src/gone.py has an exception without a reason.",
    ]
