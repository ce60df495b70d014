"""What a terminal is shown: strangers' words as they are but never obeyed, and times by its own clock."""

import datetime

from rich.console import Console


def plain(text: str) -> str:
    """Replace what a terminal would obey, such as escape sequences, and leave line breaks and tabs."""
    return "".join(char if char.isprintable() or char in "\n\t" else "\N{REPLACEMENT CHARACTER}" for char in text)


def plain_console() -> Console:
    """Return a console on which square brackets are square brackets."""
    return Console(markup=False, highlight=False)


def clock(at: int) -> str:
    """Write a time, in Unix seconds, by the clock of this place."""
    return datetime.datetime.fromtimestamp(at, datetime.UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S")
