"""What a terminal is shown: strangers' words as they are but never obeyed, and times by its own clock."""

import datetime
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rich.console import Console, Group
from rich.table import Column, Table

NONE = "There is none."
WIDEST = 1000
"""Of a table that goes into a file or another program."""
_NUMBERS = {"attempts", "bytes", "done", "earned", "failed", "files", "keys", "left", "machines", "members", "new",
            "points", "power", "priority", "rating", "spent", "tasks", "waiting"}
"""The heads of columns of numbers."""


def plain(text: str) -> str:
    """Replace what a terminal would obey, such as escape sequences, and leave line breaks and tabs."""
    return "".join(char if char.isprintable() or char in "\n\t" else "\N{REPLACEMENT CHARACTER}" for char in text)


def plain_console() -> Console:
    """Return a console on which square brackets are square brackets; what goes to no terminal is a line a row."""
    is_shown = sys.stdout.isatty() or "COLUMNS" in os.environ
    return Console(markup=False, highlight=False, width=None if is_shown else WIDEST)


def columns(*heads: str) -> Table:
    """Make a table of these columns, which breaks long words rather than cut them: they are there to be read."""
    made = (Column(head, overflow="fold", justify="right" if head in _NUMBERS else "left") for head in heads)
    return Table(*made, box=None, padding=(0, 2, 0, 0))


def clock(at: int) -> str:
    """Write a time, in Unix seconds, by the clock of this place."""
    return _here(at).strftime("%Y-%m-%d %H:%M:%S")


def minute(at: int) -> str:
    """Write a time to the minute, where a line has much to tell."""
    return _here(at).strftime("%Y-%m-%d %H:%M")


def day(at: int) -> str:
    """Write the day of a time."""
    return _here(at).strftime("%Y-%m-%d")


def _here(at: int) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(at, datetime.UTC).astimezone()


def print_rows(shown: Mapping[str, Callable[[Any], str]], rows: Sequence[Mapping[str, Any]], *, as_json: bool) -> None:
    """Print rows as a table, each column as `shown` writes it, or just as they are in JSON."""
    if as_json:
        print(json.dumps(rows, indent=2, ensure_ascii=False))  # noqa: T201 -- what was asked for
        return
    table = columns(*shown)
    for row in rows:
        table.add_row(*(write(row[head]) for head, write in shown.items()))
    plain_console().print(Group(table, *([] if rows else [NONE])))
