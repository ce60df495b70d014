"""How far something is, on standard error: a bar on a terminal, and else a line for each tenth of the way."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

Step = Callable[[int, int], None]
"""Takes how much is done, and of how much."""
STEPS = 10


@contextmanager
def progress(head: str, *, in_bytes: bool = False) -> Iterator[Step]:
    """Show how far something with a name is, for as long as this lasts; nothing is shown before the first step."""
    if not sys.stderr.isatty():
        yield _lines(head, " bytes" if in_bytes else "")
        return
    counted = DownloadColumn() if in_bytes else MofNCompleteColumn()
    columns = (TextColumn("{task.description}"), BarColumn(), counted, TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        line = bar.add_task(head, total=None, visible=False)
        yield lambda done, total: bar.update(line, completed=done, total=total, visible=True)


def _lines(head: str, unit: str) -> Step:
    """Return a step that writes a line whenever another tenth is done."""
    shown = -1

    def step(done: int, total: int) -> None:
        nonlocal shown
        tenth = done * STEPS // total if total else 0
        if tenth > shown:
            shown = tenth
            typer.echo(f"{head}: {done:,} of {total:,}{unit}", err=True)

    return step
