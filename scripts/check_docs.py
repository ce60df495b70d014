"""Check what the docs name: relative links resolve, paths in backticks exist, and so do make targets and commands."""

import importlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import typer
import typer.main

FOLDERS = "src|tests|docs|bench|scripts|requirements"
LINK = re.compile(r"!?\[[^\]]*\]\(<?([^)\s>]+)>?[^)]*\)")
SPAN = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
FENCE = re.compile(r"^ *```.*?^ *```", re.MULTILINE | re.DOTALL)
PATH = re.compile(rf"(?:{FOLDERS})/[\w./*-]*")
TARGET = re.compile(r"make ([a-z][a-z-]*)\b")
# What stands for another name, such as NAME in `docs/NAME/`.
PLACEHOLDER = re.compile(r"(?:^|/)[A-Z_]+(?:/|$)")
END_OF_COMMAND = re.compile(r"\s(?:\||#|&&|>|<|;)")


def main(root: Path) -> int:
    """Print what is named and does not exist, one line each; return the exit status."""
    complaints = [f"{page.relative_to(root)}: {text}" for page in pages_of(root) for text in complain(root, page)]
    for complaint in complaints:
        print(complaint)
    return 1 if complaints else 0


def pages_of(root: Path) -> list[Path]:
    """Find the Markdown pages of the clone, those of installed packages aside."""
    pages = root.rglob("*.md")
    return sorted(page for page in pages if not any(part.startswith(".") for part in page.relative_to(root).parts))


def complain(root: Path, page: Path) -> Iterator[str]:
    """Say what one page names that does not exist."""
    text = page.read_text("utf-8")
    yield from _complain_of_links(root, page, FENCE.sub("", text))
    targets = set(re.findall(r"^([a-z-]+):", (root / "Makefile").read_text("utf-8"), re.MULTILINE))
    for code in code_of(text):
        if PATH.fullmatch(code) and not PLACEHOLDER.search(code) and not _is_there(root, code):
            yield f"there is no {code}"
        if (target := TARGET.match(code)) and target[1] not in targets:
            yield f"there is no make target {target[1]}"
        if re.match(r"sheepfold\s", code) and (complaint := complain_of_command(code)):
            yield complaint


def code_of(text: str) -> Iterator[str]:
    """Give what stands in backticks, and each line of the fenced blocks without its prompt."""
    for fence in FENCE.findall(text):
        for line in fence.replace("\\\n", " ").splitlines()[1:-1]:
            yield line.strip().removeprefix("$ ")
    for span in SPAN.findall(FENCE.sub("", text)):
        yield span.strip()


def complain_of_command(code: str) -> str:
    """Follow `sheepfold GROUP COMMAND --option` through the command line's tree; empty where all of it exists."""
    first, *words = END_OF_COMMAND.split(code)[0].split()[1:] or ["--help"]
    if not first.islower() or first.startswith("-"):
        return ""
    if (command := _command(first)) is None:
        return f"`{code}`: there is no command {first}"
    options = _options_of(command)
    for word in words:
        if word.startswith("--"):
            option = re.split(r"[=|\]]", word)[0]
            if option not in options:
                return f"`{code}`: there is no option {option}"
        elif isinstance(command, typer.core.TyperGroup) and not word.startswith(("-", "[", "…")) and word.islower():
            if word not in command.commands:
                return f"`{code}`: there is no command {word}"
            command = command.commands[word]
            options |= _options_of(command)
    return ""


def _command(first: str) -> object:
    """Return the command of a first word, None where there is none such."""
    commands = importlib.import_module("sheepfold.cli.main").COMMANDS
    if first not in commands:
        return None
    return typer.main.get_command(importlib.import_module(commands[first].module).app)


def _options_of(command: object) -> set[str]:
    parameters = getattr(command, "params", [])
    return {"--help"} | {option for parameter in parameters for option in [*parameter.opts, *parameter.secondary_opts]}


def _complain_of_links(root: Path, page: Path, text: str) -> Iterator[str]:
    for target in LINK.findall(text):
        path, _, anchor = target.partition("#")
        if re.match(r"[a-z][a-z+.-]*:", target):
            continue
        aim = (page.parent / path).resolve() if path else page
        if not aim.exists() or not aim.is_relative_to(root):
            yield f"the link {target} leads nowhere"
        elif anchor and aim.suffix == ".md" and anchor not in anchors_of(aim):
            yield f"the link {target} leads to no heading"


def anchors_of(page: Path) -> set[str]:
    """Name a page's headings as links do: small, without punctuation, a dash for each blank."""
    headings = re.findall(r"^#+ +(.+)$", FENCE.sub("", page.read_text("utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-") for heading in headings}


def _is_there(root: Path, path: str) -> bool:
    return any(root.glob(path.rstrip("/"))) if "*" in path else (root / path).exists()


if __name__ == "__main__":
    sys.exit(main(Path(__file__).resolve().parent.parent))
