"""A command's way to its farm and back: the options that name the farm, and an answer for people or as JSON."""

import inspect
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from typing import Any

import typer
from pydantic import BaseModel
from rich.console import RenderableType

from sheepfold.cli.office import AccountOption, FolderOption, JsonOption, KeyOption, Office, ServerOption, open_office
from sheepfold.cli.plain import plain_console

_OPTIONS = {"server": (ServerOption, ""), "key": (KeyOption, ""), "data": (FolderOption, None),
            "account": (AccountOption, ""), "as_json": (JsonOption, False)}


@dataclass(frozen=True, slots=True)
class Said:
    """What a command says: the farm's answer for programs, the same for people, and the exit status."""

    answer: BaseModel | Mapping[str, Any]
    words: str | RenderableType
    status: int = 0


def office_command(app: typer.Typer, name: str | None = None) -> Callable[[Callable[..., Said]], Callable[..., Said]]:
    """Add to `app` a command that gets an office first; the options that name its farm and `--json` come by themselves.

    What the command does is returned as it is, for other commands to call.
    """

    def add(deed: Callable[..., Said]) -> Callable[..., Said]:
        @wraps(deed)
        def command(*, server: str, key: str, data: Any, account: str, as_json: bool,  # noqa: ANN401 -- typer's to read
                    **words: Any) -> None:  # noqa: ANN401
            with open_office(server, key, data, account) as office:
                said = deed(office, **words)
            say(said, as_json=as_json)

        own = list(inspect.signature(deed, eval_str=True).parameters.values())[1:]
        parameters = [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in own] + [
            inspect.Parameter(option, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=kind)
            for option, (kind, default) in _OPTIONS.items()
        ]
        vars(command)["__signature__"] = inspect.Signature(parameters)  # what typer makes its options of
        command.__annotations__ = {one.name: one.annotation for one in parameters}
        app.command(name)(command)
        return deed

    return add


def say(said: Said, *, as_json: bool) -> None:
    """Print an answer and end with its status."""
    if as_json:
        typer.echo(_json(said.answer))
    elif isinstance(said.words, str):
        typer.echo(said.words)
    else:
        plain_console().print(said.words)
    if said.status:
        raise typer.Exit(said.status)


def _json(answer: BaseModel | Mapping[str, Any]) -> str:
    if isinstance(answer, BaseModel):
        return answer.model_dump_json(indent=2)
    return json.dumps(answer, indent=2, ensure_ascii=False)


__all__ = ["Office", "Said", "office_command", "say"]
