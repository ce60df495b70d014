"""What a terminal is shown: strangers' words as they are but never obeyed, and times by its own clock."""

import datetime
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table


def plain(text: str) -> str:
    """Replace what a terminal would obey, such as escape sequences, and leave line breaks and tabs."""
    return "".join(char if char.isprintable() or char in "\n\t" else "\N{REPLACEMENT CHARACTER}" for char in text)


def plain_console() -> Console:
    """Return a console on which square brackets are square brackets."""
    return Console(markup=False, highlight=False)


def clock(at: int) -> str:
    """Write a time, in Unix seconds, by the clock of this place."""
    return datetime.datetime.fromtimestamp(at, datetime.UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def print_rows(shown: Mapping[str, Callable[[Any], str]], rows: Sequence[Mapping[str, Any]], *, as_json: bool) -> None:
    """Print rows as a table, each column as `shown` writes it, or just as they are in JSON."""
    if as_json:
        print(json.dumps(rows, indent=2, ensure_ascii=False))  # noqa: T201 -- what was asked for
        return
    table = Table(*shown, box=None)
    for row in rows:
        table.add_row(*(write(row[head]) for head, write in shown.items()))
    plain_console().print(table)
