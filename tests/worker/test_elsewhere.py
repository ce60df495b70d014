"""That the volunteer's side starts where the modules and calls of Unix are missing, as on Windows."""

import subprocess
import sys

PROGRAM = """
import asyncio, importlib, os, pkgutil, signal, subprocess, sys
import psutil  # with what others' libraries take from the system they really run on

for name in ("fcntl", "grp", "pwd", "resource", "termios"):
    sys.modules[name] = None
for name in ("fork", "geteuid", "getuid", "killpg", "nice", "sched_getaffinity", "setsid"):
    delattr(os, name)
del signal.SIGKILL

from sheepfold import worker
for name in (
    *(f"sheepfold.worker.{module.name}" for module in pkgutil.iter_modules(worker.__path__)),
    *(f"sheepfold.protocols.{wire}.client" for wire in ("rest", "sheepit", "electricsheep", "browsershots")),
    *(f"sheepfold.kinds.{kind}.render" for kind in ("flame", "blender", "screenshot")),
    *(f"sheepfold.cli.{command}" for command in ("work", "order", "job", "flame")),
    "sheepfold.client",
):
    importlib.import_module(name)
print("all there")
"""


def test_nothing_of_unix_is_needed_to_start():
    ended = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60, check=False)
    assert ended.stdout == "all there\n", ended.stderr
