"""The help of a command in words that people know: no types behind switches, and TEXT for `<str>`."""

from typing import Any

import typer.main

_WORDS = {"str": "TEXT", "int": "N", "int range": "N", "float": "X", "float range": "X", "file": "FILE", "dir": "DIR",
          "path": "PATH"}


def explained(app: typer.Typer) -> Any:  # noqa: ANN401 -- typer's own classes are private
    """Return an application's command, ready to be called, whose help is for people."""
    command: Any = typer.main.get_command(app)
    _explain(command)
    return command


def _explain(command: Any) -> None:  # noqa: ANN401
    context = typer.Context(command)
    for parameter in command.get_params(context):  # its --help too
        if parameter.param_type_name == "argument":
            parameter.hidden = parameter.hidden or not parameter.help  # the line of its usage names it
            parameter.display_type_rich = lambda ctx: None
        elif parameter.metavar is None:
            parameter.metavar = _metavar(parameter, context)
    for inner in getattr(command, "commands", {}).values():
        _explain(inner)


def _metavar(option: Any, context: typer.Context) -> str:  # noqa: ANN401
    if option.is_flag:
        return ""
    shown = str(option.display_type_rich(context) or "").strip("<>")
    return _WORDS.get(shown, shown)
