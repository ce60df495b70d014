"""`sheepfold house`: upkeep and chores in a process of their own."""

import signal
import threading

import typer

from sheepfold.app import house_kept
from sheepfold.cli.logs import LogForm, LogOption
from sheepfold.cli.options import DataOption, farm_in, warn_of_unknown_settings

app = typer.Typer(add_completion=False, rich_markup_mode="markdown")


@app.command()
def house(data: DataOption, log: LogOption = LogForm.PLAIN) -> None:
    """Keep house for the farm in DIR until SIGINT or SIGTERM: expire leases, make previews and films, sweep."""
    warn_of_unknown_settings()
    ended = threading.Event()
    for sign in (signal.SIGINT, signal.SIGTERM):
        signal.signal(sign, lambda *_: ended.set())
    with farm_in(data, may_be_new=True) as farm, house_kept(farm):
        ended.wait()
