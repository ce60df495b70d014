"""Hold the ceilings: no Python module above 600 lines, no function above 60.

An exception stands in pyproject.toml by name, with its reason, and goes when it is needed no more:

    [tool.sheepfold.ceilings]
    "src/sheepfold/x/y.py" = "why the module is longer"
    "src/sheepfold/x/y.py::Class.function" = "why the function is longer"
"""

import ast
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

MODULE_LINES = 600
FUNCTION_LINES = 60
FOLDERS = ("src", "tests", "bench", "scripts")


def main(root: Path) -> int:
    """Print what stands above a ceiling without an exception, and exceptions without need; return the exit status."""
    settings = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))
    exceptions = settings.get("tool", {}).get("sheepfold", {}).get("ceilings", {})
    complaints = list(complain(dict(measure(root)), exceptions))
    for complaint in complaints:
        print(complaint)
    return 1 if complaints else 0


def complain(heights: dict[str, int], exceptions: dict[str, str]) -> Iterator[str]:
    """Compare what was measured with the ceilings and the exceptions."""
    for name, lines in sorted(heights.items()):
        ceiling = FUNCTION_LINES if "::" in name else MODULE_LINES
        if lines > ceiling and name not in exceptions:
            yield f"{name} has {lines} lines; the ceiling is {ceiling}."
        if lines <= ceiling and name in exceptions:
            yield f"{name} has {lines} lines and needs no exception any more."
    for name, reason in sorted(exceptions.items()):
        if name not in heights:
            yield f"{name} has an exception but does not exist."
        if not reason.strip():
            yield f"{name} has an exception without a reason."


def measure(root: Path) -> Iterator[tuple[str, int]]:
    """Give the height in lines of every module (`path`) and every function (`path::Class.function`)."""
    for folder in FOLDERS:
        for path in sorted((root / folder).rglob("*.py")):
            name = path.relative_to(root).as_posix()
            text = path.read_text("utf-8")
            yield name, len(text.splitlines())
            for function, lines in functions_of(ast.parse(text)):
                yield f"{name}::{function}", lines


def functions_of(node: ast.AST, prefix: str = "") -> Iterator[tuple[str, int]]:
    """Give the height of each function in a tree, from `def` to its last line; the outer one counts the inner one's."""
    for child in ast.iter_child_nodes(node):
        inner = prefix
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            inner = f"{prefix}{child.name}."
            if not isinstance(child, ast.ClassDef):
                yield inner.rstrip("."), (child.end_lineno or child.lineno) - child.lineno + 1
        yield from functions_of(child, inner)


if __name__ == "__main__":
    sys.exit(main(Path(__file__).resolve().parent.parent))
