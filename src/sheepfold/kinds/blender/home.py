"""Where this machine's bpy is: a Python of its own, as bpy wants exactly its Python and its numpy."""

import os
import subprocess
from pathlib import Path

VARIABLE = "SHEEPFOLD_BPY_PYTHON"
RUNNER = Path(__file__).with_name("runner.py")


def find() -> Path | None:
    """Return the Python that has bpy: what SHEEPFOLD_BPY_PYTHON names, else what scripts/setup-bpy made last, if any.

    The path is absolute and not resolved, since an environment's Python is known by its own path.
    """
    named = os.environ.get(VARIABLE, "")
    if named:
        return Path(named).absolute() if os.access(named, os.X_OK) else None
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sheepfold"
    ready = sorted(cache.glob("bpy-*/.ready"), key=lambda path: path.stat().st_mtime, reverse=True)
    pythons = [path.with_name("bin") / "python" for path in ready]
    return next((python for python in pythons if os.access(python, os.X_OK)), None)


def readable(python: Path) -> list[Path]:
    """Return the folders that a sandbox must show for this Python to run: its environment, its base, and the runner."""
    environment = python.parent.parent
    base = python.resolve().parent.parent
    folders = [environment] if base == environment or base == Path("/usr") else [environment, base]
    return [*folders, RUNNER]


def command(python: Path, *words: str) -> list[str]:
    """Return the command that runs our runner on this Python."""
    return [str(python), "-I", "-B", str(RUNNER), *words]


def environment(folder: Path) -> dict[str, str]:
    """Return the environment of a Blender that keeps all of its own in a folder, and reads no user's settings."""
    own = str(folder)
    return {"HOME": own, "TMPDIR": own, "BLENDER_USER_RESOURCES": own, "LANG": "C.UTF-8", "PATH": "/usr/bin:/bin"}


def version(python: Path) -> str:
    """Return the version of its Blender, such as `4.5.15`; an empty text where bpy does not start.

    Starts bpy, which takes about a second.
    """
    try:
        run = subprocess.run(command(python, "--version"), env={}, capture_output=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    words = run.stdout.decode("utf-8", "replace").split()
    return words[1] if run.returncode == 0 and len(words) > 1 and words[0] == "Blender" else ""
