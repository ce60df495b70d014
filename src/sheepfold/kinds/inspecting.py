"""The child of the inspector: limits itself, then answers questions about files until its line closes."""

import base64
import contextlib
import json
import math
import os
import resource
import socket
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sheepfold.kinds.seam import Facts

SMALL_BYTES = 16 * 2**20
"""The most that a smaller copy may have."""
NICE = 5
"""How much this gives way to the server, which answers claims meanwhile; the chores give way to both."""


def main(near: socket.socket, memory_bytes: int, longest_s: int) -> None:
    """Answer one question after another, a line each; the first line says that the child is ready.

    Whoever asked ends a child after `longest_s`; it needs no more processor time than that where nobody is left to.
    """
    os.nice(NICE)
    _limit(memory_bytes)
    from sheepfold.kinds import registry  # noqa: PLC0415 - nothing large is imported before the limits hold

    for kind in registry.KINDS:
        registry.module_of(kind, "inspect")
        registry.module_of(kind, "compare")
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    _warnings_are_errors()
    with contextlib.suppress(ConnectionError), near.makefile("rb") as questions:
        near.sendall(b'{"ready": true}\n')
        for question in questions:
            _grant(longest_s)
            near.sendall(json.dumps(_answer(json.loads(question))).encode() + b"\n")


def _limit(memory_bytes: int) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))


def _grant(seconds: int) -> None:
    """Let this process have so many seconds more of processor time, as far as its own limit goes; then it dies."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    until = math.ceil(used.ru_utime + used.ru_stime) + seconds
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    resource.setrlimit(resource.RLIMIT_CPU, (until if hard == resource.RLIM_INFINITY else min(until, hard), hard))


def _warnings_are_errors() -> None:
    from PIL import Image  # noqa: PLC0415

    warnings.simplefilter("ignore")
    warnings.simplefilter("error", Image.DecompressionBombWarning)


def _answer(question: dict[str, Any]) -> dict[str, Any]:
    try:
        return _DEEDS[question["do"]](question)
    except MemoryError:
        return {"error": "it needs more memory than an inspection may use"}
    except Exception as error:  # noqa: BLE001 - the parent logs it, and the next file deserves an answer too
        return {"error": f"its reader failed with {type(error).__name__}: {error}"[:500]}


def _inspect(question: dict[str, Any]) -> dict[str, Any]:
    from sheepfold.kinds import registry  # noqa: PLC0415

    found = registry.module_of(question["kind"], "inspect").inspect(Path(question["path"]), _facts(question))
    return {
        "soundness": found.soundness.value,
        "reason": found.reason[:1000],
        "media_type": found.media_type,
        "width": found.width,
        "height": found.height,
    }


def _compare(question: dict[str, Any]) -> dict[str, Any]:
    from sheepfold.kinds import registry  # noqa: PLC0415

    module = registry.module_of(question["kind"], "compare")
    return {"same": module.same(Path(question["path"]), Path(question["other"]), _facts(question))}


def _shrink(question: dict[str, Any]) -> dict[str, Any]:
    from sheepfold.kinds import pictures  # noqa: PLC0415

    png = pictures.small_png(Path(question["path"]), question["width"])
    if len(png) > SMALL_BYTES:
        return {"error": f"it has more than {SMALL_BYTES} bytes"}
    return {"png": base64.b64encode(png).decode()}


_DEEDS = {"inspect": _inspect, "same": _compare, "shrink": _shrink}


def _facts(question: dict[str, Any]) -> "Facts":
    from sheepfold.kinds.seam import Facts  # noqa: PLC0415

    return Facts(question["spec"], question["frame"], question["part"])


if __name__ == "__main__":
    main(socket.socket(fileno=int(sys.argv[1])), int(sys.argv[2]), int(sys.argv[3]))
