"""Strangers' words on a terminal: shown as they are, but never obeyed."""

from rich.console import Console


def plain(text: str) -> str:
    """Replace what a terminal would obey, such as escape sequences, and leave line breaks and tabs."""
    return "".join(char if char.isprintable() or char in "\n\t" else "\N{REPLACEMENT CHARACTER}" for char in text)


def plain_console() -> Console:
    """Return a console on which square brackets are square brackets."""
    return Console(markup=False, highlight=False)
