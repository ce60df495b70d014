"""The kinds of work that this house knows: one line each.

A row holds dotted names only; a module is imported when it is used: a worker never loads what only a server needs.
"""

import importlib
import importlib.util
from types import ModuleType

from sheepfold.model.errors import InvalidSpec

KINDS: dict[str, str] = {
    "blender": "sheepfold.kinds.blender",
    "flame": "sheepfold.kinds.flame",
    "screenshot": "sheepfold.kinds.screenshot",
}


def module_of(kind: str, name: str) -> ModuleType:
    """Import one module of a kind, such as `split` of `flame`; raises InvalidSpec for a kind that is not registered."""
    if kind not in KINDS:
        raise InvalidSpec(f"There is no kind {kind!r}; there are {', '.join(KINDS)}.")
    return importlib.import_module(f"{KINDS[kind]}.{name}")


def optional_module_of(kind: str, name: str) -> ModuleType | None:
    """Import a module that a kind may have, such as `complete`; None where it has none. Raises InvalidSpec too."""
    package = module_of(kind, "spec").__package__ or ""
    return importlib.import_module(f"{package}.{name}") if importlib.util.find_spec(f".{name}", package) else None
