"""`sheepfold completion`: what a shell needs to complete our commands, and what it then asks for each word.

A shell's script asks `sheepfold completion words -- WORD …`, whose last word is the one that is being typed. The first
word of a command line is completed from our table; only that word's own module is imported for the others.
"""

import importlib
from enum import StrEnum
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from sheepfold.cli.main import COMMANDS

app = typer.Typer(add_completion=False, rich_markup_mode="markdown")

_BASH = """\
_sheepfold() {
    mapfile -t COMPREPLY < <(sheepfold completion words -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null | cut -f1)
}
complete -o default -F _sheepfold sheepfold
"""
_ZSH = """\
#compdef sheepfold
_sheepfold() {
    local -a found
    found=(${(f)"$(sheepfold completion words -- "${(@)words[2,CURRENT]}" 2>/dev/null)"})
    found=("${(@)found/$'\\t'/:}")
    if (( $#found )); then _describe -t words sheepfold found; else _files; fi
}
compdef _sheepfold sheepfold
"""
_FISH = """\
function __sheepfold_words
    set -l found (sheepfold completion words -- (commandline -opc)[2..-1] (commandline -ct) 2>/dev/null)
    if test (count $found) -gt 0
        printf '%s\\n' $found
    else
        __fish_complete_path (commandline -ct)
    end
end
complete -c sheepfold -f -a '(__sheepfold_words)'
"""


class Shell(StrEnum):
    """Whose script is printed; `words` is what the scripts ask."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"
    WORDS = "words"


_SCRIPTS = {Shell.BASH: _BASH, Shell.ZSH: _ZSH, Shell.FISH: _FISH}


@app.command()
def completion(
    shell: Annotated[Shell, typer.Argument(help="Your shell; its script asks for `words` then.")],
    words: Annotated[list[str] | None, typer.Argument(hidden=True)] = None,
) -> None:
    """Print the script by which a shell completes our commands.

    In ~/.bashrc and ~/.zshrc: `eval "$(sheepfold completion bash)"`, or zsh. For fish, write it into
    ~/.config/fish/completions/sheepfold.fish.
    """
    if shell is Shell.WORDS:
        for word, help_ in candidates(words or [""]).items():
            typer.echo(f"{word}\t{help_}")
    else:
        typer.echo(_SCRIPTS[shell], nl=False)


def candidates(words: list[str]) -> dict[str, str]:
    """Return what the last of a command line's words may become, each with its help; nothing where files are meant."""
    *before, begun = words
    offered = _offered(before, begun) if before else {name: entry.help for name, entry in COMMANDS.items()}
    return {word: " ".join(help_.split()) for word, help_ in offered.items() if word.startswith(begun)}


def _offered(before: list[str], begun: str) -> dict[str, str]:
    if before[0] not in COMMANDS:
        return {}
    command: Any = typer.main.get_command(importlib.import_module(COMMANDS[before[0]].module).app)
    rest = before[1:]
    while rest and isinstance(command, TyperGroup) and rest[0] in command.commands:
        command, rest = command.commands[rest[0]], rest[1:]
    if isinstance(command, TyperGroup):
        return {} if rest else {name: each.get_short_help_str() for name, each in command.commands.items()}
    options = {word: each for each in command.params for word in each.opts if word.startswith("--")}
    if rest and rest[-1] in options:
        return dict.fromkeys(_choices(options[rest[-1]]), "")
    if begun.startswith("-"):
        return {word: each.help or "" for word, each in options.items()}
    return {} if rest else _choices_of_the_argument(command)


def _choices_of_the_argument(command: Any) -> dict[str, str]:  # noqa: ANN401 -- typer's own classes are private
    first = next((each for each in command.params if each.param_type_name == "argument"), None)
    return dict.fromkeys(_choices(first), "")


def _choices(parameter: Any) -> list[str]:  # noqa: ANN401
    return [str(choice) for choice in getattr(getattr(parameter, "type_descriptor", None), "choices", None) or ()]
