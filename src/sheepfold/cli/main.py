"""The command line: its first word leads to a module, imported only then: a worker needs none of a server's parts."""

import errno
import importlib
import logging
import sys
from importlib.metadata import version
from typing import NamedTuple

import typer
from rich.console import Console
from rich.table import Table

from sheepfold.cli.explaining import explained
from sheepfold.cli.logs import log_to_stderr
from sheepfold.config import BadSetting
from sheepfold.model.errors import SheepfoldError
from sheepfold.protocols.link import FarmRefused, FarmUnreachable
from sheepfold.protocols.rest.calls import FarmProblem


class Entry(NamedTuple):
    """Where a command lives, and its line in the help."""

    module: str
    help: str


COMMANDS: dict[str, Entry] = {
    "serve": Entry("sheepfold.cli.serve", "Serve a farm: all protocols, the pages, and the house."),
    "house": Entry("sheepfold.cli.house", "Keep house for a farm whose servers run with --no-house."),
    "account": Entry("sheepfold.cli.account", "Add and list accounts, and change your own."),
    "people": Entry("sheepfold.cli.people", "Rule people and machines, and read who changed what."),
    "team": Entry("sheepfold.cli.team", "Make teams, invite to them, join, leave, and show them private jobs."),
    "webhook": Entry("sheepfold.cli.webhook", "Be told over HTTP, or in a chat, of jobs and machines."),
    "farm": Entry("sheepfold.cli.farm", "See what a farm does now, what waits in it, and what happens."),
    "flock": Entry("sheepfold.cli.flock", "See the flock of flames, vote on its sheep, and take them out."),
    "machine": Entry("sheepfold.cli.machine", "List, add, pause and stop machines, and say when they may work."),
    "key": Entry("sheepfold.cli.key", "Give keys to machines, and take them back."),
    "flame": Entry("sheepfold.cli.flame", "Look at, breed and render flame genomes on this machine, without a farm."),
    "order": Entry("sheepfold.cli.order", "Order a flame, a Blender project or screenshots."),
    "review": Entry("sheepfold.cli.review", "See how a page changed since its pictures were accepted."),
    "job": Entry("sheepfold.cli.job", "List, watch, download, change, share and cancel jobs."),
    "work": Entry("sheepfold.cli.work", "Render for a farm, unattended."),
    "renderer": Entry("sheepfold.cli.renderer", "Add, list and remove the Blenders that old clients download."),
    "browser": Entry("sheepfold.cli.browser", "Add, list and remove the browsers of screenshot factories."),
    "story": Entry("sheepfold.cli.story", "Tell all that happened to a task."),
    "check": Entry("sheepfold.cli.check", "Prove that all that a farm knows agrees."),
    "storage": Entry("sheepfold.cli.storage", "Show what lies on the farm's disk, and what is cleared next."),
    "backup": Entry("sheepfold.cli.backup", "Copy a farm into a folder while it works."),
    "restore": Entry("sheepfold.cli.restore", "Make a farm of a backup."),
    "completion": Entry("sheepfold.cli.completion", "Print what a shell needs to complete our commands."),
    "demo": Entry("sheepfold.cli.demo", "Show everything on this machine, from an order to films."),
    "dev": Entry("sheepfold.cli.dev", "Serve a filled farm that reloads, with pretend clients."),
}


_FULL = {errno.ENOSPC, errno.EDQUOT}
_log = logging.getLogger(__name__)


def main() -> None:
    """Run the command line; what the farm or the file system refuses is one line, not a traceback."""
    words = sys.argv[1:]
    level = logging.DEBUG if words[:1] == ["--verbose"] else logging.INFO
    words = words[1:] if level == logging.DEBUG else words
    if words[:1] == ["--version"]:
        print(f"sheepfold {version('sheepfold')}")  # noqa: T201 -- what was asked for
        return
    if not words or words[0] not in COMMANDS:
        sys.exit(_explain(words))
    log_to_stderr(level)
    try:
        # called without typer's own frame, so that a server's log has plain tracebacks
        explained(app_of(words[0]))(words[1:], prog_name=f"sheepfold {words[0]}")
    except (SheepfoldError, BadSetting, FarmUnreachable, FarmRefused, FarmProblem) as error:
        sys.exit(f"sheepfold: {error}")
    except OSError as error:
        if error.filename is None and error.errno not in _FULL:
            raise  # of no file: a bug, or what whoever has met it should have told
        _log.debug("file=%s", error.filename, exc_info=error)
        place = error.filename2 or error.filename
        sys.exit(f"sheepfold: {f'{place}: ' if place else ''}{error.strerror}")


def app_of(command: str) -> typer.Typer:
    """Import a command; what only a server needs may be missing where a volunteer installed the program."""
    try:
        app: typer.Typer = importlib.import_module(COMMANDS[command].module).app
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] == "sheepfold":
            raise
        sys.exit(f"sheepfold: `{command}` is for those who run a farm, and {error.name} is not installed here. "
                 "Install sheepfold[server] in place of sheepfold.")
    return app


def _explain(words: list[str]) -> int:
    """Print the help; returns the exit status that it means."""
    is_asked = not words or words[0] in {"-h", "--help", "help"}
    console = Console(stderr=not is_asked)
    if not is_asked:
        console.print(f"sheepfold: there is no command {words[0]!r}.\n", markup=False)
    console.print("Usage: sheepfold \\[--verbose] COMMAND …\n")
    console.print("Run a farm of volunteers' machines that render pictures, or help one.")
    console.print("Each COMMAND explains itself with --help.\n")
    table = Table(box=None, show_header=False, padding=(0, 2))
    for name, entry in COMMANDS.items():
        table.add_row(f"[bold]{name}[/bold]", entry.help)
    console.print(table)
    return 0 if is_asked else 2
